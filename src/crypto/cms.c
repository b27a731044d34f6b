#include "crypto/cms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "crypto/openssl_error.h"
#include "crypto/public_key.h"

#define SERIAL_DIGITS_SIZE 48

struct cms_opener {
	char *owner_path;
	X509 *owner;
	EVP_PKEY *key; /* NULL: only signatures are checked */
};

static void x509_freep(X509 **certificate)
{
	X509_free(*certificate);
}

static void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void message_freep(CMS_ContentInfo **message)
{
	CMS_ContentInfo_free(*message);
}

static void stream_freep(BIO **stream)
{
	BIO_free_all(*stream);
}

/* --- files ------------------------------------------------------------------------------------ */

/* Of an accepted kind and size? */
static int check_key(EVP_PKEY *key, struct error *err)
{
	CLEANUP(public_key_freep)
	struct public_key *accepted = NULL;
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	int r = size > 0 ? public_key_decode(der, (size_t)size, &accepted, err)
			 : openssl_error(err, ERROR_DEFECT, "a public key that cannot be encoded");

	OPENSSL_free(der);
	return r;
}

static FILE *open_pem(const char *path, bool secret, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	FILE *file;

	if (fd < 0 || fstat(fd, &status) < 0) {
		error_set_errno(err, ERROR_USAGE, errno, "'%s'", path);
		close_fdp(&fd);
		return NULL;
	}
	if (secret && (status.st_mode & S_IROTH)) {
		error_set(err, ERROR_USAGE, "the key '%s' can be read by everybody: chmod 0400 it",
			  path);
		close(fd);
		return NULL;
	}
	file = fdopen(fd, "r");
	ASSERT(file);
	return file;
}

static int read_certificate(const char *path, X509 **ret_certificate, struct error *err)
{
	CLEANUP(x509_freep)
	X509 *certificate = NULL;
	FILE *file = open_pem(path, false, err);
	EVP_PKEY *key;

	if (!file)
		return err->code;
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!certificate)
		return openssl_error(err, ERROR_USAGE, "'%s' holds no certificate in PEM", path);
	key = X509_get0_pubkey(certificate);
	if (!key)
		return openssl_error(err, ERROR_USAGE, "'%s' holds a certificate without a key",
				     path);
	if (check_key(key, err) < 0) {
		err->code = ERROR_USAGE;
		return error_prefix(err, "the certificate '%s'", path);
	}
	*ret_certificate = TAKE(certificate);
	return 0;
}

