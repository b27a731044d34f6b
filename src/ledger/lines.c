#include "ledger/lines.h"

#include <string.h>

#include "base/checked.h"
#include "io/file.h"
#include "ledger/leaf.h"

/* What is carried over stands in front of where the next chunk is read to: both stay aligned. */
#define CARRY_SIZE ((size_t)LEAF_SIZE_MAX)
#define CHUNK_SIZE ((size_t)4 * LEAF_SIZE_MAX)

struct lines {
	int fd;
	char *buffer; /* CARRY_SIZE + CHUNK_SIZE */
	size_t begin; /* unread bytes are [begin, end) */
	size_t end;
	uint64_t read_offset; /* of the chunk to read next, and of buffer[end] */
	uint64_t byte_count;
	bool at_end; /* the file has no more */
	bool growing;
	bool continued; /* the last line was only a piece */
};

struct lines *lines_new(void)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	ASSERT(lines);
	lines->buffer = file_buffer_new(CARRY_SIZE + CHUNK_SIZE);
	lines->fd = -1;
	lines->at_end = true;
	return lines;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	free(lines->buffer);
	free(lines);
}

void lines_start(struct lines *lines, int fd, bool growing)
{
	lines->fd = fd;
	lines->begin = 0;
	lines->end = 0;
	lines->read_offset = 0;
	lines->at_end = false;
	lines->growing = growing;
	lines->continued = false;
}

static int refill(struct lines *lines, struct error *err)
{
	size_t carried = lines->end - lines->begin;
	ssize_t n;

	ASSERT(carried <= CARRY_SIZE);
	memmove(lines->buffer + CARRY_SIZE - carried, lines->buffer + lines->begin, carried);
	lines->begin = CARRY_SIZE - carried;
	lines->end = CARRY_SIZE;
	n = file_read(lines->fd, lines->buffer + CARRY_SIZE, CHUNK_SIZE, lines->read_offset, err);
	if (n < 0)
		return (int)n;
	lines->end += (size_t)n;
	lines->read_offset += (uint64_t)n;
	lines->byte_count += (uint64_t)n;
	lines->at_end = (size_t)n < CHUNK_SIZE;
	return 0;
}

static void skip_filler(struct lines *lines)
{
	while (lines->begin < lines->end && lines->buffer[lines->begin] == '\n') {
		lines->begin++;
		lines->continued = false;
	}
}

int lines_next(struct lines *lines, struct line *ret_line, struct error *err)
{
	int r;

	if (lines->growing)
		lines->at_end = false;
	for (;;) {
		const char *start;
		const char *stop;
		size_t length;

		skip_filler(lines);
		start = lines->buffer + lines->begin;
		length = MIN(lines->end - lines->begin, CARRY_SIZE);
		stop = length > 0 ? memchr(start, '\n', length) : NULL;
		if (!stop && length < CARRY_SIZE && !lines->at_end) {
			r = refill(lines, err);
			if (r < 0)
				return r;
			continue;
		}
		if (length == 0)
			return 0;
		if (stop)
			length = (size_t)(stop - start);
		*ret_line = (struct line){
			.bytes = start,
			.length = length,
			.offset = lines->read_offset - (lines->end - lines->begin),
			.whole = length < CARRY_SIZE && !lines->continued,
		};
		lines->begin += length;
		lines->continued = length == CARRY_SIZE;
		return 1;
	}
}

uint64_t lines_bytes(const struct lines *lines)
{
	return lines->byte_count;
}
