#include "volume/frame.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"

static_assert(sizeof(struct frame_header_disk) == FRAME_HEADER_SIZE, "FORMAT.md");
static_assert(offsetof(struct frame_header_disk, position) == 20, "FORMAT.md");
static_assert(offsetof(struct frame_header_disk, nonce) == 36, "FORMAT.md");

void frame_header_encode(const struct frame_header *header,
			 uint8_t ret_bytes[static FRAME_HEADER_SIZE])
{
	struct frame_header_disk disk = {
		.magic = le32_put(FRAME_MAGIC),
		.kind = (uint8_t)header->kind,
		.flags = header->flags,
		.sequence = le32_put(header->sequence),
		.plain_size = le32_put(header->plain_size),
		.stored_size = le32_put(header->stored_size),
		.position = le64_put(header->position),
		.received_usec = le64_put(header->received_usec),
	};

	memcpy(disk.nonce, header->nonce, AEAD_NONCE_SIZE);
	memcpy(ret_bytes, &disk, sizeof(disk));
}

/* The plaintext sizes that a kind may have. */
static int plain_size_check(const struct frame_header *header, struct error *err)
{
	uint32_t min = 0, max = 0;

	switch (header->kind) {
	case FRAME_SESSION:
		min = 1;
		max = SESSION_SIZE_MAX;
		break;
	case FRAME_DATA:
		min = DATA_PREFIX_SIZE + 1;
		max = FRAME_PLAIN_SIZE_MAX;
		break;
	case FRAME_END:
		min = max = SEGMENT_END_SIZE;
		break;
	default:
		return error_set(err, ERROR_DEFECT, "unknown kind %d", (int)header->kind);
	}
	if (header->plain_size < min || header->plain_size > max)
		return error_set(err, ERROR_DEFECT,
				 "plaintext of %" PRIu32 " bytes is not between %" PRIu32
				 " and %" PRIu32,
				 header->plain_size, min, max);
	return 0;
}

int frame_header_decode(const uint8_t bytes[static FRAME_HEADER_SIZE],
			struct frame_header *ret_header, struct error *err)
{
	struct frame_header_disk disk;
	struct frame_header header;
	bool compressed;
	int result;

	memcpy(&disk, bytes, sizeof(disk));
	if (le32_get(disk.magic) != FRAME_MAGIC)
		return error_set(err, ERROR_DEFECT, "no frame begins here");
	header = (struct frame_header){
		.kind = (enum frame_kind)disk.kind,
		.flags = disk.flags,
		.sequence = le32_get(disk.sequence),
		.plain_size = le32_get(disk.plain_size),
		.stored_size = le32_get(disk.stored_size),
		.position = le64_get(disk.position),
		.received_usec = le64_get(disk.received_usec),
	};
	memcpy(header.nonce, disk.nonce, AEAD_NONCE_SIZE);
	result = plain_size_check(&header, err);
	if (result < 0)
		return result;
	if (header.flags & (header.kind == FRAME_DATA ? ~FRAME_FLAGS_KNOWN : 0xff))
		return error_set(err, ERROR_DEFECT, "flags 0x%02x are not allowed for kind %d",
				 header.flags, (int)header.kind);
	if (le16_get(disk.reserved) != 0)
		return error_set(err, ERROR_DEFECT, "reserved bytes are not zero");
	if (header.sequence > FRAME_SEQUENCE_MAX)
		return error_set(err, ERROR_DEFECT, "sequence %" PRIu32 " is above the limit %u",
				 header.sequence, FRAME_SEQUENCE_MAX);
	if (header.position > INT64_MAX)
		return error_set(err, ERROR_DEFECT, "position %" PRIu64 " is too large",
				 header.position);
	compressed = header.flags & FRAME_COMPRESSED;
	if (compressed ? header.stored_size == 0 || header.stored_size >= header.plain_size
		       : header.stored_size != header.plain_size)
		return error_set(err, ERROR_DEFECT,
				 "%" PRIu32 " stored bytes do not fit %" PRIu32 " %s bytes",
				 header.stored_size, header.plain_size,
				 compressed ? "compressed" : "uncompressed");
	*ret_header = header;
	return 0;
}

uint32_t frame_total_size(const struct frame_header *header, uint32_t block_size)
{
	uint64_t size = (uint64_t)FRAME_OVERHEAD + header->stored_size;

	if (header->kind == FRAME_END)
		size += SEGMENT_TRAILER_SIZE;
	return (uint32_t)round_up(size, block_size);
}
