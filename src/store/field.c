#include "store/field.h"

#include <string.h>

#include <uuid/uuid.h>

#include "base/base64.h"

void field_put_text(json_t *object, const char *key, const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length + 1);

	ASSERT(copy);
	for (size_t i = 0; i <= length; i++)
		copy[i] = text[i] && (text[i] < 0x20 || text[i] > 0x7e) ? '?' : text[i];
	json_put_string(object, key, copy);
	free(copy);
}

int field_get_word(const json_t *object, const char *key, const char *const *words, size_t count,
		   size_t *ret_position, struct error *err)
{
	const char *text;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (words[i] && strcmp(words[i], text) == 0) {
			*ret_position = i;
			return 0;
		}
	}
	return error_set(err, ERROR_DEFECT, "field '%s': '%.40s' is not known to this version", key,
			 text);
}

int field_get_u32(const json_t *object, const char *key, uint32_t *ret_value, struct error *err)
{
	uint64_t value;
	int r = json_get_u64(object, key, &value, err);

	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return error_set(err, ERROR_DEFECT, "field '%s' does not fit in 32 bits", key);
	*ret_value = (uint32_t)value;
	return 0;
}

int field_get_uuid(const json_t *object, const char *key, uint8_t ret_id[static STORE_ID_SIZE],
		   struct error *err)
{
	char again[UUID_SIZE];
	const char *text;
	uuid_t id;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	/* The parser takes capitals too; one id has one text here. */
	if (strlen(text) != UUID_SIZE - 1 || uuid_parse(text, id) != 0)
		return error_set(err, ERROR_DEFECT, "field '%s' is not a UUID", key);
	uuid_unparse_lower(id, again);
	if (strcmp(again, text) != 0)
		return error_set(err, ERROR_DEFECT, "field '%s' is not a lower-case UUID", key);
	memcpy(ret_id, id, STORE_ID_SIZE);
	return 0;
}

void field_put_uuid(json_t *object, const char *key, const uint8_t id[static STORE_ID_SIZE])
{
	char text[UUID_SIZE];

	uuid_text(id, text);
	json_put_string(object, key, text);
}

int field_get_base64(const json_t *object, const char *key, uint8_t *ret_bytes, size_t size_max,
		     size_t *ret_size, struct error *err)
{
	const char *text;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	r = base64_decode(text, strlen(text), ret_bytes, size_max, err);
	if (r < 0)
		return error_prefix(err, "field '%s'", key);
	if (r == 0)
		return error_set(err, ERROR_DEFECT, "field '%s' is empty", key);
	*ret_size = (size_t)r;
	return 0;
}

void field_put_base64(json_t *object, const char *key, const void *bytes, size_t size)
{
	char *text = malloc(BASE64_SIZE(size));

	ASSERT(text);
	base64_encode(bytes, size, text);
	json_put_string(object, key, text);
	free(text);
}

int field_get_source(const json_t *object, const char *key,
		     char ret_name[static SOURCE_NAME_MAX + 1], struct error *err)
{
	int r = json_get_text(object, key, ret_name, SOURCE_NAME_MAX + 1, err);

	if (r == 0)
		r = name_check_source(ret_name, err);
	if (r < 0)
		return error_set(err, ERROR_DEFECT, "field '%s' is not the name of a source", key);
	return 0;
}

int field_get_binlog(const json_t *object, const char *key, bool empty,
		     char ret_name[static BINLOG_NAME_MAX + 1], struct error *err)
{
	int r = json_get_text(object, key, ret_name, BINLOG_NAME_MAX + 1, err);

	if (r == 0 && empty && ret_name[0] == '\0')
		return 0;
	if (r == 0)
		r = name_check_binlog(ret_name, err);
	if (r < 0)
		return error_set(err, ERROR_DEFECT, "field '%s' is not the name of a binlog file",
				 key);
	return 0;
}

json_t *field_record_new(enum record_type type)
{
	json_t *object = json_object();

	ASSERT(object);
	json_put_string(object, "type", record_type_name(type));
	return object;
}
