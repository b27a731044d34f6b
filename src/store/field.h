/*
 * Fields of records beyond those of base/json.h: words of a list, small numbers, UUIDs, base64,
 * names. For the record files of this folder.
 *
 * Owns: nothing.
 */
#pragma once

#include "base/json.h"
#include "store/record.h"

/* Bytes that are not printable ASCII become '?': a sentence may quote what a peer sent. */
void field_put_text(json_t *object, const char *key, const char *text);

/* The position of a field's text in @words. */
int field_get_word(const json_t *object, const char *key, const char *const *words, size_t count,
		   size_t *ret_position, struct error *err) MUST_CHECK;

int field_get_u32(const json_t *object, const char *key, uint32_t *ret_value,
		  struct error *err) MUST_CHECK;

int field_get_uuid(const json_t *object, const char *key, uint8_t ret_id[static STORE_ID_SIZE],
		   struct error *err) MUST_CHECK;
void field_put_uuid(json_t *object, const char *key, const uint8_t id[static STORE_ID_SIZE]);

/* 1 to @size_max bytes in base64. */
int field_get_base64(const json_t *object, const char *key, uint8_t *ret_bytes, size_t size_max,
		     size_t *ret_size, struct error *err) MUST_CHECK;
void field_put_base64(json_t *object, const char *key, const void *bytes, size_t size);

/* Names as base/name.h allows them; binlog names may be "" where @empty. */
int field_get_source(const json_t *object, const char *key,
		     char ret_name[static SOURCE_NAME_MAX + 1], struct error *err) MUST_CHECK;
int field_get_binlog(const json_t *object, const char *key, bool empty,
		     char ret_name[static BINLOG_NAME_MAX + 1], struct error *err) MUST_CHECK;

/* {"type": …}, to be filled. */
json_t *field_record_new(enum record_type type);
