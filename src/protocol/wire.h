/*
 * What the message files share: the fields of a body, written from and checked into native structs.
 *
 * A text on the wire is a field of fixed size: the text, a NUL, zeros to the end. Text that is
 * meant for people may hold anything when it arrives; what is not printable ASCII becomes '?'.
 *
 * Threads: any. Sentences name the message, so that a caller need not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "protocol/message.h"

/* "ATTACH", or "of an unknown type". */
const char *message_type_name(enum message_type type);

/* Is @message of @type, with exactly @size bytes of body and fds_min to fds_max descriptors? */
int wire_expect(const struct message *message, enum message_type type, size_t size, size_t fds_min,
		size_t fds_max, struct error *err) MUST_CHECK;

/* A defect of one field of @message. */
int wire_defect(const struct message *message, const char *field, struct error *err);

/* ASSERTs that the text fits; cuts it instead if it is a sentence. */
void wire_put_text(uint8_t *field, size_t size, const char *text);
void wire_put_sentence(uint8_t *field, size_t size, const char *text);

/* @text has @size bytes as well. */
int wire_take_text(const struct message *message, const char *name, const uint8_t *field,
		   size_t size, char *ret_text, struct error *err) MUST_CHECK;
int wire_take_sentence(const struct message *message, const char *name, const uint8_t *field,
		       size_t size, char *ret_text, struct error *err) MUST_CHECK;

/* A text that @check accepts (base/name.h), or, if @optional, none. */
typedef int (*wire_name_check)(const char *name, struct error *err);
int wire_take_name(const struct message *message, const char *name, const uint8_t *field,
		   size_t size, wire_name_check check, bool optional, char *ret_text,
		   struct error *err) MUST_CHECK;

/* Bytes with a size beside them in a fixed field: 1 to @size of them, zeros behind. */
int wire_take_bytes(const struct message *message, const char *name, const uint8_t *field,
		    size_t size, le16 used, uint8_t *ret_bytes, uint16_t *ret_used,
		    struct error *err) MUST_CHECK;

/* 0 to @last. */
int wire_take_choice(const struct message *message, const char *name, uint8_t value, uint8_t last,
		     struct error *err) MUST_CHECK;

/* A code of enum error_code, or 0 if @optional. */
int wire_take_code(const struct message *message, const char *name, le32 value, bool optional,
		   int *ret_code, struct error *err) MUST_CHECK;
