/*
 * Recovery: what of an interrupted segment stands.
 *
 * One append is in flight at a time, so after a crash the file is a run of whole frames and then
 * one torn append (or several, if recovery itself was interrupted: torn ENDs). A whole frame
 * further on in the void was therefore durable once and something before it was damaged since:
 * that is told apart, because to end such a copy would turn acknowledged bytes into void ones.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "io/file.h"
#include "volume/reader_parts.h"

/* Bytes that only look like frames are tried up to this often: each costs a decryption. */
#define STRAY_TRIES_MAX 1024

/* Every frame up to END and END itself, with the reader's full strictness. */
static int scan_sealed(struct segment_reader *reader, const struct frame *end,
		       struct segment_scan *scan, struct error *err)
{
	struct frame frame;
	int result;

	reader->end = end->end;
	while ((result = segment_reader_next(reader, &frame, err)) > 0)
		if (frame.header.kind != FRAME_END)
			memcpy(scan->last_tag, frame.tag, AEAD_TAG_SIZE);
	if (result < 0)
		return result;
	scan->sealed = true;
	scan->end = end->end;
	scan->void_range = end->end.void_range;
	scan->ranges_hash = reader->ranges_hash;
	return 0;
}

/* Does an authentic frame that came later begin at @bytes? */
static bool stray_check(struct segment_reader *reader, const uint8_t *bytes, size_t size,
			uint64_t offset)
{
	struct frame_header header;
	struct error err = {0};
	struct frame frame;

	if (size < FRAME_HEADER_SIZE || frame_header_decode(bytes, &header, &err) < 0 ||
	    header.kind == FRAME_END)
		return false;
	return frame_open(reader->opener, bytes, size, offset, &frame, &err) == 0;
}

/* Read the void to the file's end: its hash, and whether a frame strays in it. */
static int scan_void(struct segment_reader *reader, struct segment_scan *scan, struct error *err)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	static const uint8_t zeros[BLOCK_SIZE_MAX];
	uint32_t block_size = reader->header.block_size, tries = 0;
	struct segment_void *range = &scan->void_range;

	range->begin = reader->state.offset;
	range->end = round_up(scan->file_size, block_size);
	scan->filler_size = (uint32_t)(range->end - scan->file_size);
	hasher_start(hasher);
	for (uint64_t offset = range->begin; offset < scan->file_size; offset += block_size) {
		const uint8_t *bytes;
		size_t size;
		int result = window_at(reader->window, offset, WINDOW_WANT_MAX, &bytes, &size, err);

		if (result < 0)
			return result;
		if (!scan->stray_offset && tries < STRAY_TRIES_MAX &&
		    get_le32(bytes) == FRAME_MAGIC && offset > range->begin) {
			tries++;
			if (stray_check(reader, bytes, size, offset))
				scan->stray_offset = offset;
		}
		hasher_update(hasher, bytes, MIN(size, block_size));
	}
	hasher_update(hasher, zeros, scan->filler_size);
	hasher_finish(hasher, &range->hash);
	return 0;
}

static int scan_open(struct segment_reader *reader, struct segment_scan *scan, struct error *err)
{
	struct frame frame;
	int result = 0;

	while (reader->state.offset < scan->file_size) {
		result = segment_reader_frame(reader, &frame, &scan->tear);
		if (result < 0)
			break;
		memcpy(scan->last_tag, frame.tag, AEAD_TAG_SIZE);
	}
	if (result < 0 && scan->tear.code != ERROR_DEFECT) {
		*err = scan->tear;
		return result;
	}
	hasher_finish(reader->ranges_hasher, &scan->ranges_hash);
	return scan_void(reader, scan, err);
}

int segment_scan(int fd, const struct secret *segment_key, struct segment_scan *ret_scan,
		 struct error *err)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_scan scan = {0};
	struct error no_end = {0};
	struct frame end;
	int result = segment_reader_new(fd, &reader, err);

	if (result == 0)
		result = segment_reader_key(reader, segment_key, err);
	if (result < 0)
		return result;
	scan.header = reader->header;
	memcpy(scan.header_bytes, reader->header_bytes, SEGMENT_HEADER_SIZE);
	scan.file_size = window_file_size(reader->window);
	result = segment_reader_find_end(reader, &end, &no_end);
	if (result < 0)
		*err = no_end;
	else if (result > 0)
		result = scan_sealed(reader, &end, &scan, err);
	else
		result = scan_open(reader, &scan, err);
	if (result < 0)
		return result;
	scan.state = reader->state;
	scan.ranges = TAKE(reader->ranges);
	*ret_scan = scan;
	return 0;
}

void segment_scan_release(struct segment_scan *scan)
{
	gtid_ranges_free(scan->ranges);
	scan->ranges = NULL;
}

int segment_outline(int fd, struct segment_outline *ret_outline, struct error *err)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_outline outline = {0};
	struct error no_end = {0};
	int result = segment_reader_new(fd, &reader, err);

	if (result < 0)
		return result;
	outline.header = reader->header;
	memcpy(outline.header_bytes, reader->header_bytes, SEGMENT_HEADER_SIZE);
	outline.file_size = window_file_size(reader->window);
	result = segment_end_locate(fd, outline.file_size, outline.header.block_size, reader->block,
				    &outline.end_offset, &outline.end, &no_end);
	if (result < 0) {
		*err = no_end;
		return result;
	}
	outline.ended = result > 0;
	*ret_outline = outline;
	return 0;
}
