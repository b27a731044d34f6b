#include "volume/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "io/file.h"
#include "volume/padding.h"
#include "volume/reader_parts.h"

static int header_read(struct segment_reader *reader, struct error *err)
{
	const uint8_t *bytes;
	size_t size;
	int result = window_at(reader->window, 0, BLOCK_SIZE_MAX, &bytes, &size, err);

	if (result < 0)
		return result;
	if (size < SEGMENT_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "segment header: the file ends after %zu bytes, inside the header",
				 size);
	result = segment_header_decode(bytes, &reader->header, err);
	if (result < 0)
		return result;
	if (size < reader->header.block_size)
		return error_set(
			err, ERROR_DEFECT,
			"segment header: the file ends after %zu bytes, inside the header's"
			" block of %" PRIu32,
			size, reader->header.block_size);
	if (!padding_is_zero(bytes + SEGMENT_HEADER_SIZE,
			     reader->header.block_size - SEGMENT_HEADER_SIZE))
		return error_set(err, ERROR_DEFECT, "segment header: padding is not zero");
	memcpy(reader->header_bytes, bytes, SEGMENT_HEADER_SIZE);
	return 0;
}

int segment_reader_new(int fd, struct segment_reader **ret_reader, struct error *err)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = calloc(1, sizeof(*reader));
	int result;

	ASSERT(reader);
	reader->fd = fd;
	result = window_new(fd, &reader->window, err);
	if (result == 0)
		result = header_read(reader, err);
	if (result < 0)
		return result;
	segment_state_init(&reader->state, reader->header.block_size,
			   reader->header.start_position);
	reader->frame_ranges = gtid_ranges_new(FRAME_RANGES_SIZE_MAX);
	reader->ranges = gtid_ranges_new(SEALED_RANGES_SIZE_MAX);
	reader->ranges_hasher = hasher_new();
	hasher_start(reader->ranges_hasher);
	reader->block = file_buffer_new(BLOCK_SIZE_MAX);
	*ret_reader = TAKE(reader);
	return 0;
}

void segment_reader_free(struct segment_reader *reader)
{
	if (!reader)
		return;
	window_free(reader->window);
	frame_opener_free(reader->opener);
	gtid_ranges_free(reader->frame_ranges);
	gtid_ranges_free(reader->ranges);
	hasher_free(reader->ranges_hasher);
	free(reader->block);
	free(reader);
}

const struct segment_header *segment_reader_header(const struct segment_reader *reader)
{
	return &reader->header;
}

const uint8_t *segment_reader_header_bytes(const struct segment_reader *reader)
{
	return reader->header_bytes;
}

int segment_reader_key(struct segment_reader *reader, const struct secret *segment_key,
		       struct error *err)
{
	ASSERT(!reader->opener);
	return frame_opener_new(segment_key, reader->header.block_size, &reader->opener, err);
}

int segment_end_locate(int fd, uint64_t file_size, uint32_t block_size, uint8_t *block,
		       uint64_t *ret_offset, struct frame_header *ret_header, struct error *err)
{
	uint64_t offset, size;
	int result;

	if (file_size < 2 * (uint64_t)block_size || file_size % block_size) {
		error_set(err, ERROR_DEFECT,
			  "no END: the file's size of %" PRIu64
			  " bytes is not two or more blocks of %" PRIu32,
			  file_size, block_size);
		return 0;
	}
	/* END fits one block of any allowed size; the trailer is there for readers of formats in
	 * which it does not. */
	offset = file_size - block_size;
	result = file_read_exact(fd, block, block_size, offset, err);
	if (result < 0)
		return result;
	size = get_le64(block + block_size - SEGMENT_TRAILER_SIZE);
	if (size != block_size || frame_header_decode(block, ret_header, err) < 0 ||
	    ret_header->kind != FRAME_END ||
	    frame_total_size(ret_header, block_size) != block_size) {
		error_set(err, ERROR_DEFECT,
			  "no END at offset %" PRIu64 ", where a sealed segment has it", offset);
		return 0;
	}
	*ret_offset = offset;
	return 1;
}

int segment_reader_find_end(struct segment_reader *reader, struct frame *ret_frame,
			    struct error *err)
{
	uint32_t block_size = reader->header.block_size;
	const struct segment_void *range;
	struct frame_header header;
	uint64_t offset;
	int result = segment_end_locate(reader->fd, window_file_size(reader->window), block_size,
					reader->block, &offset, &header, err);

	if (result <= 0)
		return result;
	result = frame_open(reader->opener, reader->block, block_size, offset, ret_frame, err);
	if (result < 0)
		return 0;
	range = &ret_frame->end.void_range;
	if (range->end != offset || range->begin < block_size || range->begin % block_size)
		return error_set(err, ERROR_DEFECT,
				 "frame at offset %" PRIu64 ": END's void range from %" PRIu64
				 " to %" PRIu64 " is not where it stands",
				 offset, range->begin, range->end);
	return 1;
}

int segment_reader_unlock(struct segment_reader *reader, const struct secret *segment_key,
			  struct segment_end *ret_end, struct error *err)
{
	struct frame frame;
	int result = segment_reader_key(reader, segment_key, err);

