/*
 * Hashes of a whole segment file, as its sealed leaf states them: SHA-256 of the file and of each
 * 4 MiB of it, so that a defect is named by its offset without a key.
 *
 * Owns: a struct segment_hashes is a plain value of 16 KiB. Threads: one.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "volume/header.h"

#define SEGMENT_CHUNK_SIZE	(UINT64_C(4) << 20)
#define SEGMENT_CHUNK_COUNT_MAX (SEGMENT_SIZE_MAX / SEGMENT_CHUNK_SIZE)

struct segment_hashes {
	uint64_t size; /* of the file, bytes */
	struct hash file;
	uint32_t count; /* of chunks; the last may be shorter */
	struct hash chunks[SEGMENT_CHUNK_COUNT_MAX];
};

/* From the first byte to the last of @fd, direct or buffered, in one pass. ERROR_DEFECT if the
 * file is larger than SEGMENT_SIZE_MAX. */
int segment_hash(int fd, struct segment_hashes *ret_hashes, struct error *err) MUST_CHECK;

/* The same, for whoever reads the bytes anyway. */
struct segment_hasher;
struct segment_hasher *segment_hasher_new(void);
void segment_hasher_free(struct segment_hasher *hasher);
DEFINE_CLEANUP(segment_hasher_free, struct segment_hasher *);
void segment_hasher_start(struct segment_hasher *hasher);
/* At most SEGMENT_SIZE_MAX bytes in all. */
void segment_hasher_update(struct segment_hasher *hasher, const void *bytes, size_t size);
void segment_hasher_finish(struct segment_hasher *hasher, struct segment_hashes *ret_hashes);
