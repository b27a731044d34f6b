#include "volume/header.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "io/file.h"
#include "volume/padding.h"

/* The line end and the control byte show a file that went through a text-mode copy. */
static const uint8_t magic[SEGMENT_MAGIC_SIZE] = {'B', 'V', 'S', 'E', 'G', '\r', '\n', 0x1a};

static const char derive_label[] = "binvault segment v1";

static_assert(sizeof(struct segment_header_disk) == SEGMENT_HEADER_SIZE, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, start_position) == 24, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, archive_id) == 40, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, generation) == 96, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, source) == 160, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, identity) == 352, "FORMAT.md");
static_assert(offsetof(struct segment_header_disk, reserved_2) == 416, "FORMAT.md");

/* What is required of the values, whether they are about to be written or were just read. */
static int header_check(const struct segment_header *header, int code, struct error *err)
{
	struct error why = {0};

	if (header->incompatible_flags & ~SEGMENT_INCOMPATIBLE_KNOWN)
		return error_set(err, ERROR_REFUSED,
				 "segment header: incompatible flags 0x%" PRIx32
				 " are unknown to this version; read the segment with a newer one",
				 header->incompatible_flags & ~SEGMENT_INCOMPATIBLE_KNOWN);
	if (header->block_size < BLOCK_SIZE_MIN || header->block_size > BLOCK_SIZE_MAX ||
	    (header->block_size & (header->block_size - 1)))
		return error_set(err, code,
				 "segment header: block size %" PRIu32
				 " is not a power of two from %u to %u",
				 header->block_size, BLOCK_SIZE_MIN, BLOCK_SIZE_MAX);
	if (header->start_position > INT64_MAX)
		return error_set(err, code,
				 "segment header: start position %" PRIu64 " is too large",
				 header->start_position);
	if (name_check_source(header->source, &why) < 0)
		return error_set(err, code, "segment header: source: %s", why.message);
	if (name_check_binlog(header->binlog_file, &why) < 0)
		return error_set(err, code, "segment header: binlog file: %s", why.message);
	return 0;
}

int segment_header_encode(const struct segment_header *header,
			  uint8_t ret_bytes[static SEGMENT_HEADER_SIZE], struct error *err)
{
	struct segment_header_disk disk = {
		.version = le32_put(SEGMENT_VERSION),
		.compatible_flags = le32_put(header->compatible_flags),
		.incompatible_flags = le32_put(header->incompatible_flags),
		.block_size = le32_put(header->block_size),
		.start_position = le64_put(header->start_position),
		.created_usec = le64_put(header->created_usec),
	};
	int result = header_check(header, ERROR_USAGE, err);

	if (result < 0)
		return result;
	memcpy(disk.magic, magic, sizeof(magic));
	memcpy(disk.archive_id, header->archive_id, SEGMENT_ID_SIZE);
	memcpy(disk.segment_id, header->segment_id, SEGMENT_ID_SIZE);
	memcpy(disk.period_id, header->period_id, SEGMENT_ID_SIZE);
	memcpy(disk.generation, header->generation.bytes, HASH_SIZE);
	memcpy(disk.file_id, header->file_id.bytes, HASH_SIZE);
	memcpy(disk.identity, header->identity, SEGMENT_IDENTITY_SIZE);
	ASSERT(padded_text_encode(header->source, disk.source, sizeof(disk.source)));
	ASSERT(padded_text_encode(header->binlog_file, disk.binlog_file, sizeof(disk.binlog_file)));
	memcpy(ret_bytes, &disk, sizeof(disk));
	return 0;
}

int segment_header_decode(const uint8_t bytes[static SEGMENT_HEADER_SIZE],
			  struct segment_header *ret_header, struct error *err)
{
	struct segment_header_disk disk;
	struct segment_header header = {0};
	int result;

	memcpy(&disk, bytes, sizeof(disk));
	if (memcmp(disk.magic, magic, sizeof(magic)) != 0)
		return error_set(err, ERROR_DEFECT,
				 "segment header: the magic bytes are missing: this is no segment");
	/* A later version may have moved everything that follows, so it is looked at first. */
	if (le32_get(disk.version) != SEGMENT_VERSION)
		return error_set(err, ERROR_REFUSED,
				 "segment header: format version %" PRIu32
				 " is unknown to this version; read the segment with a newer one",
				 le32_get(disk.version));
	header.compatible_flags = le32_get(disk.compatible_flags);
	header.incompatible_flags = le32_get(disk.incompatible_flags);
	header.block_size = le32_get(disk.block_size);
	header.start_position = le64_get(disk.start_position);
	header.created_usec = le64_get(disk.created_usec);
	if (!padded_text_decode(disk.source, sizeof(disk.source), header.source))
		return error_set(err, ERROR_DEFECT,
				 "segment header: bytes follow the end of the source's name");
	if (!padded_text_decode(disk.binlog_file, sizeof(disk.binlog_file), header.binlog_file))
		return error_set(err, ERROR_DEFECT,
				 "segment header: bytes follow the end of the binlog file's name");
	result = header_check(&header, ERROR_DEFECT, err);
	if (result < 0)
		return result;
	if (!padding_is_zero(disk.reserved_1, sizeof(disk.reserved_1)) ||
	    !padding_is_zero(disk.reserved_2, sizeof(disk.reserved_2)))
		return error_set(err, ERROR_DEFECT, "segment header: reserved bytes are not zero");
	memcpy(header.archive_id, disk.archive_id, SEGMENT_ID_SIZE);
	memcpy(header.segment_id, disk.segment_id, SEGMENT_ID_SIZE);
	memcpy(header.period_id, disk.period_id, SEGMENT_ID_SIZE);
	memcpy(header.generation.bytes, disk.generation, HASH_SIZE);
	memcpy(header.file_id.bytes, disk.file_id, HASH_SIZE);
	memcpy(header.identity, disk.identity, SEGMENT_IDENTITY_SIZE);
	*ret_header = header;
	return 0;
}

void segment_header_hash(const uint8_t bytes[static SEGMENT_HEADER_SIZE], struct hash *ret_hash)
{
	hash_bytes(bytes, SEGMENT_HEADER_SIZE, ret_hash);
}

int segment_key_derive(const struct secret *period_key,
		       const uint8_t bytes[static SEGMENT_HEADER_SIZE], struct secret *ret_key,
		       struct error *err)
{
	uint8_t info[sizeof(derive_label) - 1 + SEGMENT_ID_SIZE + HASH_SIZE];
	uint8_t *end = info;
	struct secret key = {0};
	struct hash hash;
	int result = secret_init(&key, SEGMENT_KEY_SIZE, err);

	if (result < 0)
		return result;
	segment_header_hash(bytes, &hash);
	end = mempcpy(end, derive_label, sizeof(derive_label) - 1);
	end = mempcpy(end, bytes + offsetof(struct segment_header_disk, segment_id),
		      SEGMENT_ID_SIZE);
	end = mempcpy(end, hash.bytes, HASH_SIZE);
	ASSERT(end == info + sizeof(info));
	hash_derive(period_key->bytes, period_key->size, info, sizeof(info), key.bytes, key.size);
	*ret_key = key;
	return 0;
}
