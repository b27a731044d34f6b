#include "provision/letterbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DER_SEQUENCE	0x30
#define LENGTH_IS_LONG	0x80
#define LENGTH_SIZE_MAX 3 /* bytes of a length: below 16 MiB */

int letter_size(const uint8_t head[LETTER_HEAD_SIZE], size_t *ret_size, struct error *err)
{
	static const uint8_t nothing[LETTER_HEAD_SIZE];
	unsigned length_size = head[1] & ~(unsigned)LENGTH_IS_LONG;
	size_t size = 0;

	*ret_size = 0;
	if (memcmp(head, nothing, LETTER_HEAD_SIZE) == 0)
		return 0;
	/* Every bundle is longer than what the short form of a length can say. */
	if (head[0] != DER_SEQUENCE || !(head[1] & LENGTH_IS_LONG) || length_size < 1 ||
	    length_size > LENGTH_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "it does not begin with a bundle");
	for (unsigned i = 0; i < length_size; i++)
		size = size << 8 | head[2 + i];
	size += 2 + length_size;
	if (size > LETTER_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "it would be a bundle of %zu bytes, over %u",
				 size, LETTER_SIZE_MAX);
	*ret_size = size;
	return 0;
}

static int copy(int from, size_t size, const char *file, struct error *err)
{
	CLEANUP(freep)
	uint8_t *bytes = malloc(size);
	CLEANUP(close_fdp)
	int to = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT(bytes);
	if (pread(from, bytes, size, 0) != (ssize_t)size)
		return error_set_errno(err, ERROR_IO, errno, "reading %zu bytes", size);
	if (to < 0 || write(to, bytes, size) != (ssize_t)size)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", file);
	return 0;
}

int letter_begin(const char *partition, char *ret_text, size_t size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(partition, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : pread(fd, ret_text, size - 1, 0);

	if (length < 0)
		return error_set_errno(err, ERROR_IO, errno, "%s", partition);
	ret_text[length] = '\0';
	return 0;
}

int letter_take(const char *partition, const char *file, struct error *err)
{
	uint8_t head[LETTER_HEAD_SIZE];
	CLEANUP(close_fdp)
	int fd = open(partition, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || pread(fd, head, sizeof(head), 0) != sizeof(head))
		return error_set_errno(err, ERROR_IO, errno, "%s", partition);
	r = letter_size(head, &size, err);
	if (r == 0 && size > 0)
		r = copy(fd, size, file, err);
	return r < 0 ? error_prefix(err, "%s", partition) : size > 0;
}

int letter_put(const char *partition, const char *text, struct error *err)
{
	static uint8_t wanted[LETTER_TEXT_MAX], there[LETTER_TEXT_MAX];
	CLEANUP(close_fdp)
	int fd = open(partition, O_RDWR | O_CLOEXEC);

	if (strlen(text) > sizeof(wanted))
		return error_set(err, ERROR_FAILED, "%s: the text is too long", partition);
	memset(wanted, 0, sizeof(wanted));
	memcpy(wanted, text, strlen(text));
	if (fd < 0 || pread(fd, there, sizeof(there), 0) != sizeof(there))
		return error_set_errno(err, ERROR_IO, errno, "%s", partition);
	if (memcmp(wanted, there, sizeof(wanted)) == 0)
		return 0;
	if (pwrite(fd, wanted, sizeof(wanted), 0) != sizeof(wanted) || fsync(fd) < 0)
		return error_set_errno(err, ERROR_IO, errno, "%s", partition);
	return 0;
}
