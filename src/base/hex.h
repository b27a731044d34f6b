/* Lower-case hexadecimal, the way ids and hashes are written in names, leaves and sentences. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HEX_SIZE(bytes) (2 * (bytes) + 1)

/* Write 2 * @size digits and a NUL to @text. */
void hex_encode(const void *bytes, size_t size, char *text);

/* Read exactly @size bytes from 2 * @size lower-case digits and a NUL; ERROR_DEFECT otherwise. */
int hex_decode(const char *text, void *ret_bytes, size_t size, struct error *err) MUST_CHECK;
