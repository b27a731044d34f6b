#include "keeper/export_tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/name.h"
#include "io/file.h"
#include "protocol/manifest.h"

/* POSIX.1-1988 ustar: offsets in the header's block. */
#define BLOCK_SIZE   512u
#define NAME_SIZE    100u
#define SIZE_OFFSET  124u
#define SIZE_DIGITS  11u
#define TYPE_OFFSET  156u
#define MAGIC_OFFSET 257u

#define PATH_SIZE (EXPORT_NAME_MAX + 1 + sizeof(MANIFEST_BODY_FILE))
static_assert(PATH_SIZE <= NAME_SIZE, "a path that fits into the header's name");

static_assert(SIGNATURE_SIZE_MAX <= BLOCK_SIZE, "a signature's content is one block");

/* Is it the header of the file TOP/@name? Then its size. */
static bool header_read(const uint8_t block[static BLOCK_SIZE], const char *top, const char *name,
			uint64_t *ret_size)
{
	char path[PATH_SIZE];
	uint64_t size = 0;

	snprintf(path, sizeof(path), "%.*s/%s", EXPORT_NAME_MAX, top, name);
	if (memcmp(block, path, strlen(path) + 1) != 0 || block[TYPE_OFFSET] != '0' ||
	    memcmp(block + MAGIC_OFFSET, "ustar", sizeof("ustar")) != 0)
		return false;
	for (size_t i = 0; i < SIZE_DIGITS; i++) {
		uint8_t digit = block[SIZE_OFFSET + i];

		if (digit < '0' || digit > '7')
			return false;
		size = size * 8 + (digit - '0');
	}
	*ret_size = size;
	return true;
}

static uint64_t blocks_of(uint64_t size)
{
	return (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

/* The last header in front of block @end that says that its content reaches to there. The body is
 * JSON and has no zero bytes, so nothing in it looks like one. */
static int find_body(int fd, const char *top, uint64_t end, uint64_t *ret_offset,
		     uint64_t *ret_size, struct error *err)
{
	uint64_t count_max = MIN(end, blocks_of(MANIFEST_BODY_SIZE_MAX) + 1);
	uint8_t block[BLOCK_SIZE];

	for (uint64_t count = 1; count <= count_max; count++) {
		uint64_t offset = (end - count) * BLOCK_SIZE, size = 0;
		int r = file_read_exact(fd, block, sizeof(block), offset, err);

		if (r < 0)
			return r;
		if (!header_read(block, top, MANIFEST_BODY_FILE, &size))
			continue;
		if (blocks_of(size) != count - 1 || size == 0)
			break;
		*ret_offset = offset + BLOCK_SIZE;
		*ret_size = size;
		return 0;
	}
	return error_set(err, ERROR_DEFECT, "the tar has no " MANIFEST_BODY_FILE " at its end");
}

int export_tar_manifest(int fd, const char *top, uint8_t **ret_body, size_t *ret_size,
			uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
			struct error *err)
{
	CLEANUP(freep)
	uint8_t *body = NULL;
	uint8_t block[BLOCK_SIZE];
	uint64_t size = 0, count = 0, offset = 0, signature_size = 0;
	int r = file_size(fd, &size, err);

	if (r < 0)
		return r;
	/* header, signature, two of zeros */
	count = size / BLOCK_SIZE;
	if (size % BLOCK_SIZE != 0 || count < 4)
		return error_set(err, ERROR_DEFECT, "it is no tar of a restore");
	r = file_read_exact(fd, block, sizeof(block), (count - 4) * BLOCK_SIZE, err);
	if (r < 0)
		return r;
	if (!header_read(block, top, MANIFEST_SIGNATURE_FILE, &signature_size) ||
	    signature_size == 0 || signature_size > SIGNATURE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT,
				 "the tar has no " MANIFEST_SIGNATURE_FILE " at its end");
	r = find_body(fd, top, count - 4, &offset, &size, err);
	if (r < 0)
		return r;
	body = malloc(size);
	ASSERT(body);
	r = file_read_exact(fd, body, size, offset, err);
	if (r == 0)
		r = file_read_exact(fd, signature, signature_size, (count - 3) * BLOCK_SIZE, err);
	if (r < 0)
		return r;
	*ret_body = TAKE(body);
	*ret_size = size;
	*ret_signature_size = signature_size;
	return 0;
}
