#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/checked.h"
#include "crypto/cms.h"
#include "crypto/random.h"

/*
 * NAME.key and NAME.pem in a directory of the test's own: owner (P-256), renewed (the owner's key
 * in a later certificate), other (P-256), vault (RSA), curve (P-384), small (RSA of 2048 bits).
 */
static char directory[] = "/tmp/binvault-test-cms-XXXXXX";

static const char content[] = "{\"schema\":1}";

static char *path_of(const char *name, const char *end)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % ARRAY_LENGTH(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", directory, name, end);
	return path;
}

static void write_identity(const char *name, EVP_PKEY *key, long serial, long end_seconds)
{
	X509 *certificate = X509_new();
	const char *key_path = path_of(name, ".key");
	FILE *file = fopen(key_path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	assert_int_equal(chmod(key_path, 0600), 0);
	assert_int_equal(X509_set_version(certificate, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), end_seconds);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	file = fopen(path_of(name, ".pem"), "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
}

static int setup(void **state)
{
	EVP_PKEY *owner = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	EVP_PKEY *vault = EVP_RSA_gen(3072), *curve = EVP_EC_gen("P-384");
	EVP_PKEY *small = EVP_RSA_gen(2048);

	(void)state;
	assert_non_null(mkdtemp(directory));
	write_identity("owner", owner, 7, 3600);
	write_identity("renewed", owner, 8, -60); /* and expired */
	write_identity("other", other, 9, 3600);
	write_identity("vault", vault, 10, 3600);
	write_identity("curve", curve, 11, 3600);
	write_identity("small", small, 12, 3600);
	EVP_PKEY_free(owner);
	EVP_PKEY_free(other);
	EVP_PKEY_free(vault);
	EVP_PKEY_free(curve);
	EVP_PKEY_free(small);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"owner", "renewed", "other", "vault", "curve", "small"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		unlink(path_of(names[i], ".key"));
		unlink(path_of(names[i], ".pem"));
	}
	return rmdir(directory);
}

struct message {
	uint8_t *bytes;
	size_t size;
};

static struct message seal(const char *owner, const char *recipient)
{
	const struct cms_sealing sealing = {path_of(owner, ".key"), path_of(owner, ".pem"),
					    path_of(recipient, ".pem")};
	struct message message;
	struct error err;

	assert_ok(cms_seal(&sealing, content, sizeof(content), &message.bytes, &message.size, &err),
		  &err);
	return message;
}

/* Open what @owner should have signed with @key; the result of cms_open(). */
static int open_with(const char *owner, const char *key, const struct message *message,
		     struct error *err)
{
	struct cms_opener *opener;
	uint8_t *bytes = NULL;
	size_t size = 0;
	int r;

	assert_ok(cms_opener_new(path_of(owner, ".pem"), path_of(key, ".key"), &opener, err), err);
	r = cms_open(opener, message->bytes, message->size, &bytes, &size, err);
	if (r == 0) {
		assert_int_equal(size, sizeof(content));
		assert_memory_equal(bytes, content, size);
	} else {
		assert_null(bytes);
	}
	free(bytes);
	cms_opener_free(opener);
	return r;
}

static void what_is_sealed_for_a_key_opens_with_it(void **state)
{
	struct message rsa = seal("owner", "vault"), curve = seal("owner", "curve");
	struct error err;

	(void)state;
	assert_ok(open_with("owner", "vault", &rsa, &err), &err);
	assert_ok(open_with("owner", "curve", &curve, &err), &err);
	free(rsa.bytes);
	free(curve.bytes);
}

static void an_owner_may_sign_with_rsa(void **state)
{
	struct message message = seal("vault", "curve");
	struct error err;

	(void)state;
	assert_ok(open_with("vault", "curve", &message, &err), &err);
	free(message.bytes);
}

static void another_recipient_cannot_open_it(void **state)
{
	struct message rsa = seal("owner", "vault"), curve = seal("owner", "curve");
	struct error err;

	(void)state;
	assert_fails(open_with("owner", "curve", &rsa, &err), &err, ERROR_REFUSED,
		     "encrypted for another key");
	assert_fails(open_with("owner", "vault", &curve, &err), &err, ERROR_REFUSED,
		     "encrypted for another key");
	assert_fails(open_with("owner", "owner", &curve, &err), &err, ERROR_REFUSED,
		     "encrypted for another key");
	free(rsa.bytes);
	free(curve.bytes);
}

static void another_signer_is_refused_and_named(void **state)
{
	struct message message = seal("other", "vault");
	struct error err;

	(void)state;
	assert_fails(open_with("owner", "vault", &message, &err), &err, ERROR_REFUSED,
		     "by a certificate with serial 09 of issuer '/CN=other'");
	free(message.bytes);
}

/* Whose key it is counts, and not until when its certificate says to be valid. */
static void a_renewed_or_expired_certificate_of_the_same_key_is_the_same_owner(void **state)
{
	struct message message = seal("owner", "vault"), later = seal("renewed", "vault");
	struct error err;

	(void)state;
	assert_ok(open_with("renewed", "vault", &message, &err), &err);
	assert_ok(open_with("owner", "vault", &later, &err), &err);
	free(message.bytes);
	free(later.bytes);
}

static void a_bit_changed_anywhere_is_refused(void **state)
{
	struct message message = seal("owner", "vault");
	struct cms_opener *opener;
	uint8_t *bytes;
	size_t size;
	struct error err;

	(void)state;
	assert_ok(cms_opener_new(path_of("owner", ".pem"), path_of("vault", ".key"), &opener, &err),
		  &err);
	for (size_t i = 0; i < message.size; i++) {
		int r;

		message.bytes[i] ^= 1;
		r = cms_open(opener, message.bytes, message.size, &bytes, &size, &err);
		/* The signer's name and serial are hints that nothing relies on. */
		if (r == 0) {
			assert_int_equal(size, sizeof(content));
			assert_memory_equal(bytes, content, size);
			free(bytes);
		} else {
			assert_true(r == ERROR_DEFECT || r == ERROR_REFUSED);
		}
		message.bytes[i] ^= 1;
	}
	assert_ok(cms_check(opener, message.bytes, message.size, &err), &err);
	cms_opener_free(opener);
	free(message.bytes);
}

static void what_is_cut_or_longer_is_refused(void **state)
{
	struct message message = seal("owner", "curve");
	struct error err;

	(void)state;
	message.bytes = realloc(message.bytes, message.size + 1);
	assert_non_null(message.bytes);
	message.bytes[message.size] = 0;
	message.size++;
	assert_fails(open_with("owner", "curve", &message, &err), &err, ERROR_DEFECT,
		     "bytes follow it");
	message.size--;
	while (message.size > 0) {
		message.size--;
		assert_int_equal(open_with("owner", "curve", &message, &err), ERROR_DEFECT);
	}
	free(message.bytes);
}

static void a_message_is_bounded(void **state)
{
	const struct cms_sealing sealing = {path_of("owner", ".key"), path_of("owner", ".pem"),
					    path_of("vault", ".pem")};
	uint8_t *big = calloc(1, CMS_SIZE_MAX + 1);
	struct message message = {big, CMS_SIZE_MAX + 1};
	uint8_t *sealed;
	size_t size;
	struct error err;

	(void)state;
	assert_non_null(big);
	assert_fails(cms_seal(&sealing, big, CMS_SIZE_MAX, &sealed, &size, &err), &err, ERROR_USAGE,
		     "when sealed, the limit is 1048576");
	assert_fails(cms_seal(&sealing, big, CMS_SIZE_MAX + 1, &sealed, &size, &err), &err,
		     ERROR_USAGE, "the limit is 1048576");
	assert_fails(open_with("owner", "vault", &message, &err), &err, ERROR_DEFECT,
		     "1 to 1048576 are possible");
	free(big);
}

static X509 *certificate(const char *name)
{
	FILE *file = fopen(path_of(name, ".pem"), "r");
	X509 *read;

	assert_non_null(file);
	read = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(read);
	return read;
}

static EVP_PKEY *key(const char *name)
{
	FILE *file = fopen(path_of(name, ".key"), "r");
	EVP_PKEY *read;

	assert_non_null(file);
	read = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(read);
	return read;
}

/* DER of what the library makes of the bytes for "owner", with these flags, signers, hash and type;
 * @second may be NULL. */
static struct message sign_raw(const void *bytes, size_t size, const char *second,
			       const EVP_MD *hash, int type, unsigned flags)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	BIO *in = BIO_new_mem_buf(bytes, (int)size);
	X509 *owner = certificate("owner"), *other = second ? certificate(second) : NULL;
	EVP_PKEY *owner_key = key("owner"), *other_key = second ? key(second) : NULL;
	struct message message = {NULL, 0};
	unsigned char *der = NULL;

	flags |= CMS_BINARY | CMS_NOSMIMECAP;
	assert_int_equal(CMS_set1_eContentType(cms, OBJ_nid2obj(type)), 1);
	assert_non_null(CMS_add1_signer(cms, owner, owner_key, hash, flags));
	if (second)
		assert_non_null(CMS_add1_signer(cms, other, other_key, hash, flags));
	assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	message.size = (size_t)i2d_CMS_ContentInfo(cms, &der);
	message.bytes = malloc(message.size);
	assert_non_null(message.bytes);
	memcpy(message.bytes, der, message.size);
	OPENSSL_free(der);
	X509_free(owner);
	X509_free(other);
	EVP_PKEY_free(owner_key);
	EVP_PKEY_free(other_key);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
	return message;
}

