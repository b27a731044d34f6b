#include "pull/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int credential_path(const char *credential, char path[static PATH_MAX], struct error *err)
{
	const char *directory;
	int length;

	if (strncmp(credential, "file:", 5) == 0) {
		length = snprintf(path, PATH_MAX, "%s", credential + 5);
	} else {
		directory = getenv("CREDENTIALS_DIRECTORY");
		if (!directory)
			return error_set(err, ERROR_USAGE,
					 "credential '%s' needs systemd: $CREDENTIALS_DIRECTORY is "
					 "not set; use LoadCredential= or file:PATH",
					 credential);
		length = snprintf(path, PATH_MAX, "%s/%s", directory, credential + 8);
	}
	if (length < 0 || length >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "the path of the credential is too long");
	return 0;
}

int credential_read(const char *credential, struct secret *ret_password, struct error *err)
{
	struct secret password = {0};
	CLEANUP(close_fdp)
	int fd = -1;
	char path[PATH_MAX];
	struct stat status;
	ssize_t size;
	int r;

	r = secret_init(&password, PASSWORD_SIZE_MAX + 1, err);
	if (r < 0)
		return r;
	if (strcmp(credential, "none") == 0)
		goto done;
	r = credential_path(credential, path, err);
	if (r < 0)
		goto fail;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0) {
		r = error_set_errno(err, ERROR_USAGE, errno, "opening the credential '%s'", path);
		goto fail;
	}
	if (status.st_mode & S_IROTH) {
		r = error_set(err, ERROR_USAGE,
			      "the credential '%s' can be read by everybody; do: chmod 0640", path);
		goto fail;
	}
	size = read(fd, password.bytes, PASSWORD_SIZE_MAX + 1);
	if (size < 0) {
		r = error_set_errno(err, ERROR_USAGE, errno, "reading the credential '%s'", path);
		goto fail;
	}
	if (size > PASSWORD_SIZE_MAX) {
		r = error_set(err, ERROR_USAGE,
			      "the credential '%s' is longer than %d bytes: its first line must be "
			      "the password",
			      path, PASSWORD_SIZE_MAX);
		goto fail;
	}
	password.bytes[size] = '\0';
	password.bytes[strcspn((const char *)password.bytes, "\r\n")] = '\0';
	if (password.bytes[0] == '\0') {
		r = error_set(err, ERROR_USAGE,
			      "the credential '%s' is empty; for an account without a password "
			      "write `credential = none`",
			      path);
		goto fail;
	}
done:
	*ret_password = password;
	return 0;
fail:
	secret_release(&password);
	return r;
}
