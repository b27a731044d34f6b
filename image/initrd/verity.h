/*
 * dm-verity: the superblock in front of the hash tree, and the table line for device-mapper.
 *
 * The superblock is not trusted either: whatever it says goes into the computation whose result
 * must be the signed root hash. What is checked here keeps the table line well formed.
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define VERITY_SUPERBLOCK_SIZE 512
#define VERITY_BLOCK_SIZE      4096
#define VERITY_SALT_SIZE_MAX   256
#define VERITY_TABLE_SIZE      2048 /* of a table line, with its NUL */

#define VERITY_UUID_SIZE 16

struct verity {
	uint8_t uuid[VERITY_UUID_SIZE]; /* by which a root finds its tree; see disks.h */
	uint64_t block_count;		/* data blocks of VERITY_BLOCK_SIZE */
	size_t salt_size;
	uint8_t salt[VERITY_SALT_SIZE_MAX];
};

/* Version 1, type 1, sha256, 4096-byte blocks; anything else is ERROR_DEFECT. */
int verity_decode(const uint8_t bytes[VERITY_SUPERBLOCK_SIZE], struct verity *ret_verity,
		  struct error *err) MUST_CHECK;

/* A block that does not fit its hash stops the machine (panic_on_corruption). */
int verity_table(const struct verity *verity, const char *data_device, const char *hash_device,
		 const uint8_t root_hash[32], char ret_line[VERITY_TABLE_SIZE],
		 struct error *err) MUST_CHECK;
