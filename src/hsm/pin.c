#include "hsm/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "hsm/openssl_queue.h"

/* The longest PIN with a CR LF behind it, and one byte more to see that there is more. */
#define READ_SIZE (PIN_SIZE_MAX + 3)

static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static int credential_path(const char *name, char path[static PATH_MAX], struct error *err)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, ERROR_USAGE,
				 "pin-source 'credential:%s' does not name a credential", name);
	if (!directory || *directory != '/')
		return error_set(err, ERROR_USAGE,
				 "pin-source is 'credential:%s', but the service manager gave no "
				 "credentials; add LoadCredential=%s:PATH to the unit, or use "
				 "pin-source = file:PATH",
				 name, name);
	if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "the path of credential '%s' is too long", name);
	return 0;
}

static int source_path(const char *source, char path[static PATH_MAX], struct error *err)
{
	const char *rest;

	rest = after(source, "credential:");
	if (rest)
		return credential_path(rest, path, err);
	rest = after(source, "file:");
	if (!rest)
		/* The text is not repeated: somebody may have put the PIN itself there. */
		return error_set(err, ERROR_USAGE,
				 "pin-source must be 'credential:NAME' or 'file:PATH'");
	if (*rest != '/')
		return error_set(err, ERROR_USAGE, "pin-source 'file:%s' must be an absolute path",
				 rest);
	if (snprintf(path, PATH_MAX, "%s", rest) >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "the path in pin-source is too long");
	return 0;
}

static int check_file(int fd, const char *path, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "PIN file '%s'", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERROR_USAGE, "PIN file '%s' is not a regular file", path);
	if (status.st_mode & S_IRWXO)
		return error_set(err, ERROR_USAGE,
				 "PIN file '%s' is open to every user (mode %04o); chmod 0400 it",
				 path, status.st_mode & 07777);
	if (status.st_mode & (S_IWGRP | S_IXGRP))
		return error_set(
			err, ERROR_USAGE,
			"PIN file '%s' can be changed by its group (mode %04o); chmod 0400 "
			"or 0440 it",
			path, status.st_mode & 07777);
	return 0;
}

static int read_whole(int fd, const char *path, struct secret *pin, struct error *err)
{
	size_t used = 0;

	while (used < pin->size) {
		ssize_t count = read(fd, pin->bytes + used, pin->size - used);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(err, ERROR_IO, errno, "reading PIN file '%s'", path);
		if (count == 0)
			break;
		used += (size_t)count;
	}
	pin->size = used;
	return 0;
}

static int check_bytes(const struct secret *pin, const char *path, struct error *err)
{
	if (pin->size == 0)
		return error_set(err, ERROR_USAGE, "PIN file '%s' is empty", path);
	if (memchr(pin->bytes, '\n', pin->size) || memchr(pin->bytes, '\r', pin->size))
		return error_set(err, ERROR_USAGE,
				 "PIN file '%s' contains a newline, which the token would take as "
				 "part of the PIN and count as a wrong one; write the file with "
				 "`printf %%s`, not with `echo`",
				 path);
	if (memchr(pin->bytes, '\0', pin->size))
		return error_set(err, ERROR_USAGE, "PIN file '%s' contains a NUL byte", path);
	if (pin->size > PIN_SIZE_MAX)
		return error_set(err, ERROR_USAGE,
				 "PIN file '%s' is longer than %d bytes, the longest PIN that "
				 "OpenSSL's pkcs11 engine takes",
				 path, PIN_SIZE_MAX);
	return 0;
}

int pin_read(const char *source, struct secret *ret_pin, struct error *err)
{
	CLEANUP(secret_release)
	struct secret pin = {0};
	CLEANUP(close_fdp)
	int fd = -1;
	char path[PATH_MAX];
	int result;

	result = source_path(source, path, err);
	if (result < 0)
		return result;
	/* Not blocking: a FIFO in this place must be a sentence, not a service that hangs. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_USAGE, errno,
				       "PIN file '%s'", path);
	result = check_file(fd, path, err);
	if (result < 0)
		return result;
	result = secret_init(&pin, READ_SIZE, err);
	if (result < 0)
		return result;
	result = read_whole(fd, path, &pin, err);
	if (result < 0)
		return result;
	result = check_bytes(&pin, path, err);
	if (result < 0)
		return result;
	*ret_pin = pin;
	pin = (struct secret){0};
	return 0;
}

int pin_hash(const struct secret *pin, const void *salt, size_t salt_size,
	     uint8_t ret_hash[static PIN_HASH_SIZE], struct error *err)
{
	if (EVP_PBE_scrypt((const char *)pin->bytes, pin->size, salt, salt_size, 1 << 15, 8, 1,
			   UINT64_C(64) << 20, ret_hash, PIN_HASH_SIZE) != 1)
		return openssl_queue_error(err, ERROR_FAILED, "scrypt");
	return 0;
}
