/*
 * How far the archive is: the last event that was given to a segment, and what is known of the end
 * of its file. A stream always brings that event again, so that a server whose binlog is not the
 * one archived is found out before anything new counts.
 *
 * Owns: nothing; a plain value. All zeros: nothing is archived. With next_file alone: nothing is
 * sealed, and pulling begins with that file whatever the configuration says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/name.h"
#include "crypto/hash.h"
#include "volume/header.h"

#define PLACE_FIRST_POSITION 4 /* of a binlog file: behind its magic number */

struct place {
	char file[BINLOG_NAME_MAX + 1]; /* "": nothing is archived */
	uint64_t position;		/* behind the last event */
	uint64_t last_event_position;
	uint32_t last_event_crc;
	/* Behind the last transaction of the file that is archived whole, at most @position; 0: not
	 * known. One that is archived in part began there or later. */
	uint64_t transaction_end;
	bool closed;			     /* a segment says that the file ends here */
	char next_file[BINLOG_NAME_MAX + 1]; /* "" if not known */
	/* Of the file, while there is one. */
	uint8_t identity[SEGMENT_IDENTITY_SIZE]; /* of the server that it came from */
	struct hash generation, file_id;
};
