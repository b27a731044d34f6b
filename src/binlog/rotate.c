#include "binlog/rotate.h"

#include <string.h>

#include "base/endian.h"

#define NAME_OFFSET (EVENT_HEADER_SIZE + 8)

/* @size without the CRC, of which there is none if the event is too short for it. */
static size_t size_without_crc(const uint8_t *event, size_t size, enum rotate_crc crc)
{
	struct error ignored;

	if (size < NAME_OFFSET + EVENT_CRC_SIZE || crc == ROTATE_CRC_NONE)
		return size;
	if (crc == ROTATE_CRC_PROBE && event_crc_check_whole(event, size, &ignored) < 0)
		return size;
	return size - EVENT_CRC_SIZE;
}

int rotate_decode(const uint8_t *event, size_t size, enum rotate_crc crc, struct rotate *ret_rotate,
		  struct error *err)
{
	struct event_header header;
	struct rotate rotate = {0};
	size_t name_length;
	int r;

	r = event_header_decode(event, size, &header, err);
	if (r < 0)
		return r;
	if (header.type != EVENT_ROTATE)
		return error_set(err, ERROR_DEFECT,
				 "event is of type %u (%s) where ROTATE is expected", header.type,
				 event_type_name(header.type));
	if (header.length != size)
		return error_set(err, ERROR_DEFECT,
				 "ROTATE gives a length of %u, but has %zu bytes", header.length,
				 size);
	size = size_without_crc(event, size, crc);
	if (size <= NAME_OFFSET)
		return error_set(err, ERROR_DEFECT, "ROTATE names no file");
	name_length = size - NAME_OFFSET;
	if (name_length > BINLOG_NAME_MAX)
		return error_set(err, ERROR_DEFECT,
				 "ROTATE names a file with %zu characters: at most %d are allowed",
				 name_length, BINLOG_NAME_MAX);
	memcpy(rotate.file, event + NAME_OFFSET, name_length);
	if (strlen(rotate.file) != name_length)
		return error_set(err, ERROR_DEFECT, "ROTATE names a file with a NUL in its name");
	if (name_check_binlog(rotate.file, err) < 0) {
		/* The server sent it, nobody typed it: not a usage error. */
		err->code = ERROR_DEFECT;
		return error_prefix(err, "ROTATE");
	}
	rotate.position = get_le64(event + EVENT_HEADER_SIZE);
	*ret_rotate = rotate;
	return 0;
}
