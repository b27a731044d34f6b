#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/secret.h"

#define NUMBER_MAX (INT64_C(1) << 53) /* what a double holds exactly */

static int check_text(const char *text, struct error *err)
{
	for (const char *at = text; *at; at++) {
		if (*at < 0x20 || *at > 0x7e)
			return error_set(err, ERROR_USAGE,
					 "byte %#04x at %td of a text is not printable ASCII",
					 (unsigned)(unsigned char)*at, at - text);
	}
	return 0;
}

/* Is canonical form certain? Depth is bounded by the parser and by what we build ourselves. */
static int check_value(const json_t *value, struct error *err)
{
	const char *key;
	json_t *child;
	size_t index;
	int r = 0;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		/* jansson's iteration takes a mutable object but does not change it */
		json_object_foreach((json_t *)(uintptr_t)value, key, child)
		{
			r = check_text(key, err);
			if (r == 0)
				r = check_value(child, err);
			if (r < 0)
				return error_prefix(err, "in '%.40s'", key);
		}
		return 0;
	case JSON_ARRAY:
		json_array_foreach(value, index, child)
		{
			r = check_value(child, err);
			if (r < 0)
				return r;
		}
		return 0;
	case JSON_STRING:
		if (strlen(json_string_value(value)) != json_string_length(value))
			return error_set(err, ERROR_USAGE, "a text holds a NUL byte");
		return check_text(json_string_value(value), err);
	case JSON_INTEGER:
		if (json_integer_value(value) > NUMBER_MAX ||
		    json_integer_value(value) < -NUMBER_MAX)
			return error_set(err, ERROR_USAGE, "a number over 2^53 must be a string");
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		return 0;
	case JSON_REAL:
	case JSON_NULL:
	default:
		return error_set(err, ERROR_USAGE, "null and real numbers have no place here");
	}
}

int json_text_canonical(const json_t *value, char *text, size_t text_size, struct error *err)
{
	size_t length;
	int r;

	r = check_value(value, err);
	if (r < 0)
		return r;
	length = json_dumpb(value, text, text_size - 1, JSON_COMPACT | JSON_SORT_KEYS);
	if (length == 0 || length >= text_size)
		return error_set(err, ERROR_USAGE, "a record of %zu bytes, the limit is %zu",
				 length, text_size - 1);
	text[length] = '\0';
	return (int)length;
}

int json_parse(const char *text, size_t length, json_t **ret_object, struct error *err)
{
	json_error_t reason;
	json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &reason);

	if (!value)
		return error_set(err, ERROR_DEFECT, "byte %d: not JSON: %s", reason.position,
				 reason.text);
	if (!json_is_object(value)) {
		json_decref(value);
		return error_set(err, ERROR_DEFECT, "JSON, but not an object");
	}
	*ret_object = value;
	return 0;
}

int json_parse_canonical(const char *text, size_t length, json_t **ret_object, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *value = NULL;
	CLEANUP(freep)
	char *again = NULL;
	int r;

	r = json_parse(text, length, &value, err);
	if (r < 0)
		return r;
	again = malloc(length + 1);
	ASSERT(again);
	r = json_text_canonical(value, again, length + 1, err);
	if (r < 0 || (size_t)r != length || memcmp(again, text, length) != 0)
		return error_set(err, ERROR_DEFECT, "JSON, but not in canonical form (RFC 8785)");
	*ret_object = TAKE(value);
	return 0;
}

static int get(const json_t *object, const char *key, json_type type, const char *kind,
	       const json_t **ret_value, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return error_set(err, ERROR_DEFECT, "field '%s' is missing", key);
	if (json_typeof(value) != type)
		return error_set(err, ERROR_DEFECT, "field '%s' is not %s", key, kind);
	*ret_value = value;
	return 0;
}

int json_get_string(const json_t *object, const char *key, const char **ret_text, struct error *err)
{
	const json_t *value = NULL;
	int r = get(object, key, JSON_STRING, "a string", &value, err);

	if (r < 0)
		return r;
	*ret_text = json_string_value(value);
	return 0;
}

int json_get_text(const json_t *object, const char *key, char *ret_text, size_t size,
		  struct error *err)
{
	const char *text;
	size_t length;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	length = strlen(text);
	if (length >= size)
		return error_set(err, ERROR_DEFECT, "field '%s' has %zu bytes, the limit is %zu",
				 key, length, size - 1);
	memcpy(ret_text, text, length + 1);
	return 0;
}

int json_get_u64(const json_t *object, const char *key, uint64_t *ret_value, struct error *err)
{
	const char *text = NULL;
	char *end;
	unsigned long long value;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1]))
		return error_set(err, ERROR_DEFECT, "field '%s' is not a 64-bit number", key);
	*ret_value = value;
	return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *ret_value, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!value || !json_is_boolean(value))
		return error_set(err, ERROR_DEFECT, "field '%s' is missing or not true or false",
				 key);
	*ret_value = json_is_true(value);
	return 0;
}

int json_get_hex(const json_t *object, const char *key, void *ret_bytes, size_t size,
		 struct error *err)
{
	const char *text = NULL;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	r = hex_decode(text, ret_bytes, size, err);
	return r < 0 ? error_prefix(err, "field '%s'", key) : 0;
}

int json_get_array(const json_t *object, const char *key, const json_t **ret_array,
		   struct error *err)
{
	return get(object, key, JSON_ARRAY, "an array", ret_array, err);
}

int json_get_object(const json_t *object, const char *key, const json_t **ret_object,
		    struct error *err)
{
	return get(object, key, JSON_OBJECT, "an object", ret_object, err);
}

void json_put(json_t *object, const char *key, json_t *value)
{
	int r = json_object_set_new(object, key, value);

	ASSERT(r == 0);
}

void json_put_string(json_t *object, const char *key, const char *text)
{
	CLEANUP(freep)
	char *printable = NULL;
	json_t *value = json_string(text);

	/* A sentence may quote bytes from anywhere, and may be cut inside a character: jansson
	 * takes only whole UTF-8, and for that nobody shall end this process. */
	if (!value) {
		printable = strdup(text);
		ASSERT(printable);
		for (char *c = printable; *c; c++) {
			if ((unsigned char)*c > 0x7e)
				*c = '?';
		}
		value = json_string(printable);
	}
	json_put(object, key, value);
}

void json_put_u64(json_t *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	json_put(object, key, json_string(text));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_put(object, key, json_boolean(value));
}

void json_put_hex(json_t *object, const char *key, const void *bytes, size_t size)
{
	char *text = malloc(HEX_SIZE(size));

	ASSERT(text);
	hex_encode(bytes, size, text);
	json_put(object, key, json_string(text));
	free(text);
}

static void wiping_free(void *memory)
{
	if (memory)
		secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

void json_wipe_freed(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}