	if (result == 0)
		result = segment_reader_find_end(reader, &frame, err);
	if (result <= 0)
		return result < 0 ? result : err->code;
	reader->end = frame.end;
	if (ret_end)
		*ret_end = frame.end;
	return 0;
}

/* Unite the frame's ranges with all before, and check that they are well encoded. */
static int ranges_add(struct segment_reader *reader, const struct frame *frame, struct error *err)
{
	int result;

	gtid_ranges_clear(reader->frame_ranges);
	result = gtid_ranges_decode(reader->frame_ranges, frame->ranges, frame->ranges_size,
				    frame->range_count, err);
	if (result < 0)
		return error_prefix(err, "frame at offset %" PRIu64, frame->offset);
	for (size_t i = 0; i < gtid_ranges_count(reader->frame_ranges); i++)
		gtid_ranges_add(reader->ranges, gtid_ranges_at(reader->frame_ranges, i));
	hasher_update(reader->ranges_hasher, frame->ranges, frame->ranges_size);
	return 0;
}

int segment_reader_frame(struct segment_reader *reader, struct frame *ret_frame, struct error *err)
{
	struct segment_state state = reader->state;
	struct frame frame;
	const uint8_t *bytes;
	size_t size;
	int result = window_at(reader->window, state.offset, WINDOW_WANT_MAX, &bytes, &size, err);

	if (result == 0)
		result = frame_open(reader->opener, bytes, size, state.offset, &frame, err);
	if (result < 0)
		return result;
	if (frame.header.kind == FRAME_END)
		return error_set(err, ERROR_DEFECT,
				 "frame at offset %" PRIu64 ": END stands before the file's end",
				 state.offset);
	result = segment_state_accept(&state, &frame, err);
	if (result == 0 && frame.header.kind == FRAME_DATA)
		result = ranges_add(reader, &frame, err);
	if (result < 0)
		return result;
	reader->state = state;
	*ret_frame = frame;
	return 0;
}

/* The void bytes mean nothing, but they are these bytes and no others. */
static int void_check(struct segment_reader *reader, struct error *err)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	const struct segment_void *range = &reader->end.void_range;
	struct hash hash;

	hasher_start(hasher);
	for (uint64_t offset = range->begin; offset < range->end;) {
		const uint8_t *bytes;
		size_t size;
		int result = window_at(reader->window, offset, BLOCK_SIZE_MAX, &bytes, &size, err);

		if (result < 0)
			return result;
		size = (size_t)MIN((uint64_t)size, range->end - offset);
		size -= size % BLOCK_SIZE_MIN;
		hasher_update(hasher, bytes, size);
		offset += size;
	}
	hasher_finish(hasher, &hash);
	if (memcmp(hash.bytes, range->hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the void bytes from offset %" PRIu64 " to %" PRIu64
				 " are not those that END names",
				 range->begin, range->end);
	return 0;
}

/* END again, this time in its place in the sequence. */
static int end_next(struct segment_reader *reader, struct frame *ret_frame, struct error *err)
{
	uint64_t offset = reader->end.void_range.end;
	const uint8_t *bytes;
	size_t size;
	int result = void_check(reader, err);

	if (result == 0)
		result = window_at(reader->window, offset, reader->header.block_size, &bytes, &size,
				   err);
	if (result == 0)
		result = frame_open(reader->opener, bytes, size, offset, ret_frame, err);
	if (result == 0)
		result = segment_state_accept(&reader->state, ret_frame, err);
	if (result < 0)
		return result;
	if (ret_frame->header.kind != FRAME_END ||
	    offset + ret_frame->total_size != window_file_size(reader->window))
		return error_set(err, ERROR_IO, "the file changed while it was read");
	window_hashes(reader->window, &reader->hashes);
	hasher_finish(reader->ranges_hasher, &reader->ranges_hash);
	reader->done = true;
	return 1;
}

int segment_reader_next(struct segment_reader *reader, struct frame *ret_frame, struct error *err)
{
	uint64_t limit = reader->end.void_range.begin;
	int result;

	ASSERT(reader->opener && limit > 0);
	if (reader->done)
		return 0;
	if (reader->state.offset == limit)
		return end_next(reader, ret_frame, err);
	result = segment_reader_frame(reader, ret_frame, err);
	if (result < 0)
		return result;
	if (reader->state.offset > limit)
		return error_set(err, ERROR_DEFECT,
				 "frame at offset %" PRIu64 ": it passes offset %" PRIu64
				 ", where END says that frames end",
				 ret_frame->offset, limit);
	return 1;
}

size_t segment_frame_good_size(const struct frame *frame, uint64_t good_end)
{
	if (frame->header.kind != FRAME_DATA || frame->header.position >= good_end)
		return 0;
	return (size_t)MIN((uint64_t)frame->size, good_end - frame->header.position);
}

const struct segment_hashes *segment_reader_hashes(const struct segment_reader *reader)
{
	ASSERT(reader->done);
	return &reader->hashes;
}

const struct gtid_ranges *segment_reader_ranges(const struct segment_reader *reader)
{
	return reader->ranges;
}

const struct hash *segment_reader_ranges_hash(const struct segment_reader *reader)
{
	ASSERT(reader->done);
	return &reader->ranges_hash;
}
