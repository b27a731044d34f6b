/* A tar with plain ustar headers, in memory. For tests only. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "unit/cmocka_prelude.h"

struct tar_builder {
	uint8_t bytes[32 * 512];
	size_t size;
};

static inline void tar_builder_add(struct tar_builder *tar, const char *path, const void *bytes,
				   size_t size)
{
	uint8_t *header = tar->bytes + tar->size;

	assert_true(tar->size + 512 + size <= sizeof(tar->bytes) - 512);
	memset(header, 0, 512);
	memcpy(header, path, strlen(path));
	snprintf((char *)header + 124, 12, "%011zo", size);
	header[156] = '0';
	memcpy(header + 257,
	       "ustar\0"
	       "00",
	       8);
	memset(header + 512, 0, (size + 511) / 512 * 512);
	memcpy(header + 512, bytes, size);
	tar->size += 512 + (size + 511) / 512 * 512;
}

static inline void tar_builder_end(struct tar_builder *tar)
{
	assert_true(tar->size + 1024 <= sizeof(tar->bytes));
	memset(tar->bytes + tar->size, 0, 1024);
	tar->size += 1024;
}
