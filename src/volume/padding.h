/* Zeros that fill fixed fields and blocks: they are data too, and checked to the last byte. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

bool padding_is_zero(const uint8_t *bytes, size_t size);

/* @text into @size bytes, NUL-padded; false if it is longer. A text that fills it has no NUL. */
bool padded_text_encode(const char *text, uint8_t *ret_bytes, size_t size);

/* The reverse into size + 1 chars; false if anything but NUL follows the first NUL. */
bool padded_text_decode(const uint8_t *bytes, size_t size, char *ret_text);
