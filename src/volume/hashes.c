#include "volume/hashes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "io/file.h"

#define READ_SIZE (UINT64_C(1) << 20)

struct segment_hasher {
	struct hasher *file;
	struct hasher *chunk;
	uint64_t size;
	uint32_t count; /* whole chunks */
	struct hash chunks[SEGMENT_CHUNK_COUNT_MAX];
};

struct segment_hasher *segment_hasher_new(void)
{
	struct segment_hasher *hasher = calloc(1, sizeof(*hasher));

	ASSERT(hasher);
	hasher->file = hasher_new();
	hasher->chunk = hasher_new();
	segment_hasher_start(hasher);
	return hasher;
}

void segment_hasher_free(struct segment_hasher *hasher)
{
	if (!hasher)
		return;
	hasher_free(hasher->file);
	hasher_free(hasher->chunk);
	free(hasher);
}

void segment_hasher_start(struct segment_hasher *hasher)
{
	hasher_start(hasher->file);
	hasher_start(hasher->chunk);
	hasher->size = 0;
	hasher->count = 0;
}

void segment_hasher_update(struct segment_hasher *hasher, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	hasher_update(hasher->file, bytes, size);
	while (size > 0) {
		uint64_t room = SEGMENT_CHUNK_SIZE - hasher->size % SEGMENT_CHUNK_SIZE;
		size_t part = (size_t)MIN(room, size);

		hasher_update(hasher->chunk, at, part);
		hasher->size += part;
		if (part == room) {
			ASSERT(hasher->count < SEGMENT_CHUNK_COUNT_MAX);
			hasher_finish(hasher->chunk, &hasher->chunks[hasher->count++]);
			hasher_start(hasher->chunk);
		}
		at += part;
		size -= part;
	}
	ASSERT(hasher->size <= SEGMENT_SIZE_MAX);
}

void segment_hasher_finish(struct segment_hasher *hasher, struct segment_hashes *ret_hashes)
{
	if (hasher->size % SEGMENT_CHUNK_SIZE)
		hasher_finish(hasher->chunk, &hasher->chunks[hasher->count++]);
	hasher_finish(hasher->file, &ret_hashes->file);
	ret_hashes->size = hasher->size;
	ret_hashes->count = hasher->count;
	for (uint32_t i = 0; i < SEGMENT_CHUNK_COUNT_MAX; i++)
		ret_hashes->chunks[i] = i < hasher->count ? hasher->chunks[i] : (struct hash){0};
}

int segment_hash(int fd, struct segment_hashes *ret_hashes, struct error *err)
{
	CLEANUP(segment_hasher_freep)
	struct segment_hasher *hasher = segment_hasher_new();
	CLEANUP(freep)
	uint8_t *buffer = file_buffer_new(READ_SIZE);
	uint64_t offset = 0;
	ssize_t size;

	do {
		size = file_read(fd, buffer, READ_SIZE, offset, err);
		if (size < 0)
			return (int)size;
		offset += (uint64_t)size;
		if (offset > SEGMENT_SIZE_MAX)
			return error_set(err, ERROR_DEFECT,
					 "the file is larger than %" PRIu64 " bytes: no segment is",
					 SEGMENT_SIZE_MAX);
		segment_hasher_update(hasher, buffer, (size_t)size);
	} while ((uint64_t)size == READ_SIZE);
	segment_hasher_finish(hasher, ret_hashes);
	return 0;
}