/* An envelope for "vault" and @second (or NULL), encrypted with @cipher. */
static struct message envelop_raw(const EVP_CIPHER *cipher, const char *second)
{
	X509 *vault = certificate("vault"), *other = second ? certificate(second) : NULL;
	bool authenticated = EVP_CIPHER_get_flags(cipher) & EVP_CIPH_FLAG_AEAD_CIPHER;
	CMS_ContentInfo *cms = authenticated ? CMS_AuthEnvelopedData_create(cipher)
					     : CMS_EnvelopedData_create(cipher);
	BIO *in = BIO_new_mem_buf(content, (int)sizeof(content));
	struct message message = {NULL, 0};
	unsigned char *der = NULL;

	assert_int_equal(CMS_set_detached(cms, 0), 1);
	assert_non_null(CMS_add1_recipient_cert(cms, vault, 0));
	if (other)
		assert_non_null(CMS_add1_recipient_cert(cms, other, 0));
	assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	message.size = (size_t)i2d_CMS_ContentInfo(cms, &der);
	message.bytes = malloc(message.size);
	assert_non_null(message.bytes);
	memcpy(message.bytes, der, message.size);
	OPENSSL_free(der);
	X509_free(vault);
	X509_free(other);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
	return message;
}

static void assert_refused(struct message *message, int code, const char *words)
{
	struct error err;

	assert_fails(open_with("owner", "vault", message, &err), &err, code, words);
	free(message->bytes);
}

