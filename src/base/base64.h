/* RFC 4648 base64 with padding, strict: no blanks, no line breaks, canonical trailing bits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

void base64_encode(const void *bytes, size_t size, char *text); /* BASE64_SIZE(size) */

/* Returns the number of bytes, at most @size_max; ERROR_DEFECT otherwise. */
int base64_decode(const char *text, size_t length, void *ret_bytes, size_t size_max,
		  struct error *err) MUST_CHECK;
