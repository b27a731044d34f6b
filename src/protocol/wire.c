#include "protocol/wire.h"

#include <string.h>

const char *message_type_name(enum message_type type)
{
	static const struct {
		enum message_type type;
		const char *name;
	} names[] = {
		{MESSAGE_HELLO, "HELLO"},
		{MESSAGE_FAILURE, "FAILURE"},
		{MESSAGE_ATTACH, "ATTACH"},
		{MESSAGE_ATTACHED, "ATTACHED"},
		{MESSAGE_OPEN_SEGMENT, "OPEN_SEGMENT"},
		{MESSAGE_SEGMENT_OPENED, "SEGMENT_OPENED"},
		{MESSAGE_PROGRESS, "PROGRESS"},
		{MESSAGE_SEGMENT_CLOSED, "SEGMENT_CLOSED"},
		{MESSAGE_STATE, "STATE"},
		{MESSAGE_PREFLIGHT, "PREFLIGHT"},
		{MESSAGE_SEMI_SYNC, "SEMI_SYNC"},
		{MESSAGE_OBSERVED, "OBSERVED"},
		{MESSAGE_CONTROL, "CONTROL"},
		{MESSAGE_HSM_PROVISION, "PROVISION"},
		{MESSAGE_HSM_KEYS, "KEYS"},
		{MESSAGE_HSM_UNWRAP, "UNWRAP"},
		{MESSAGE_HSM_UNWRAPPED, "UNWRAPPED"},
		{MESSAGE_HSM_LAST_SIGNED, "LAST_SIGNED"},
		{MESSAGE_HSM_SIGNED_STATE, "SIGNED_STATE"},
		{MESSAGE_HSM_SIGN_CHECKPOINT, "SIGN_CHECKPOINT"},
		{MESSAGE_HSM_SIGN_MANIFEST, "SIGN_MANIFEST"},
		{MESSAGE_HSM_SIGNATURE, "SIGNATURE"},
		{MESSAGE_EXPORT_BEGIN, "EXPORT_BEGIN"},
		{MESSAGE_EXPORT_SEGMENT, "EXPORT_SEGMENT"},
		{MESSAGE_EXPORT_PROGRESS, "EXPORT_PROGRESS"},
		{MESSAGE_EXPORT_SEGMENT_DONE, "EXPORT_SEGMENT_DONE"},
		{MESSAGE_EXPORT_FINISH, "EXPORT_FINISH"},
		{MESSAGE_EXPORT_RESULT, "EXPORT_RESULT"},
		{MESSAGE_EXPORT_MANIFEST, "EXPORT_MANIFEST"},
		{MESSAGE_EXPORT_COMMITTED, "EXPORT_COMMITTED"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return "of an unknown type";
}

int wire_defect(const struct message *message, const char *field, struct error *err)
{
	return error_set(err, ERROR_DEFECT, "message %s: field '%s' is not what it must be",
			 message_type_name(message->type), field);
}

int wire_expect(const struct message *message, enum message_type type, size_t size, size_t fds_min,
		size_t fds_max, struct error *err)
{
	if (message_expect(message, type, err) < 0)
		return err->code;
	if (message->body_size != size)
		return error_set(err, ERROR_DEFECT,
				 "message %s has %zu bytes where it must have %zu",
				 message_type_name(type), message->body_size, size);
	if (message->fd_count < fds_min || message->fd_count > fds_max)
		return error_set(err, ERROR_DEFECT,
				 "message %s has %zu descriptors where it must have %zu to %zu",
				 message_type_name(type), message->fd_count, fds_min, fds_max);
	return 0;
}

void wire_put_text(uint8_t *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	ASSERT(length < size);
	memset(field, 0, size);
	memcpy(field, text, length);
}

void wire_put_sentence(uint8_t *field, size_t size, const char *text)
{
	memset(field, 0, size);
	memcpy(field, text, strnlen(text, size - 1));
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

int wire_take_text(const struct message *message, const char *name, const uint8_t *field,
		   size_t size, char *ret_text, struct error *err)
{
	size_t length = strnlen((const char *)field, size);

	if (length == size || !all_zero(field + length, size - length))
		return wire_defect(message, name, err);
	for (size_t i = 0; i < length; i++) {
		if (field[i] < 0x20 || field[i] > 0x7e)
			return wire_defect(message, name, err);
	}
	memcpy(ret_text, field, size);
	return 0;
}

int wire_take_sentence(const struct message *message, const char *name, const uint8_t *field,
		       size_t size, char *ret_text, struct error *err)
{
	size_t length = strnlen((const char *)field, size);

	if (length == size || !all_zero(field + length, size - length))
		return wire_defect(message, name, err);
	memcpy(ret_text, field, size);
	for (size_t i = 0; i < length; i++) {
		if (field[i] < 0x20 || field[i] > 0x7e)
			ret_text[i] = '?';
	}
	return 0;
}

int wire_take_name(const struct message *message, const char *name, const uint8_t *field,
		   size_t size, wire_name_check check, bool optional, char *ret_text,
		   struct error *err)
{
	if (wire_take_text(message, name, field, size, ret_text, err) < 0)
		return err->code;
	if ((optional && ret_text[0] == '\0') || check(ret_text, err) == 0)
		return 0;
	return wire_defect(message, name, err);
}

int wire_take_bytes(const struct message *message, const char *name, const uint8_t *field,
		    size_t size, le16 used, uint8_t *ret_bytes, uint16_t *ret_used,
		    struct error *err)
{
	uint16_t count = le16_get(used);

	if (count == 0 || count > size || !all_zero(field + count, size - count))
		return wire_defect(message, name, err);
	memcpy(ret_bytes, field, size);
	*ret_used = count;
	return 0;
}

int wire_take_choice(const struct message *message, const char *name, uint8_t value, uint8_t last,
		     struct error *err)
{
	return value <= last ? 0 : wire_defect(message, name, err);
}

int wire_take_code(const struct message *message, const char *name, le32 value, bool optional,
		   int *ret_code, struct error *err)
{
	int32_t code = (int32_t)le32_get(value);

	if (!(optional && code == 0) && (code > ERROR_FAILED || code < ERROR_BUSY))
		return wire_defect(message, name, err);
	*ret_code = code;
	return 0;
}
