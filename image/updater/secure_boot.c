#include "updater/secure_boot.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "crypto/hash.h"
#include "updater/portable_executable.h"

/* What an image is signed as: "Windows Authenticode Portable Executable Signature Format". */
#define INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

struct secure_boot {
	STACK_OF(X509) * certificates;
};

DEFINE_CLEANUP(PKCS7_free, PKCS7 *);
DEFINE_CLEANUP(BIO_free_all, BIO *);

int secure_boot_read(const char *path, struct secure_boot **ret_keys, struct error *err)
{
	CLEANUP(secure_boot_freep)
	struct secure_boot *keys = calloc(1, sizeof(*keys));
	CLEANUP(BIO_free_allp)
	BIO *file = BIO_new_file(path, "r");
	X509 *certificate;

	ASSERT(keys);
	keys->certificates = sk_X509_new_null();
	ASSERT(keys->certificates);
	while (file && (certificate = PEM_read_bio_X509(file, NULL, NULL, NULL)))
		ASSERT(sk_X509_push(keys->certificates, certificate) > 0);
	ERR_clear_error();
	if (sk_X509_num(keys->certificates) == 0)
		return error_set(err, ERROR_USAGE, "%s holds no certificate", path);
	*ret_keys = TAKE(keys);
	return 0;
}

void secure_boot_free(struct secure_boot *keys)
{
	if (!keys)
		return;
	sk_X509_pop_free(keys->certificates, X509_free);
	free(keys);
}

/* The DER of what was signed, SpcIndirectDataContent, without tag and length; NULL if it is no such
 * message. */
static BIO *signed_content(PKCS7 *message)
{
	const ASN1_STRING *content;
	const unsigned char *begin, *inside;
	char type[64];
	int tag, class;
	long length;

	if (!PKCS7_type_is_signed(message) || !message->d.sign->contents ||
	    OBJ_obj2txt(type, sizeof(type), message->d.sign->contents->type, 1) <= 0 ||
	    strcmp(type, INDIRECT_DATA) != 0 || !message->d.sign->contents->d.other ||
	    message->d.sign->contents->d.other->type != V_ASN1_SEQUENCE)
		return NULL;
	content = message->d.sign->contents->d.other->value.sequence;
	begin = inside = ASN1_STRING_get0_data(content);
	if (ASN1_get_object(&inside, &length, &tag, &class, ASN1_STRING_length(content)) !=
		    V_ASN1_CONSTRUCTED ||
	    inside - begin + length != ASN1_STRING_length(content))
		return NULL;
	return BIO_new_mem_buf(inside, (int)length);
}

/* The content ends with a DigestInfo of SHA-256. */
static int check_digest(BIO *content, const struct hash *expected, struct error *err)
{
	static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	char *bytes = NULL;
	long size = BIO_get_mem_data(content, &bytes);

	if (size < (long)(sizeof(info) + HASH_SIZE) ||
	    memcmp(bytes + size - HASH_SIZE - sizeof(info), info, sizeof(info)) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the Secure Boot signature is not over a SHA-256 digest");
	if (memcmp(bytes + size - HASH_SIZE, expected->bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_REFUSED,
				 "the Secure Boot signature is that of another kernel image");
	return 0;
}

int secure_boot_verify(const struct secure_boot *keys, const uint8_t *image, size_t size,
		       const uint8_t *signature, size_t signature_size, struct error *err)
{
	const unsigned char *at = signature;
	CLEANUP(PKCS7_freep)
	PKCS7 *message = d2i_PKCS7(NULL, &at, (long)signature_size);
	CLEANUP(BIO_free_allp)
	BIO *content = message ? signed_content(message) : NULL;
	struct hash digest;
	int verified;

	ERR_clear_error();
	if (!content || at != signature + signature_size)
		return error_set(err, ERROR_DEFECT, "the Secure Boot signature is none");
	if (portable_executable_digest(image, size, &digest, err) < 0 ||
	    check_digest(content, &digest, err) < 0)
		return err->code;
	/* Who signed is a question of the key alone, as it is for the firmware, which has no clock
	 * to trust: no chain, and only our certificates. */
	verified = PKCS7_verify(message, keys->certificates, NULL, content, NULL,
				PKCS7_NOVERIFY | PKCS7_NOINTERN | PKCS7_BINARY);
	ERR_clear_error();
	if (verified != 1)
		return error_set(
			err, ERROR_REFUSED,
			"the kernel image is not signed for Secure Boot by a key that this "
			"vault knows");
	return 0;
}
