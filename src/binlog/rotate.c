#include "binlog/rotate.h"

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
	r = event_file_name(event + NAME_OFFSET, size - NAME_OFFSET, "ROTATE", rotate.file, err);
	if (r < 0)
		return r;
	rotate.position = get_le64(event + EVENT_HEADER_SIZE);
	*ret_rotate = rotate;
	return 0;
}
