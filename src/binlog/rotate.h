/*
 * The ROTATE event: the last of a cleanly finished file, naming the next one; and, artificial, the
 * first of a dump, naming the file and position that the stream starts with.
 *
 * Owns: nothing. Threads: no shared state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "binlog/event.h"

struct rotate {
	uint64_t position;
	char file[BINLOG_NAME_MAX + 1]; /* has passed name_check_binlog() */
};

enum rotate_crc {
	ROTATE_CRC_NONE,
	ROTATE_CRC_PRESENT,
	/*
	 * Not known yet: the first fake ROTATE of a stream comes before the FORMAT_DESCRIPTION.
	 * If the last 4 bytes are the right CRC they are taken for one.
	 */
	ROTATE_CRC_PROBE,
};

/* Decode the @size bytes of a whole event; the caller has checked the CRC where it is PRESENT. */
int rotate_decode(const uint8_t *event, size_t size, enum rotate_crc crc, struct rotate *ret_rotate,
		  struct error *err) MUST_CHECK;
