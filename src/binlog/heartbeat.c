#include "binlog/heartbeat.h"

#include "base/endian.h"

#define POSITION_SIZE 8 /* MariaDB: HB_SUB_HEADER_LEN */

/* HEARTBEAT_V2: Heartbeat::fields in libs/mysql/binlog/event/codecs/binary.h. */
#define FIELD_END      0
#define FIELD_FILE     1
#define FIELD_POSITION 2

struct body {
	const uint8_t *bytes; /* what has not been read yet */
	size_t size;
};

bool heartbeat_is(uint8_t type)
{
	return type == EVENT_HEARTBEAT || type == EVENT_HEARTBEAT_V2;
}

static int decode_first(const struct event_header *header, struct body body, enum flavour flavour,
			struct heartbeat *heartbeat, struct error *err)
{
	heartbeat->position = header->log_pos;
	heartbeat->is_modulo = true;
	if (flavour == FLAVOUR_MARIADB && header->log_pos == 0) {
		if (body.size <= POSITION_SIZE)
			return error_set(err, ERROR_DEFECT,
					 "HEARTBEAT has neither kind of position");
		heartbeat->position = get_le64(body.bytes);
		heartbeat->is_modulo = false;
		body.bytes += POSITION_SIZE;
		body.size -= POSITION_SIZE;
	}
	if (body.size == 0)
		return error_set(err, ERROR_DEFECT, "HEARTBEAT names no file");
	return event_file_name(body.bytes, body.size, "HEARTBEAT", heartbeat->file, err);
}

/* Below 251 in one byte; else 0xfc, 0xfd or 0xfe, and 2, 3 or 8 bytes. False if cut off. */
static bool read_integer(struct body *body, uint64_t *ret_value)
{
	static const uint8_t sizes[] = {[0xfc - 0xfc] = 2, [0xfd - 0xfc] = 3, [0xfe - 0xfc] = 8};
	uint64_t value = 0;
	size_t size;

	if (body->size == 0)
		return false;
	if (body->bytes[0] < 0xfb) {
		*ret_value = *body->bytes++;
		body->size--;
		return true;
	}
	if (body->bytes[0] == 0xfb || body->bytes[0] == 0xff)
		return false;
	size = sizes[body->bytes[0] - 0xfc];
	if (body->size < 1 + size)
		return false;
	for (size_t i = size; i > 0; i--)
		value = value << 8 | body->bytes[i];
	body->bytes += 1 + size;
	body->size -= 1 + size;
	*ret_value = value;
	return true;
}

/* The next field's type, and its value; the body goes behind it. Nothing follows FIELD_END. */
static int next_field(struct body *body, uint64_t *ret_type, struct body *ret_value,
		      struct error *err)
{
	uint64_t size = 0;

	if (!read_integer(body, ret_type) ||
	    (*ret_type != FIELD_END && (!read_integer(body, &size) || size > body->size)))
		return error_set(err, ERROR_DEFECT, "HEARTBEAT_V2 has a field that is cut off");
	*ret_value = (struct body){body->bytes, (size_t)size};
	body->bytes += size;
	body->size -= (size_t)size;
	return 0;
}

static int decode_field(uint64_t type, struct body value, struct heartbeat *heartbeat,
			bool *has_position, struct error *err)
{
	if (type == FIELD_FILE && value.size > 0)
		return event_file_name(value.bytes, value.size, "HEARTBEAT_V2", heartbeat->file,
				       err);
	if (type == FIELD_POSITION) {
		*has_position = read_integer(&value, &heartbeat->position);
		if (!*has_position || value.size != 0)
			return error_set(err, ERROR_DEFECT,
					 "HEARTBEAT_V2 has a position that is no number");
	}
	return 0; /* a later version's field may be skipped: that is what its size is for */
}

static int decode_second(struct body body, struct heartbeat *heartbeat, struct error *err)
{
	bool has_position = false;

	for (;;) {
		struct body value;
		uint64_t type;
		int r = next_field(&body, &type, &value, err);

		if (r < 0)
			return r;
		if (type == FIELD_END)
			break;
		r = decode_field(type, value, heartbeat, &has_position, err);
		if (r < 0)
			return r;
	}
	if (body.size != 0)
		return error_set(err, ERROR_DEFECT, "HEARTBEAT_V2 has %zu bytes behind its end",
				 body.size);
	if (!heartbeat->file[0] || !has_position)
		return error_set(err, ERROR_DEFECT, "HEARTBEAT_V2 lacks a file or a position");
	return 0;
}

int heartbeat_decode(const uint8_t *event, size_t size, size_t crc_size, enum flavour flavour,
		     struct heartbeat *ret_heartbeat, struct error *err)
{
	struct heartbeat heartbeat = {0};
	struct event_header header;
	struct body body;
	int r = event_header_decode(event, size, &header, err);

	if (r < 0)
		return r;
	if (!heartbeat_is(header.type))
		return error_set(err, ERROR_DEFECT,
				 "event is of type %u (%s) where a heartbeat is expected",
				 header.type, event_type_name(header.type));
	if (header.length != size || size < EVENT_HEADER_SIZE + crc_size)
		return error_set(err, ERROR_DEFECT, "%s gives a length of %u, but has %zu bytes",
				 event_type_name(header.type), header.length, size);
	body.bytes = event + EVENT_HEADER_SIZE;
	body.size = size - EVENT_HEADER_SIZE - crc_size;
	if (header.type == EVENT_HEARTBEAT)
		r = decode_first(&header, body, flavour, &heartbeat, err);
	else
		r = decode_second(body, &heartbeat, err);
	if (r < 0)
		return r;
	*ret_heartbeat = heartbeat;
	return 0;
}
