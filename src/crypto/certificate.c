#include "crypto/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/units.h"
#include "crypto/openssl_error.h"

int certificate_end(const void *x509, uint64_t *ret_usec, struct error *err)
{
	struct tm end = {0};
	time_t seconds;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &end) != 1)
		return openssl_error(err, ERROR_DEFECT, "the end of a certificate is unreadable");
	seconds = timegm(&end);
	*ret_usec = seconds > 0 ? (uint64_t)seconds * USEC_PER_SEC : 0;
	return 0;
}

static X509 *read_pem(const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	X509 *certificate;

	if (!file) {
		error_set_errno(err, ERROR_USAGE, errno, "'%s'", path);
		return NULL;
	}
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!certificate)
		openssl_error(err, ERROR_USAGE, "'%s' holds no certificate in PEM", path);
	return certificate;
}

static int name_of(const X509_NAME *name, char text[static CERTIFICATE_NAME_SIZE], const char *path,
		   struct error *err)
{
	char *line = X509_NAME_oneline(name, NULL, 0);
	int length = line ? snprintf(text, CERTIFICATE_NAME_SIZE, "%s", line) : -1;

	OPENSSL_free(line);
	if (length < 0 || length >= CERTIFICATE_NAME_SIZE)
		return error_set(err, ERROR_USAGE, "the names in the certificate '%s' are too long",
				 path);
	return 0;
}

int certificate_read(const char *path, struct certificate *ret_certificate, struct error *err)
{
	struct certificate certificate = {.end_usec = 0};
	X509 *x509 = read_pem(path, err);
	int r;

	if (!x509)
		return err->code;
	r = name_of(X509_get_subject_name(x509), certificate.subject, path, err);
	if (r == 0)
		r = name_of(X509_get_issuer_name(x509), certificate.issuer, path, err);
	if (r == 0)
		r = certificate_end(x509, &certificate.end_usec, err);
	X509_free(x509);
	if (r < 0)
		return r;
	*ret_certificate = certificate;
	return 0;
}
