/*
 * JSON, in the one form that is hashed and signed: RFC 8785 restricted to printable ASCII, with
 * numbers that need more than 53 bits as strings. Over such values jansson's sorted compact output
 * is the canonical form; json_text_canonical() refuses any other value rather than guess.
 *
 * Getters turn "a field is missing or has another type" into a sentence that names the field.
 * Borrowed strings live as long as the object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"

/*
 * The canonical text of @value into @text (no newline; NUL behind it). Returns its length.
 * ERROR_USAGE if a string or key is not printable ASCII, a real number occurs, or it does not fit.
 */
int json_text_canonical(const json_t *value, char *text, size_t text_size,
			struct error *err) MUST_CHECK;

/* Parse @text, which must be the canonical text of one object; ERROR_DEFECT otherwise. */
int json_parse_canonical(const char *text, size_t length, json_t **ret_object,
			 struct error *err) MUST_CHECK;

/* Any JSON object, in whatever form: for the operator's socket. ERROR_DEFECT otherwise. */
int json_parse(const char *text, size_t length, json_t **ret_object, struct error *err) MUST_CHECK;

/* Fields. A 64-bit number is a string of decimal digits without leading zeros. */
int json_get_string(const json_t *object, const char *key, const char **ret_text,
		    struct error *err) MUST_CHECK;
/* The same, copied: at most @size - 1 bytes and a NUL. */
int json_get_text(const json_t *object, const char *key, char *ret_text, size_t size,
		  struct error *err) MUST_CHECK;
int json_get_u64(const json_t *object, const char *key, uint64_t *ret_value,
		 struct error *err) MUST_CHECK;
int json_get_bool(const json_t *object, const char *key, bool *ret_value,
		  struct error *err) MUST_CHECK;
int json_get_hex(const json_t *object, const char *key, void *ret_bytes, size_t size,
		 struct error *err) MUST_CHECK;
int json_get_array(const json_t *object, const char *key, const json_t **ret_array,
		   struct error *err) MUST_CHECK;
int json_get_object(const json_t *object, const char *key, const json_t **ret_object,
		    struct error *err) MUST_CHECK;

/* Put a field; memory that cannot be had is ASSERTed, as everywhere outside the hot path. A text
 * that is not UTF-8 is put with '?' for each of its bytes that is not ASCII. */
void json_put_string(json_t *object, const char *key, const char *text);
void json_put_u64(json_t *object, const char *key, uint64_t value);
void json_put_bool(json_t *object, const char *key, bool value);
void json_put_hex(json_t *object, const char *key, const void *bytes, size_t size);
void json_put(json_t *object, const char *key, json_t *value); /* takes the reference */

/* From now on, for the rest of the process, what JSON values leave in memory is wiped: for a
 * program that has secrets in them. */
void json_wipe_freed(void);
