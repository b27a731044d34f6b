/*
 * Two partitions by which a vault and its owner write to each other, without a file system between
 * them: `binvault_in` holds a configuration bundle from its first byte on, `binvault_out` a text.
 *
 * Owns: nothing; descriptors are closed again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LETTER_HEAD_SIZE 6
#define LETTER_SIZE_MAX	 (1u << 20) /* of a bundle, as of crypto/cms.h */
#define LETTER_TEXT_MAX	 65536

/* The size of the DER object that begins with these bytes; 0: there is none, they are zeros.
 * ERROR_DEFECT for anything else, or one over LETTER_SIZE_MAX. */
int letter_size(const uint8_t head[LETTER_HEAD_SIZE], size_t *ret_size,
		struct error *err) MUST_CHECK;

/* How a partition begins, as a text of @size bytes with its NUL. */
int letter_begin(const char *partition, char *ret_text, size_t size, struct error *err) MUST_CHECK;

/* Copy the bundle of a partition into a file; 1 if there was one, 0 if there is none. */
int letter_take(const char *partition, const char *file, struct error *err) MUST_CHECK;

/* Write a text, with zeros behind it, unless it stands there already. */
int letter_put(const char *partition, const char *text, struct error *err) MUST_CHECK;
