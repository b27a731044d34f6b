#include "binlog/format.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define VERSION_OFFSET	      EVENT_HEADER_SIZE
#define SERVER_VERSION_OFFSET (VERSION_OFFSET + 2)
#define CREATED_OFFSET	      (SERVER_VERSION_OFFSET + FORMAT_VERSION_SIZE)
#define HEADER_LENGTH_OFFSET  (CREATED_OFFSET + 4)
#define POST_HEADER_OFFSET    (HEADER_LENGTH_OFFSET + 1)
#define TRAILER_SIZE	      (1 + EVENT_CRC_SIZE) /* algorithm, CRC */

static_assert(POST_HEADER_OFFSET == 76, "layout of FORMAT_DESCRIPTION");

#define BINLOG_VERSION		4
#define ROTATE_POST_HEADER	8
#define QUERY_POST_HEADER	13
#define FLAGS_LOW_OFFSET	17
#define VERSION_NUMBER(x, y, z) ((x)*1000000UL + (y)*1000UL + (z))

/* "10.11.19-MariaDB…" as 10011019; a text that is no version gives 0. */
static unsigned long version_number(const char *text)
{
	unsigned long number = 0;

	for (int part = 0; part < 3; part++) {
		unsigned long value = 0;

		for (; *text >= '0' && *text <= '9'; text++)
			if (value < 1000)
				value = value * 10 + (unsigned long)(*text - '0');
		number = number * 1000 + (value < 1000 ? value : 999);
		if (*text == '.')
			text++;
	}
	return number;
}

/* Before these (MySQL WL#2540, MariaDB 5.3) the event has no algorithm byte and no CRC. */
static bool knows_checksums(const struct format *format)
{
	unsigned long number = version_number(flavour_version_text(format->server_version));

	return number >= (format->flavour == FLAVOUR_MARIADB ? VERSION_NUMBER(5, 3, 0)
							     : VERSION_NUMBER(5, 6, 1));
}

static int check_event(const uint8_t *event, size_t size, struct event_header *header,
		       struct error *err)
{
	int r = event_header_decode(event, size, header, err);

	if (r < 0)
		return r;
	if (header->type != EVENT_FORMAT_DESCRIPTION)
		return error_set(err, ERROR_DEFECT,
				 "event is of type %u (%s) where FORMAT_DESCRIPTION is expected",
				 header->type, event_type_name(header->type));
	if (header->length != size)
		return error_set(err, ERROR_DEFECT,
				 "FORMAT_DESCRIPTION gives a length of %u, but has %zu bytes",
				 header->length, size);
	if (size > FORMAT_EVENT_MAX)
		return error_set(err, ERROR_DEFECT, "FORMAT_DESCRIPTION of %zu bytes is too long",
				 size);
	return 0;
}

static int decode_server_version(const uint8_t *field, struct format *format, struct error *err)
{
	size_t length = strnlen((const char *)field, FORMAT_VERSION_SIZE);

	for (size_t i = 0; i < length; i++)
		if (field[i] < 0x20 || field[i] > 0x7e)
			return error_set(err, ERROR_DEFECT,
					 "FORMAT_DESCRIPTION: byte %zu of the server's version "
					 "is no printable character",
					 i);
	if (length == 0)
		return error_set(err, ERROR_DEFECT, "FORMAT_DESCRIPTION names no server version");
	memcpy(format->server_version, field, length);
	format->flavour = flavour_of_version(format->server_version);
	if (!knows_checksums(format))
		return error_set(err, ERROR_REFUSED,
				 "server version '%s' is too old: it knows no event checksums",
				 format->server_version);
	return 0;
}

/* One length a type; those that we rely on are checked once, here. */
static int decode_post_headers(const uint8_t *lengths, size_t count, struct format *format,
			       struct error *err)
{
	if (count < EVENT_HEARTBEAT || count > UINT8_MAX)
		return error_set(err, ERROR_DEFECT, "FORMAT_DESCRIPTION describes %zu event types",
				 count);
	format->post_header_count = (uint8_t)count;
	memcpy(format->post_header_length + 1, lengths, count);
	if (format->post_header_length[EVENT_ROTATE] != ROTATE_POST_HEADER)
		return error_set(err, ERROR_DEFECT,
				 "FORMAT_DESCRIPTION gives ROTATE a post-header of %u bytes",
				 format->post_header_length[EVENT_ROTATE]);
	if (format->post_header_length[EVENT_QUERY] < QUERY_POST_HEADER)
		return error_set(err, ERROR_DEFECT,
				 "FORMAT_DESCRIPTION gives QUERY a post-header of %u bytes",
				 format->post_header_length[EVENT_QUERY]);
	return 0;
}

int format_decode(const uint8_t *event, size_t size, struct format *ret_format, struct error *err)
{
	struct format format = {0};
	struct event_header header;
	uint8_t algorithm;
	int r;

	r = check_event(event, size, &header, err);
	if (r < 0)
		return r;
	if (size < POST_HEADER_OFFSET + TRAILER_SIZE)
		return error_set(err, ERROR_DEFECT, "FORMAT_DESCRIPTION of %zu bytes is too short",
				 size);
	if (get_le16(event + VERSION_OFFSET) != BINLOG_VERSION)
		return error_set(err, ERROR_REFUSED, "binlog format version %u: only %d is known",
				 get_le16(event + VERSION_OFFSET), BINLOG_VERSION);
	r = decode_server_version(event + SERVER_VERSION_OFFSET, &format, err);
	if (r < 0)
		return r;
	if (event[HEADER_LENGTH_OFFSET] != EVENT_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT, "events with a header of %u bytes, not %d",
				 event[HEADER_LENGTH_OFFSET], EVENT_HEADER_SIZE);
	r = decode_post_headers(event + POST_HEADER_OFFSET,
				size - POST_HEADER_OFFSET - TRAILER_SIZE, &format, err);
	if (r < 0)
		return r;
	algorithm = event[size - TRAILER_SIZE];
	if (algorithm > FORMAT_CHECKSUM_CRC32)
		return error_set(err, ERROR_REFUSED,
				 "checksum algorithm %u: only 0 (none) and 1 (CRC32) are known",
				 algorithm);
	format.checksum = (enum format_checksum)algorithm;
	format.created = get_le32(event + CREATED_OFFSET);
	format.in_use = header.flags & EVENT_FLAG_IN_USE;
	*ret_format = format;
	return 0;
}

int format_normalise(uint8_t *event, size_t size, struct error *err)
{
	struct event_header header;
	int r = check_event(event, size, &header, err);

	if (r < 0)
		return r;
	event[FLAGS_LOW_OFFSET] &= (uint8_t)~EVENT_FLAG_IN_USE;
	return 0;
}
