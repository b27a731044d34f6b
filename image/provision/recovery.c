#include "provision/recovery.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h> /* before cms.h, which declares its PEM functions only then */
#include <openssl/x509.h>

#include <openssl/cms.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "provision/shares.h"

#define LETTER	   "binvault-recovery-1 "
#define SHARE_TEXT (64 + HEX_SIZE(SHARE_SECRET_SIZE))

DEFINE_CLEANUP(CMS_ContentInfo_free, CMS_ContentInfo *);
DEFINE_CLEANUP(BIO_free_all, BIO *);

static void free_stackp(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

static int read_custodians(const char *path, STACK_OF(X509) * certificates, struct error *err)
{
	FILE *file = fopen(path, "re");
	X509 *certificate;

	if (!file)
		return error_set_errno(err, ERROR_USAGE, errno, "%s", path);
	while ((certificate = PEM_read_X509(file, NULL, NULL, NULL)))
		sk_X509_push(certificates, certificate);
	fclose(file);
	return 0;
}

/* One share for one custodian, written behind what @to holds. */
static bool seal_share(const char *text, X509 *custodian, BIO *to)
{
	CLEANUP(free_stackp)
	STACK_OF(X509) *recipients = sk_X509_new_null();
	CLEANUP(BIO_free_allp)
	BIO *from = BIO_new_mem_buf(text, -1);
	CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *message = NULL;

	if (!recipients || !from || !X509_up_ref(custodian) || !sk_X509_push(recipients, custodian))
		return false;
	message = CMS_encrypt(recipients, from, EVP_aes_256_cbc(), CMS_BINARY);
	return message && PEM_write_bio_CMS(to, message);
}

static bool seal_all(const STACK_OF(X509) * custodians, unsigned threshold, const char *key,
		     BIO *to)
{
	struct share shares[SHARES_MAX];
	char digits[HEX_SIZE(SHARE_SECRET_SIZE)], text[SHARE_TEXT];
	unsigned count = (unsigned)sk_X509_num(custodians);
	bool sealed = true;

	shares_split((const uint8_t *)key, strlen(key), threshold, count, shares);
	for (unsigned i = 0; i < count && sealed; i++) {
		hex_encode(shares[i].bytes, strlen(key), digits);
		snprintf(text, sizeof(text), "binvault-share-1 %u %u %s\n", threshold,
			 shares[i].number, digits);
		sealed = seal_share(text, sk_X509_value(custodians, (int)i), to);
	}
	explicit_bzero(shares, sizeof(shares));
	explicit_bzero(digits, sizeof(digits));
	explicit_bzero(text, sizeof(text));
	return sealed;
}

int recovery_seal(const char *custodians_path, unsigned threshold, const char *key, char *ret_text,
		  size_t size, struct error *err)
{
	CLEANUP(free_stackp)
	STACK_OF(X509) *custodians = sk_X509_new_null();
	CLEANUP(BIO_free_allp)
	BIO *to = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	ASSERT(custodians && to);
	if (read_custodians(custodians_path, custodians, err) < 0)
		return err->code;
	if (threshold < 1 || sk_X509_num(custodians) < (int)threshold ||
	    sk_X509_num(custodians) > SHARES_MAX || strlen(key) > SHARE_SECRET_SIZE)
		return error_set(err, ERROR_USAGE,
				 "%s holds %d certificates, and %u of them shall "
				 "be enough: that cannot be",
				 custodians_path, sk_X509_num(custodians), threshold);
	if (!seal_all(custodians, threshold, key, to))
		return error_set(err, ERROR_USAGE,
				 "a share cannot be encrypted for a certificate of %s",
				 custodians_path);
	length = BIO_get_mem_data(to, &bytes);
	if (length <= 0 || (size_t)length >= size)
		return error_set(err, ERROR_USAGE, "the shares of %s are too long",
				 custodians_path);
	memcpy(ret_text, bytes, (size_t)length);
	ret_text[length] = '\0';
	return 0;
}

const char *recovery_letter(char *letter)
{
	size_t length = strlen(LETTER);

	if (strncmp(letter, LETTER, length) != 0)
		return NULL;
	letter[length + strcspn(letter + length, "\n")] = '\0';
	return letter + length;
}
