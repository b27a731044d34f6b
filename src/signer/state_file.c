#include "signer/state_file.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "io/file.h"

#define FILE_SIZE_MAX 16384
#define DIGEST_SIZE   HEX_SIZE(HASH_SIZE) /* with LF where a text has its NUL */

static void digest_text(const char *line, size_t length, char text[static HEX_SIZE(HASH_SIZE)])
{
	struct hash hash;

	hash_bytes(line, length, &hash);
	hex_encode(hash.bytes, sizeof(hash.bytes), text);
}

static int check_text(const char *text, size_t size, size_t *ret_length, struct error *err)
{
	char digest[HEX_SIZE(HASH_SIZE)];
	const char *end = memchr(text, '\n', size);
	size_t length;

	if (!end || (size_t)(end - text) + 1 + DIGEST_SIZE != size || text[size - 1] != '\n')
		return error_set(err, ERROR_DEFECT, "it does not consist of two lines");
	length = (size_t)(end - text);
	digest_text(text, length, digest);
	if (memcmp(end + 1, digest, DIGEST_SIZE - 1) != 0)
		return error_set(err, ERROR_DEFECT, "its SHA-256 does not match");
	*ret_length = length;
	return 0;
}

int state_file_read(int directory_fd, const char *name, json_t **ret_object, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(directory_fd, name, err);
	char text[FILE_SIZE_MAX];
	size_t length = 0;
	ssize_t size;
	int r;

	if (fd < 0)
		return fd;
	size = file_read(fd, text, sizeof(text), 0, err);
	if (size < 0)
		return error_prefix(err, "'%s'", name);
	r = check_text(text, (size_t)size, &length, err);
	if (r == 0)
		r = json_parse_canonical(text, length, ret_object, err);
	return r < 0 ? error_prefix(err, "'%s' is damaged", name) : 0;
}

int state_file_write(int directory_fd, const char *name, const json_t *object, struct error *err)
{
	char text[FILE_SIZE_MAX];
	char *p;
	int length = json_text_canonical(object, text, sizeof(text) - 1 - DIGEST_SIZE, err);

	if (length < 0)
		return error_prefix(err, "'%s'", name);
	p = text + length;
	*p++ = '\n';
	digest_text(text, (size_t)length, p);
	p += DIGEST_SIZE;
	p[-1] = '\n';
	return file_replace(directory_fd, name, text, (size_t)(p - text), 0600, err);
}

int state_file_remove(int directory_fd, const char *name, struct error *err)
{
	if (unlinkat(directory_fd, name, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_set_errno(err, ERROR_IO, errno, "removing '%s'", name);
	}
	return file_sync(directory_fd, err);
}