static int read_key(const char *path, EVP_PKEY **ret_key, struct error *err)
{
	CLEANUP(pkey_freep)
	EVP_PKEY *key = NULL;
	FILE *file = open_pem(path, true, err);

	if (!file)
		return err->code;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	if (!key)
		return openssl_error(err, ERROR_USAGE,
				     "'%s' holds no private key in PEM that can be read", path);
	if (check_key(key, err) < 0) {
		err->code = ERROR_USAGE;
		return error_prefix(err, "the key '%s'", path);
	}
	*ret_key = TAKE(key);
	return 0;
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* What only we have made can only fail for want of memory or by a defect of the library. */
static int failed(const char *step, struct error *err)
{
	return openssl_error(err, ERROR_FAILED, "CMS: %s", step);
}

static BIO *reader_of(const void *bytes, size_t size)
{
	BIO *stream = BIO_new_mem_buf(bytes, (int)size);

	ASSERT(stream);
	return stream;
}

static int encode(const CMS_ContentInfo *message, uint8_t **ret_bytes, size_t *ret_size,
		  struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_CMS_ContentInfo((CMS_ContentInfo *)(uintptr_t)message, &der);

	if (size <= 0)
		return failed("encoding", err);
	*ret_bytes = malloc((size_t)size);
	ASSERT(*ret_bytes);
	memcpy(*ret_bytes, der, (size_t)size);
	*ret_size = (size_t)size;
	OPENSSL_free(der);
	return 0;
}

/* The library's defaults are SHA-1 for both. */
static bool choose_hashes(EVP_PKEY_CTX *context, bool rsa)
{
	if (!rsa)
		return EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) > 0;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

static int encrypt(const char *recipient_path, const void *content, size_t size,
		   uint8_t **ret_bytes, size_t *ret_size, struct error *err)
{
	CLEANUP(x509_freep)
	X509 *recipient = NULL;
	CLEANUP(message_freep)
	CMS_ContentInfo *message = NULL;
	CLEANUP(stream_freep)
	BIO *in = NULL;
	CMS_RecipientInfo *info;
	int r = read_certificate(recipient_path, &recipient, err);

	if (r < 0)
		return r;
	message = CMS_AuthEnvelopedData_create(EVP_aes_256_gcm());
	info = message ? CMS_add1_recipient_cert(message, recipient, CMS_KEY_PARAM) : NULL;
	if (!info || CMS_set_detached(message, 0) != 1 ||
	    !choose_hashes(CMS_RecipientInfo_get0_pkey_ctx(info),
			   EVP_PKEY_is_a(X509_get0_pubkey(recipient), "RSA")))
		return failed("adding the recipient", err);
	in = reader_of(content, size);
	if (CMS_final(message, in, NULL, CMS_BINARY) != 1)
		return failed("encrypting", err);
	return encode(message, ret_bytes, ret_size, err);
}

static int sign(const struct cms_sealing *sealing, const void *bytes, size_t size,
		uint8_t **ret_message, size_t *ret_size, struct error *err)
{
	CLEANUP(x509_freep)
	X509 *owner = NULL;
	CLEANUP(pkey_freep)
	EVP_PKEY *key = NULL;
	CLEANUP(message_freep)
	CMS_ContentInfo *message = NULL;
	CLEANUP(stream_freep)
	BIO *in = NULL;
	int r = read_certificate(sealing->owner_certificate, &owner, err);

	if (r == 0)
		r = read_key(sealing->owner_key, &key, err);
	if (r < 0)
		return r;
	if (X509_check_private_key(owner, key) != 1) {
		ERR_clear_error();
		return error_set(err, ERROR_USAGE,
				 "the key '%s' is not the one of the certificate '%s'",
				 sealing->owner_key, sealing->owner_certificate);
	}
	message = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	if (!message ||
	    CMS_set1_eContentType(message, OBJ_nid2obj(NID_id_smime_ct_authEnvelopedData)) != 1 ||
	    !CMS_add1_signer(message, owner, key, EVP_sha256(),
			     CMS_BINARY | CMS_NOCERTS | CMS_NOSMIMECAP))
		return failed("adding the signer", err);
	in = reader_of(bytes, size);
	if (CMS_final(message, in, NULL, CMS_BINARY) != 1)
		return failed("signing", err);
	return encode(message, ret_message, ret_size, err);
}

int cms_seal(const struct cms_sealing *sealing, const void *content, size_t size,
	     uint8_t **ret_message, size_t *ret_size, struct error *err)
{
	CLEANUP(freep)
	uint8_t *envelope = NULL;
	uint8_t *message = NULL;
	size_t envelope_size, message_size;
	int r;

	if (size > CMS_SIZE_MAX)
		return error_set(err, ERROR_USAGE, "%zu bytes to be sealed, the limit is %u", size,
				 CMS_SIZE_MAX);
	r = encrypt(sealing->recipient, content, size, &envelope, &envelope_size, err);
	if (r == 0)
		r = sign(sealing, envelope, envelope_size, &message, &message_size, err);
	if (r == 0 && message_size > CMS_SIZE_MAX) {
		free(message);
		r = error_set(err, ERROR_USAGE, "%zu bytes when sealed, the limit is %u",
			      message_size, CMS_SIZE_MAX);
	}
	if (r < 0)
		return r;
	*ret_message = message;
	*ret_size = message_size;
	return 0;
}

/* --- whose files are needed to open ----------------------------------------------------------- */

int cms_opener_new(const char *owner_path, const char *key_path, struct cms_opener **ret_opener,
		   struct error *err)
{
	CLEANUP(cms_opener_freep)
	struct cms_opener *opener = calloc(1, sizeof(*opener));
	int r;

	ASSERT(opener);
	opener->owner_path = strdup(owner_path);
	ASSERT(opener->owner_path);
	r = read_certificate(owner_path, &opener->owner, err);
	if (r == 0 && key_path)
		r = read_key(key_path, &opener->key, err);
	if (r < 0)
		return r;
	*ret_opener = TAKE(opener);
	return 0;
}

void cms_opener_free(struct cms_opener *opener)
{
	if (!opener)
		return;
	X509_free(opener->owner);
	EVP_PKEY_free(opener->key);
	free(opener->owner_path);
	free(opener);
}

/* --- the signature ---------------------------------------------------------------------------- */

/* One whole message and nothing else: one text has one encoding, so that it has one hash. */
static int decode(const void *bytes, size_t size, CMS_ContentInfo **ret_message, struct error *err)
{
	CLEANUP(message_freep)
	CMS_ContentInfo *message = NULL;
	const unsigned char *at = bytes;
	unsigned char *again = NULL;
	int length;
	bool same;

	if (size == 0 || size > CMS_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "%zu bytes: 1 to %u are possible", size,
				 CMS_SIZE_MAX);
	message = d2i_CMS_ContentInfo(NULL, &at, (long)size);
	if (!message)
		return openssl_error(err, ERROR_DEFECT, "it is not CMS, or not whole");
	length = i2d_CMS_ContentInfo(message, &again);
	same = length > 0 && (size_t)length == size && memcmp(again, bytes, size) == 0;
	OPENSSL_free(again);
	ERR_clear_error();
	if (!same)
		return error_set(err, ERROR_DEFECT,
				 "it is CMS, but not in DER, or bytes follow it");
	*ret_message = TAKE(message);
	return 0;
}

/* The only signer of a message of our shape. */
static int find_signer(CMS_ContentInfo *message, CMS_SignerInfo **ret_signer, struct error *err)
{
	STACK_OF(CMS_SignerInfo) * signers;
	CMS_SignerInfo *signer;
	X509_ALGOR *digest = NULL;

	if (OBJ_obj2nid(CMS_get0_type(message)) != NID_pkcs7_signed)
		return error_set(err, ERROR_DEFECT, "it is CMS, but not signed");
	if (OBJ_obj2nid(CMS_get0_eContentType(message)) != NID_id_smime_ct_authEnvelopedData)
		return error_set(err, ERROR_DEFECT, "what is signed in it is no envelope");
	signers = CMS_get0_SignerInfos(message);
	if (sk_CMS_SignerInfo_num(signers) != 1)
		return error_set(err, ERROR_DEFECT, "it has %d signers, and must have one",
				 sk_CMS_SignerInfo_num(signers));
	signer = sk_CMS_SignerInfo_value(signers, 0);
	CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
	if (!digest || OBJ_obj2nid(digest->algorithm) != NID_sha256)
		return error_set(err, ERROR_DEFECT, "it is signed with another hash than SHA-256");
	/* Without signed attributes the signature could be one of another kind of message. */
	if (CMS_signed_get_attr_count(signer) <= 0 || CMS_unsigned_get_attr_count(signer) > 0)
		return error_set(err, ERROR_DEFECT,
				 "it has no signed attributes, or some that are not signed");
	*ret_signer = signer;
	return 0;
}

/* The signature is not the owner's: who says to have made it? */
static int refuse_signer(const struct cms_opener *opener, CMS_SignerInfo *signer, struct error *err)
{
	ASN1_INTEGER *serial = NULL;
	X509_NAME *issuer = NULL;
	ASN1_OCTET_STRING *key_id = NULL;
	char name[256] = "unknown", digits[SERIAL_DIGITS_SIZE] = "";
	BIGNUM *number;
	char *hex;

	ERR_clear_error();
	if (CMS_SignerInfo_cert_cmp(signer, opener->owner) == 0)
		return error_set(
			err, ERROR_REFUSED,
			"the signature of '%s' does not match: it was changed after it was "
			"signed, or signed with another key",
			opener->owner_path);
	CMS_SignerInfo_get0_signer_id(signer, &key_id, &issuer, &serial);
	if (issuer)
		X509_NAME_oneline(issuer, name, (int)sizeof(name));
	number = serial ? ASN1_INTEGER_to_BN(serial, NULL) : NULL;
	hex = number ? BN_bn2hex(number) : NULL;
	snprintf(digits, sizeof(digits), "%s", hex ? hex : "unknown");
	OPENSSL_free(hex);
	BN_free(number);
	ERR_clear_error();
	return error_set(err, ERROR_REFUSED,
			 "it is not signed by '%s', but by a certificate with serial %s of issuer "
			 "'%s'",
			 opener->owner_path, digits, name);
}

/* What is signed, into a new @ret_envelope. */
static int verify(const struct cms_opener *opener, const void *bytes, size_t size,
		  BIO **ret_envelope, struct error *err)
{
	const unsigned int flags = CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY;
	CLEANUP(message_freep)
	CMS_ContentInfo *message = NULL;
	CLEANUP(stream_freep)
	BIO *envelope = NULL;
	CMS_SignerInfo *signer = NULL;
	int r = decode(bytes, size, &message, err);

	if (r == 0)
		r = find_signer(message, &signer, err);
	if (r < 0)
		return r;
	/* Named by us and not found by what the message says of itself: a certificate that was
	 * renewed for the same key is the same owner. */
	CMS_SignerInfo_set1_signer_cert(signer, opener->owner);
	envelope = BIO_new(BIO_s_mem());
	ASSERT(envelope);
	if (CMS_verify(message, NULL, NULL, NULL, envelope, flags) != 1)
		return refuse_signer(opener, signer, err);
	*ret_envelope = TAKE(envelope);
	return 0;
}

int cms_check(const struct cms_opener *opener, const void *message, size_t size, struct error *err)
{
	CLEANUP(stream_freep)
	BIO *envelope = NULL;

	return verify(opener, message, size, &envelope, err);
}

/* --- the envelope ----------------------------------------------------------------------------- */

/* All that @in has, at most @size_max bytes, authenticated. */
static int read_plain(BIO *in, uint8_t *content, size_t size_max, size_t *ret_size,
		      struct error *err)
{
	size_t size = 0;
	int n;

	while (size < size_max && (n = BIO_read(in, content + size, (int)(size_max - size))) > 0)
		size += (size_t)n;
	/* The tag is checked at the end: until then nothing that was read counts. */
	if (size == size_max || BIO_get_cipher_status(in) != 1) {
		secret_wipe(content, size);
		ERR_clear_error();
		return error_set(err, ERROR_REFUSED, "it is encrypted for another key than ours");
	}
	*ret_size = size;
	return 0;
}

static int decrypt(const struct cms_opener *opener, const void *bytes, size_t size,
		   uint8_t *content, size_t *ret_size, struct error *err)
{
	CLEANUP(message_freep)
	CMS_ContentInfo *message = NULL;
	CLEANUP(stream_freep)
	BIO *in = NULL;
	const EVP_CIPHER *cipher = NULL;
	EVP_CIPHER_CTX *context = NULL;
	int r = decode(bytes, size, &message, err);

	if (r < 0)
		return error_prefix(err, "the envelope");
	if (OBJ_obj2nid(CMS_get0_type(message)) != NID_id_smime_ct_authEnvelopedData ||
	    sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(message)) != 1)
		return error_set(err, ERROR_DEFECT,
				 "the envelope is not authenticated, or not for one recipient");
	if (CMS_decrypt_set1_pkey(message, opener->key, NULL) != 1 ||
	    !(in = CMS_dataInit(message, NULL))) {
		ERR_clear_error();
		return error_set(err, ERROR_REFUSED, "it is encrypted for another key than ours");
	}
	if (BIO_get_cipher_ctx(in, &context) == 1 && context)
		cipher = EVP_CIPHER_CTX_get0_cipher(context);
	if (!cipher || EVP_CIPHER_get_nid(cipher) != NID_aes_256_gcm)
		return error_set(err, ERROR_DEFECT, "it is encrypted, but not with AES-256-GCM");
	return read_plain(in, content, size, ret_size, err);
}

int cms_open(const struct cms_opener *opener, const void *message, size_t size,
	     uint8_t **ret_content, size_t *ret_size, struct error *err)
{
	CLEANUP(stream_freep)
	BIO *envelope = NULL;
	CLEANUP(freep)
	uint8_t *content = NULL;
	char *bytes = NULL;
	long length;
	int r;

	ASSERT(opener->key);
	r = verify(opener, message, size, &envelope, err);
	if (r < 0)
		return r;
	length = BIO_get_mem_data(envelope, &bytes);
	/* The content is shorter than its envelope. */
	content = malloc((size_t)length + 1);
	ASSERT(content);
	r = decrypt(opener, bytes, (size_t)length, content, ret_size, err);
	if (r < 0)
		return r;
	*ret_content = TAKE(content);
	return 0;
}
