/*
 * A bounded set of GTID ranges: (group, first, last), where a group is 1 to 64 opaque bytes.
 *
 * Ranges of one group that overlap or touch are united, so a set has one encoding: ordered by group
 * (bytes as unsigned numbers, a prefix first), then by first. The bound is on the encoded size; a
 * set that would pass it is emptied and stays `overflowed`, because half a set is a lie.
 *
 * Owns: its memory, all of it allocated by _new. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define GTID_GROUP_SIZE_MAX    64
#define GTID_RANGE_SIZE_MIN    (1 + 1 + 8 + 8)
#define GTID_RANGE_SIZE_MAX    (1 + GTID_GROUP_SIZE_MAX + 8 + 8)
#define FRAME_RANGES_SIZE_MAX  4096  /* in one frame */
#define SEALED_RANGES_SIZE_MAX 32768 /* of a whole segment, in its sealed leaf */

struct gtid_range {
	uint8_t group_size; /* 1 to GTID_GROUP_SIZE_MAX */
	uint8_t group[GTID_GROUP_SIZE_MAX];
	uint64_t first;
	uint64_t last; /* inclusive, not less than first */
};

struct gtid_ranges;

struct gtid_ranges *gtid_ranges_new(size_t size_max);
void gtid_ranges_free(struct gtid_ranges *ranges);
DEFINE_CLEANUP(gtid_ranges_free, struct gtid_ranges *);

/* Empty again, and no longer overflowed. */
void gtid_ranges_clear(struct gtid_ranges *ranges);

/* Unite; false if the set has overflowed (now or before). */
bool gtid_ranges_add(struct gtid_ranges *ranges, const struct gtid_range *range);

/* Whether any one more range is sure to fit. */
bool gtid_ranges_room(const struct gtid_ranges *ranges);

bool gtid_ranges_overflowed(const struct gtid_ranges *ranges);
bool gtid_ranges_contain(const struct gtid_ranges *ranges, const uint8_t *group, size_t group_size,
			 uint64_t sequence);
size_t gtid_ranges_count(const struct gtid_ranges *ranges);
const struct gtid_range *gtid_ranges_at(const struct gtid_ranges *ranges, size_t index);

/* The encoding and its size, at most the size_max of _new. */
size_t gtid_ranges_size(const struct gtid_ranges *ranges);
void gtid_ranges_encode(const struct gtid_ranges *ranges, uint8_t *bytes);

/*
 * Read one encoded range from the @size bytes at @bytes. Returns the bytes it takes; ERROR_DEFECT
 * otherwise. Order between ranges is gtid_ranges_decode()'s business.
 */
int gtid_range_decode(const uint8_t *bytes, size_t size, struct gtid_range *ret_range,
		      struct error *err) MUST_CHECK;

/*
 * Unite an encoded set of exactly @count ranges in exactly @size bytes into @ranges (which may
 * overflow: no error). ERROR_DEFECT if the bytes are not a set's one encoding.
 */
int gtid_ranges_decode(struct gtid_ranges *ranges, const uint8_t *bytes, size_t size,
		       uint32_t count, struct error *err) MUST_CHECK;
