#include "initrd/verity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/hex.h"

/* struct verity_sb of cryptsetup, lib/verity/verity.c. */
#define VERSION_OFFSET	       8
#define TYPE_OFFSET	       12
#define UUID_OFFSET	       16
#define ALGORITHM_OFFSET       32
#define ALGORITHM_SIZE	       32
#define DATA_BLOCK_SIZE_OFFSET 64
#define HASH_BLOCK_SIZE_OFFSET 68
#define BLOCK_COUNT_OFFSET     72
#define SALT_SIZE_OFFSET       80
#define SALT_OFFSET	       88
#define BLOCK_COUNT_MAX	       (UINT64_C(1) << 32) /* 16 TiB */

int verity_decode(const uint8_t bytes[VERITY_SUPERBLOCK_SIZE], struct verity *ret_verity,
		  struct error *err)
{
	static const char algorithm[ALGORITHM_SIZE] = "sha256";
	struct verity verity = {
		.block_count = get_le64(bytes + BLOCK_COUNT_OFFSET),
		.salt_size = get_le16(bytes + SALT_SIZE_OFFSET),
	};

	if (memcmp(bytes, "verity\0\0", 8) != 0)
		return error_set(err, ERROR_DEFECT, "no verity superblock");
	if (get_le32(bytes + VERSION_OFFSET) != 1 || get_le32(bytes + TYPE_OFFSET) != 1 ||
	    memcmp(bytes + ALGORITHM_OFFSET, algorithm, sizeof(algorithm)) != 0 ||
	    get_le32(bytes + DATA_BLOCK_SIZE_OFFSET) != VERITY_BLOCK_SIZE ||
	    get_le32(bytes + HASH_BLOCK_SIZE_OFFSET) != VERITY_BLOCK_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "the verity superblock is not version 1 with sha256 and blocks of "
				 "4096 bytes");
	if (verity.salt_size > VERITY_SALT_SIZE_MAX || verity.block_count == 0 ||
	    verity.block_count > BLOCK_COUNT_MAX)
		return error_set(err, ERROR_DEFECT,
				 "the verity superblock names %" PRIu64
				 " blocks and a salt of %zu bytes",
				 verity.block_count, verity.salt_size);
	memcpy(verity.uuid, bytes + UUID_OFFSET, sizeof(verity.uuid));
	memcpy(verity.salt, bytes + SALT_OFFSET, verity.salt_size);
	*ret_verity = verity;
	return 0;
}

int verity_table(const struct verity *verity, const char *data_device, const char *hash_device,
		 const uint8_t root_hash[32], char ret_line[VERITY_TABLE_SIZE], struct error *err)
{
	char root[HEX_SIZE(32)];
	char salt[HEX_SIZE(VERITY_SALT_SIZE_MAX)] = "-";
	int length;

	hex_encode(root_hash, 32, root);
	if (verity->salt_size > 0)
		hex_encode(verity->salt, verity->salt_size, salt);
	length = snprintf(ret_line, VERITY_TABLE_SIZE,
			  "1 %s %s %d %d %" PRIu64 " 1 sha256 %s %s 1 panic_on_corruption",
			  data_device, hash_device, VERITY_BLOCK_SIZE, VERITY_BLOCK_SIZE,
			  verity->block_count, root, salt);
	if (length < 0 || length >= VERITY_TABLE_SIZE)
		return error_set(err, ERROR_DEFECT, "the verity table line is too long");
	return 0;
}
