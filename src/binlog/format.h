/*
 * The FORMAT_DESCRIPTION event: the first event of each file, which says how to read the others.
 *
 * Only binlog version 4 with 19-byte headers, from a server that knows checksums (MySQL 5.6.1,
 * MariaDB 5.3 and later). Such a server's FORMAT_DESCRIPTION always ends with the algorithm byte
 * and 4 bytes of a valid CRC32, even where the algorithm for the file's other events is "none".
 *
 * Owns: nothing; a struct format is a plain value.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/event.h"
#include "binlog/flavour.h"

#define FORMAT_VERSION_SIZE 50	 /* the field's size in the event */
#define FORMAT_EVENT_MAX    1024 /* no server writes more; a longer event is refused */

enum format_checksum {
	FORMAT_CHECKSUM_NONE = 0,
	FORMAT_CHECKSUM_CRC32 = 1,
};

struct format {
	char server_version[FORMAT_VERSION_SIZE + 1];
	enum flavour flavour;
	enum format_checksum checksum; /* of the file's events; this event has a CRC anyway */
	uint32_t created; /* seconds since 1970; 0 unless the server has just started */
	bool in_use;
	uint8_t post_header_count;	 /* how many event types the server knows, from type 1 on */
	uint8_t post_header_length[256]; /* by event type; 0 for one that it does not know */
};

/*
 * Decode the @size bytes of a whole event. The CRC is not checked here: event_crc_check() does
 * that for all events, after format_normalise() for bytes out of a file. ERROR_DEFECT for what
 * no server writes, ERROR_REFUSED for a format that is not archived.
 */
int format_decode(const uint8_t *event, size_t size, struct format *ret_format,
		  struct error *err) MUST_CHECK;

/* How many bytes of CRC each event of @format ends with: 0 or EVENT_CRC_SIZE. */
static inline size_t format_crc_size(const struct format *format)
{
	return format->checksum == FORMAT_CHECKSUM_CRC32 ? EVENT_CRC_SIZE : 0;
}

/*
 * Bring a FORMAT_DESCRIPTION event, in place, to the form that does not change when the file is
 * closed: bit 0 (IN_USE) of the header's flags is cleared, and not one bit more. The CRC stays
 * as it is: the server computes it with the bit clear and sends the event with the bit clear, so
 * the result is the dump stream's form, its CRC is valid, and it is the form that file ids hash.
 */
int format_normalise(uint8_t *event, size_t size, struct error *err) MUST_CHECK;
