/*
 * The header of a segment: the first 1024 bytes of its file, zero-padded to one block.
 *
 * It says what the segment holds and where it begins, and it never changes: the segment's key is
 * derived from its hash, so a header that was edited yields a key that opens nothing. FORMAT.md,
 * "Header", is normative.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/error.h"
#include "base/name.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define SEGMENT_HEADER_SIZE   1024
#define SEGMENT_ID_SIZE	      16
#define SEGMENT_IDENTITY_SIZE 64
#define SEGMENT_KEY_SIZE      32
#define SEGMENT_MAGIC_SIZE    8
#define SEGMENT_VERSION	      0

/* No flag exists yet. Readers refuse an incompatible flag that they do not know. */
#define SEGMENT_INCOMPATIBLE_KNOWN 0u

/* Files are at most this large, so that tables over a file are bounded. */
#define SEGMENT_SIZE_MAX (UINT64_C(2) << 30)

/* The header as it lies on disk. */
struct segment_header_disk {
	uint8_t magic[SEGMENT_MAGIC_SIZE];
	le32 version;
	le32 compatible_flags;
	le32 incompatible_flags;
	le32 block_size;
	le64 start_position;
	le64 created_usec;
	uint8_t archive_id[SEGMENT_ID_SIZE];
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint8_t period_id[SEGMENT_ID_SIZE];
	uint8_t reserved_1[8];
	uint8_t generation[HASH_SIZE];
	uint8_t file_id[HASH_SIZE];
	uint8_t source[SOURCE_NAME_MAX];      /* NUL-padded, no NUL when full */
	uint8_t binlog_file[BINLOG_NAME_MAX]; /* NUL-padded, no NUL when full */
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	uint8_t reserved_2[608];
};

/* What it means. Version and magic are not kept: there is one of each. */
struct segment_header {
	uint32_t compatible_flags;   /* unknown ones are carried, not understood */
	uint32_t incompatible_flags; /* a subset of SEGMENT_INCOMPATIBLE_KNOWN */
	uint32_t block_size;	     /* power of two, BLOCK_SIZE_MIN to BLOCK_SIZE_MAX */
	uint64_t start_position;     /* binlog position of the first event byte */
	uint64_t created_usec;	     /* system time of the vault */
	uint8_t archive_id[SEGMENT_ID_SIZE];
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint8_t period_id[SEGMENT_ID_SIZE];
	struct hash generation; /* file id of the first file of the chain */
	struct hash file_id;
	char source[SOURCE_NAME_MAX + 1];
	char binlog_file[BINLOG_NAME_MAX + 1];
	uint8_t identity[SEGMENT_IDENTITY_SIZE]; /* the server's, opaque here */
};

/* ERROR_USAGE if a field is not what FORMAT.md allows. */
int segment_header_encode(const struct segment_header *header,
			  uint8_t ret_bytes[static SEGMENT_HEADER_SIZE],
			  struct error *err) MUST_CHECK;

/*
 * Everything is checked: ERROR_DEFECT for bytes that no version writes, ERROR_REFUSED for a
 * version or an incompatible flag that this program does not know.
 */
int segment_header_decode(const uint8_t bytes[static SEGMENT_HEADER_SIZE],
			  struct segment_header *ret_header, struct error *err) MUST_CHECK;

/* SHA-256 of the 1024 bytes. */
void segment_header_hash(const uint8_t bytes[static SEGMENT_HEADER_SIZE], struct hash *ret_hash);

/*
 * The segment's key: HKDF-SHA256(period key, "binvault segment v1" ‖ segment id ‖ SHA-256(header)).
 * @bytes must decode. The caller releases @ret_key.
 */
int segment_key_derive(const struct secret *period_key,
		       const uint8_t bytes[static SEGMENT_HEADER_SIZE], struct secret *ret_key,
		       struct error *err) MUST_CHECK;
