/*
 * MySQL's PREVIOUS_GTIDS event, the second of a file: all GTIDs that files before it have held.
 *
 * Two encodings (sql/rpl_gtid_set.cc, Gtid_set::encode()); numbers are little-endian:
 *
 *	classic		u64 count of groups;		 group: UUID, u64 count, intervals
 *	with tags	1, u48 count of groups, 1;	 group: UUID, tag, u64 count, intervals
 *
 * An interval is u64 first, u64 last + 1. A tag is its size as a serialized.h integer, and so many
 * characters; size 0 for none.
 *
 * Owns: nothing; a struct previous_gtids borrows the event's bytes.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/gtid.h"

struct previous_gtids {
	const uint8_t *bytes; /* what has not been read yet */
	size_t size;
	bool has_tags;
	uint64_t groups_left;
	struct gtid_group group;
	uint64_t intervals_left; /* of the group */
	uint64_t end;		 /* of the interval before, in the group */
};

/*
 * Begin to read the @size bytes of a whole event, @crc_size of them its CRC. A count that does not
 * fit into the event is refused here or when its group comes; nothing is ever allocated for one.
 */
int previous_gtids_decode(const uint8_t *event, size_t size, size_t crc_size,
			  struct previous_gtids *ret_list, struct error *err) MUST_CHECK;

/* The next interval: 1, 0 behind the last one, or ERROR_DEFECT, after which nothing is to come. */
int previous_gtids_next(struct previous_gtids *list, struct gtid_interval *ret_interval,
			struct error *err) MUST_CHECK;
