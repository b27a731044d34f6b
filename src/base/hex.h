/* Lower-case hexadecimal, the way ids and hashes are written in names, leaves and sentences. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HEX_SIZE(bytes) (2 * (bytes) + 1)
#define HEX_UUID_SIZE	37 /* with the four dashes and the NUL */

/* Write 2 * @size digits and a NUL to @text. */
void hex_encode(const void *bytes, size_t size, char *text);

/* Write a UUID as everybody writes one, 8-4-4-4-12 digits. */
void hex_encode_uuid(const uint8_t uuid[static 16], char text[static HEX_UUID_SIZE]);

/* Read exactly @size bytes from 2 * @size lower-case digits and a NUL; ERROR_DEFECT otherwise. */
int hex_decode(const char *text, void *ret_bytes, size_t size, struct error *err) MUST_CHECK;