static void any_other_shape_is_refused_although_the_owner_signed_it(void **state)
{
	const int envelope = NID_id_smime_ct_authEnvelopedData;
	struct message gcm = envelop_raw(EVP_aes_256_gcm(), NULL);
	struct message cbc = envelop_raw(EVP_aes_256_cbc(), NULL);
	struct message weak = envelop_raw(EVP_aes_128_gcm(), NULL);
	struct message two = envelop_raw(EVP_aes_256_gcm(), "curve");
	struct message message = sign_raw(gcm.bytes, gcm.size, NULL, EVP_sha256(), envelope, 0);
	struct error err;

	(void)state;
	assert_ok(open_with("owner", "vault", &message, &err),
		  &err); /* certificates inside: fine */
	free(message.bytes);
	message = sign_raw(gcm.bytes, gcm.size, NULL, EVP_sha256(), NID_pkcs7_data, 0);
	assert_refused(&message, ERROR_DEFECT, "what is signed in it is no envelope");
	message = sign_raw(gcm.bytes, gcm.size, NULL, EVP_sha1(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "another hash than SHA-256");
	message = sign_raw(gcm.bytes, gcm.size, NULL, EVP_sha256(), envelope, CMS_NOATTR);
	assert_refused(&message, ERROR_DEFECT, "no signed attributes");
	message = sign_raw(gcm.bytes, gcm.size, "other", EVP_sha256(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "it has 2 signers, and must have one");
	message = sign_raw(cbc.bytes, cbc.size, NULL, EVP_sha256(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "the envelope is not authenticated");
	message = sign_raw(weak.bytes, weak.size, NULL, EVP_sha256(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "not with AES-256-GCM");
	message = sign_raw(two.bytes, two.size, NULL, EVP_sha256(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "not for one recipient");
	message = sign_raw(content, sizeof(content), NULL, EVP_sha256(), envelope, 0);
	assert_refused(&message, ERROR_DEFECT, "the envelope: it is not CMS");
	assert_refused(&gcm, ERROR_DEFECT, "it is CMS, but not signed");
	free(cbc.bytes);
	free(weak.bytes);
	free(two.bytes);
}

static void keys_and_certificates_are_checked(void **state)
{
	struct cms_sealing sealing = {path_of("other", ".key"), path_of("owner", ".pem"),
				      path_of("vault", ".pem")};
	struct message message = {NULL, 0};
	struct cms_opener *opener = NULL;
	char *key_path = path_of("owner", ".key");
	struct error err;

	(void)state;
	assert_fails(cms_seal(&sealing, content, 1, &message.bytes, &message.size, &err), &err,
		     ERROR_USAGE, "is not the one of the certificate");
	sealing.owner_key = path_of("owner", ".key");
	sealing.recipient = path_of("small", ".pem");
	assert_fails(cms_seal(&sealing, content, 1, &message.bytes, &message.size, &err), &err,
		     ERROR_USAGE, "an RSA key of 2048 bits: 3072 to");
	sealing.recipient = path_of("vault", ".key");
	assert_fails(cms_seal(&sealing, content, 1, &message.bytes, &message.size, &err), &err,
		     ERROR_USAGE, "holds no certificate in PEM");
	sealing.recipient = path_of("none", ".pem");
	assert_fails(cms_seal(&sealing, content, 1, &message.bytes, &message.size, &err), &err,
		     ERROR_USAGE, "No such file");
	assert_fails(
		cms_opener_new(path_of("owner", ".pem"), path_of("owner", ".pem"), &opener, &err),
		&err, ERROR_USAGE, "can be read by everybody");
	assert_int_equal(chmod(key_path, 0644), 0);
	assert_fails(cms_opener_new(path_of("owner", ".pem"), key_path, &opener, &err), &err,
		     ERROR_USAGE, "can be read by everybody");
	assert_int_equal(chmod(key_path, 0600), 0);
	assert_null(opener);
}

static void without_the_key_the_signature_can_be_checked(void **state)
{
	struct message message = seal("owner", "vault");
	struct cms_opener *opener;
	struct error err;

	(void)state;
	assert_ok(cms_opener_new(path_of("owner", ".pem"), NULL, &opener, &err), &err);
	assert_ok(cms_check(opener, message.bytes, message.size, &err), &err);
	message.bytes[message.size - 1] ^= 1;
	assert_fails(cms_check(opener, message.bytes, message.size, &err), &err, ERROR_REFUSED,
		     "it was changed after it was signed");
	cms_opener_free(opener);
	free(message.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_for_a_key_opens_with_it),
		cmocka_unit_test(an_owner_may_sign_with_rsa),
		cmocka_unit_test(another_recipient_cannot_open_it),
		cmocka_unit_test(another_signer_is_refused_and_named),
		cmocka_unit_test(
			a_renewed_or_expired_certificate_of_the_same_key_is_the_same_owner),
		cmocka_unit_test(a_bit_changed_anywhere_is_refused),
		cmocka_unit_test(what_is_cut_or_longer_is_refused),
		cmocka_unit_test(a_message_is_bounded),
		cmocka_unit_test(any_other_shape_is_refused_although_the_owner_signed_it),
		cmocka_unit_test(keys_and_certificates_are_checked),
		cmocka_unit_test(without_the_key_the_signature_can_be_checked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
