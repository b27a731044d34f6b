#include "volume/opener.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/endian.h"
#include "volume/padding.h"

struct frame_opener {
	struct aead *aead;
	ZSTD_DCtx *decompressor;
	uint32_t block_size;
	uint8_t *stored; /* decrypted, still compressed */
	uint8_t *plain;
};

int frame_opener_new(const struct secret *segment_key, uint32_t block_size,
		     struct frame_opener **ret_opener, struct error *err)
{
	CLEANUP(frame_opener_freep)
	struct frame_opener *opener = calloc(1, sizeof(*opener));
	int result;

	ASSERT(opener);
	result = aead_new(segment_key, &opener->aead, err);
	if (result < 0)
		return result;
	opener->block_size = block_size;
	opener->decompressor = ZSTD_createDCtx();
	opener->stored = malloc(FRAME_PLAIN_SIZE_MAX);
	opener->plain = malloc(FRAME_PLAIN_SIZE_MAX);
	ASSERT(opener->decompressor && opener->stored && opener->plain);
	*ret_opener = TAKE(opener);
	return 0;
}

void frame_opener_free(struct frame_opener *opener)
{
	if (!opener)
		return;
	if (opener->stored)
		secret_wipe(opener->stored, FRAME_PLAIN_SIZE_MAX);
	if (opener->plain)
		secret_wipe(opener->plain, FRAME_PLAIN_SIZE_MAX);
	aead_free(opener->aead);
	ZSTD_freeDCtx(opener->decompressor);
	free(opener->stored);
	free(opener->plain);
	free(opener);
}

/* The bytes behind the tag: zeros, and for END its size. */
static int padding_check(const uint8_t *bytes, const struct frame_header *header, uint32_t total,
			 struct error *err)
{
	uint32_t begin = FRAME_OVERHEAD + header->stored_size;
	uint32_t end = total;

	if (header->kind == FRAME_END) {
		end -= SEGMENT_TRAILER_SIZE;
		if (get_le64(bytes + end) != total)
			return error_set(err, ERROR_DEFECT,
					 "the last 8 bytes of END are not its size");
	}
	if (!padding_is_zero(bytes + begin, end - begin))
		return error_set(err, ERROR_DEFECT, "padding is not zero");
	return 0;
}

/* Decrypt and decompress into opener->plain. */
static int plain_open(struct frame_opener *opener, const uint8_t *bytes,
		      const struct frame_header *header, struct error *err)
{
	const uint8_t *stored = bytes + FRAME_HEADER_SIZE;
	bool compressed = header->flags & FRAME_COMPRESSED;
	size_t size;
	int result;

	result = aead_open(opener->aead, header->nonce, bytes, FRAME_HEADER_SIZE, stored,
			   header->stored_size, compressed ? opener->stored : opener->plain,
			   stored + header->stored_size, err);
	if (result < 0 || !compressed)
		return result;
	size = ZSTD_decompressDCtx(opener->decompressor, opener->plain, header->plain_size,
				   opener->stored, header->stored_size);
	if (ZSTD_isError(size))
		return error_set(err, ERROR_DEFECT, "content does not decompress: %s",
				 ZSTD_getErrorName(size));
	if (size != header->plain_size)
		return error_set(err, ERROR_DEFECT,
				 "content decompresses to %zu bytes instead of %" PRIu32, size,
				 header->plain_size);
	return 0;
}

/* Summary, ranges, event bytes. The ranges' own order is checked by whoever unites them. */
static int data_decode(const uint8_t *plain, size_t size, struct frame *frame, struct error *err)
{
	int result = segment_summary_decode(plain, &frame->summary, err);

	if (result < 0)
		return result;
	frame->range_count = get_le32(plain + SEGMENT_SUMMARY_SIZE);
	frame->ranges_size = get_le32(plain + SEGMENT_SUMMARY_SIZE + 4);
	if (frame->ranges_size > FRAME_RANGES_SIZE_MAX ||
	    DATA_PREFIX_SIZE + frame->ranges_size >= size)
		return error_set(err, ERROR_DEFECT,
				 "%" PRIu32 " bytes of GTID ranges do not fit a frame of %zu",
				 frame->ranges_size, size);
	frame->ranges = plain + DATA_PREFIX_SIZE;
	frame->data = frame->ranges + frame->ranges_size;
	frame->size = size - DATA_PREFIX_SIZE - frame->ranges_size;
	return 0;
}

static int content_decode(struct frame_opener *opener, struct frame *frame, struct error *err)
{
	switch (frame->header.kind) {
	case FRAME_DATA:
		return data_decode(opener->plain, frame->header.plain_size, frame, err);
	case FRAME_END:
		return segment_end_decode(opener->plain, &frame->end, err);
	case FRAME_SESSION:
		frame->data = opener->plain;
		frame->size = frame->header.plain_size;
		return 0;
	default: /* frame_header_decode() lets no other kind pass */
		ASSERT(false);
		return ERROR_FAILED;
	}
}

static int frame_open_bytes(struct frame_opener *opener, const uint8_t *bytes, size_t size,
			    struct frame *frame, struct error *err)
{
	int result;

	if (size < FRAME_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT, "the file ends inside the frame's header");
	result = frame_header_decode(bytes, &frame->header, err);
	if (result < 0)
		return result;
	frame->total_size = frame_total_size(&frame->header, opener->block_size);
	if (size < frame->total_size)
		return error_set(err, ERROR_DEFECT, "the file ends inside the frame");
	result = plain_open(opener, bytes, &frame->header, err);
	if (result == 0)
		result = padding_check(bytes, &frame->header, frame->total_size, err);
	if (result == 0)
		result = content_decode(opener, frame, err);
	memcpy(frame->tag, bytes + FRAME_HEADER_SIZE + frame->header.stored_size, AEAD_TAG_SIZE);
	return result;
}

int frame_open(struct frame_opener *opener, const uint8_t *bytes, size_t size, uint64_t offset,
	       struct frame *ret_frame, struct error *err)
{
	struct frame frame = {.offset = offset};
	int result = frame_open_bytes(opener, bytes, size, &frame, err);

	if (result < 0)
		return error_prefix(err, "frame at offset %" PRIu64, offset);
	*ret_frame = frame;
	return 0;
}
