#include "check/key_certificate.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "base/units.h"

DEFINE_CLEANUP(X509_free, X509 *);
DEFINE_CLEANUP(BIO_free_all, BIO *);

static int format_name(const X509_NAME *name, char *text, size_t size)
{
	CLEANUP(BIO_free_allp)
	BIO *bio = BIO_new(BIO_s_mem());
	int length;

	ASSERT(bio);
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return -1;
	length = BIO_read(bio, text, (int)size - 1);
	text[length > 0 ? length : 0] = '\0';
	return 0;
}

static int end_of(const X509 *x509, uint64_t *ret_usec)
{
	struct tm end = {0};
	time_t seconds;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &end) != 1)
		return -1;
	seconds = timegm(&end);
	*ret_usec = seconds < 0 ? 0 : (uint64_t)seconds * USEC_PER_SEC;
	return 0;
}

int key_certificate_read(const uint8_t *der, size_t size, struct key_certificate *ret_certificate,
			 struct error *err)
{
	const unsigned char *at = der;
	CLEANUP(X509_freep)
	X509 *x509 = d2i_X509(NULL, &at, (long)size);
	struct key_certificate certificate = {0};
	char issuer[KEY_NAME_SIZE];
	const EVP_PKEY *key;
	unsigned length = 0;

	ERR_clear_error();
	if (!x509)
		return error_set(err, ERROR_DEFECT, "%zu bytes that are no certificate", size);
	if ((size_t)(at - der) != size)
		return error_set(err, ERROR_DEFECT, "%zu bytes behind a certificate",
				 size - (size_t)(at - der));
	key = X509_get0_pubkey(x509);
	if (!key || format_name(X509_get_subject_name(x509), certificate.subject, KEY_NAME_SIZE) ||
	    format_name(X509_get_issuer_name(x509), issuer, KEY_NAME_SIZE) ||
	    end_of(x509, &certificate.end_usec) ||
	    X509_digest(x509, EVP_sha256(), certificate.fingerprint, &length) != 1) {
		ERR_clear_error();
		return error_set(err, ERROR_DEFECT,
				 "a certificate without a readable key, name or end");
	}
	certificate.bits = EVP_PKEY_get_bits(key);
	certificate.microsoft =
		strstr(certificate.subject, "O=Microsoft") || strstr(issuer, "O=Microsoft");
	certificate.test = strstr(certificate.subject, KEY_TEST_MARK) != NULL;
	*ret_certificate = certificate;
	return 0;
}
