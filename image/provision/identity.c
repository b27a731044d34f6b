#include "provision/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/cleanup.h"

#define CERTIFICATE_SECONDS (100L * 365 * 24 * 3600) /* nobody looks at its end: BUNDLE.md */

DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *);
DEFINE_CLEANUP(X509_free, X509 *);

static X509 *certify(EVP_PKEY *key)
{
	CLEANUP(X509_freep)
	X509 *certificate = X509_new();
	X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;

	if (!name || !X509_set_version(certificate, X509_VERSION_3) ||
	    !ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(certificate), 0) ||
	    !X509_gmtime_adj(X509_getm_notAfter(certificate), CERTIFICATE_SECONDS) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"binvault",
					-1, -1, 0) ||
	    !X509_set_issuer_name(certificate, name) || !X509_set_pubkey(certificate, key) ||
	    !X509_sign(certificate, key, EVP_sha256()))
		return NULL;
	return TAKE(certificate);
}

/* The name appears when the file is whole. */
static int write_file(const char *path, mode_t mode, EVP_PKEY *key, X509 *certificate,
		      struct error *err)
{
	char temporary[256];
	FILE *file;
	int fd, written;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", temporary);
	written = key ? PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)
		      : PEM_write_X509(file, certificate);
	if (fflush(file) != 0 || fsync(fd) < 0)
		written = 0;
	if (fclose(file) != 0 || !written || rename(temporary, path) < 0)
		return error_set_errno(err, ERROR_IO, errno, "writing %s", path);
	return 0;
}

int identity_make(const char *key_path, const char *certificate_path, struct error *err)
{
	CLEANUP(EVP_PKEY_freep)
	EVP_PKEY *key = NULL;
	CLEANUP(X509_freep)
	X509 *certificate = NULL;

	if (access(certificate_path, F_OK) == 0)
		return 0;
	key = EVP_EC_gen("P-256");
	certificate = key ? certify(key) : NULL;
	if (!certificate)
		return error_set(err, ERROR_FAILED, "the vault's key could not be made");
	if (write_file(key_path, 0400, key, NULL, err) < 0 ||
	    write_file(certificate_path, 0444, NULL, certificate, err) < 0)
		return err->code;
	sync();
	return 0;
}
