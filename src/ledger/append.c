#include "ledger/append.h"

#include <string.h>

#include "base/checked.h"
#include "io/file.h"

#define LEDGER_FILE_MODE 0640 /* group: the auditors */

struct append {
	int fd;
	uint32_t block_size;
	char *buffer;
};

/* Takes over @fd. */
static int append_new(int dir_fd, const char *name, int fd, append_protect *protect, void *context,
		      struct append **ret_append, struct error *err)
{
	CLEANUP(append_freep)
	struct append *append = calloc(1, sizeof(*append));
	int r;

	ASSERT(append);
	append->fd = fd;
	append->buffer = file_buffer_new(APPEND_TEXT_MAX + BLOCK_SIZE_MAX);
	r = file_block_size(fd, &append->block_size, err);
	if (r == 0)
		r = protect(context, fd, name, err);
	if (r == 0)
		r = file_sync(fd, err);
	if (r == 0)
		r = file_sync(dir_fd, err);
	if (r < 0)
		return error_prefix(err, "ledger/%s", name);
	*ret_append = TAKE(append);
	return 0;
}

int append_open(int dir_fd, const char *name, char filler, append_protect *protect, void *context,
		struct append **ret_append, struct error *err)
{
	CLEANUP(append_freep)
	struct append *append = NULL;
	int fd = file_open_append(dir_fd, name, err);
	int r;

	if (fd < 0)
		return error_prefix(err, "ledger");
	r = append_new(dir_fd, name, fd, protect, context, &append, err);
	if (r == 0)
		r = file_append_filler(dir_fd, name, filler, append->block_size, err);
	if (r < 0)
		return r;
	*ret_append = TAKE(append);
	return 0;
}

int append_create(int dir_fd, const char *name, append_protect *protect, void *context,
		  struct append **ret_append, struct error *err)
{
	int fd = file_create(dir_fd, name, LEDGER_FILE_MODE, err);

	if (fd < 0)
		return error_prefix(err, "ledger");
	return append_new(dir_fd, name, fd, protect, context, ret_append, err);
}

void append_free(struct append *append)
{
	if (!append)
		return;
	if (append->fd >= 0)
		close(append->fd);
	free(append->buffer);
	free(append);
}

int append_write(struct append *append, const char *text, size_t length, bool separate,
		 struct error *err)
{
	size_t used = (separate ? 1 : 0) + length;
	size_t size = (size_t)round_up(used, append->block_size);

	ASSERT(length > 0 && text[length - 1] == '\n' && used <= APPEND_TEXT_MAX);
	memset(append->buffer, '\n', size);
	memcpy(append->buffer + used - length, text, length);
	return file_append_durable(append->fd, append->buffer, size, err);
}
