#include "volume/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "io/file.h"

/* What is kept of the last call and a full read behind it. */
#define READ_SIZE     ((size_t)1 << 20)
#define CAPACITY_SIZE (WINDOW_WANT_MAX + READ_SIZE)

struct window {
	int fd;
	uint64_t file_size;
	uint64_t start; /* file offset of buffer[0], a multiple of BLOCK_SIZE_MIN */
	size_t size;	/* bytes in the buffer */
	uint8_t *buffer;
	struct segment_hasher *hasher;
};

int window_new(int fd, struct window **ret_window, struct error *err)
{
	CLEANUP(window_freep)
	struct window *window = calloc(1, sizeof(*window));
	int result;

	ASSERT(window);
	window->fd = fd;
	result = file_size(fd, &window->file_size, err);
	if (result < 0)
		return result;
	if (window->file_size > SEGMENT_SIZE_MAX)
		return error_set(err, ERROR_DEFECT,
				 "the file of %" PRIu64 " bytes is larger than any segment",
				 window->file_size);
	window->buffer = file_buffer_new(CAPACITY_SIZE);
	window->hasher = segment_hasher_new();
	*ret_window = TAKE(window);
	return 0;
}

void window_free(struct window *window)
{
	if (!window)
		return;
	free(window->buffer);
	segment_hasher_free(window->hasher);
	free(window);
}

uint64_t window_file_size(const struct window *window)
{
	return window->file_size;
}

/* Read one more stretch behind what is there. Reads are cut to the size that the file had, but
 * only after the read: direct I/O needs the whole block. */
static int window_extend(struct window *window, struct error *err)
{
	uint64_t offset = window->start + window->size;
	uint64_t left = window->file_size - offset;
	ssize_t size;

	ASSERT(window->size + READ_SIZE <= CAPACITY_SIZE);
	size = file_read(window->fd, window->buffer + window->size, READ_SIZE, offset, err);
	if (size < 0)
		return (int)size;
	if ((uint64_t)size < MIN(left, READ_SIZE))
		return error_set(err, ERROR_IO,
				 "the file became shorter than its %" PRIu64
				 " bytes while it was read",
				 window->file_size);
	size = (ssize_t)MIN(left, (uint64_t)size);
	segment_hasher_update(window->hasher, window->buffer + window->size, (size_t)size);
	window->size += (size_t)size;
	return 0;
}

int window_at(struct window *window, uint64_t offset, size_t want, const uint8_t **ret_bytes,
	      size_t *ret_size, struct error *err)
{
	uint64_t drop = offset - window->start;

	ASSERT(offset >= window->start && drop <= window->size && want <= WINDOW_WANT_MAX);
	ASSERT(offset % BLOCK_SIZE_MIN == 0);
	if (window->size - drop < want && window->start + window->size < window->file_size) {
		window->size -= (size_t)drop;
		memmove(window->buffer, window->buffer + drop, window->size);
		window->start = offset;
		drop = 0;
	}
	while (window->size - drop < want && window->start + window->size < window->file_size) {
		int result = window_extend(window, err);

		if (result < 0)
			return result;
	}
	*ret_bytes = window->buffer + drop;
	*ret_size = window->size - (size_t)drop;
	return 0;
}

void window_hashes(struct window *window, struct segment_hashes *ret_hashes)
{
	ASSERT(window->start + window->size == window->file_size);
	segment_hasher_finish(window->hasher, ret_hashes);
}
