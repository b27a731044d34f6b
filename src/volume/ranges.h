/*
 * A bounded set of GTID ranges: (group, first, last), where a group is 1 to 64 opaque bytes.
 *
 * Ranges of one group that overlap or touch are united, so a set has one encoding: ordered by group
 * (bytes as unsigned numbers, a prefix first), then by first. The bound is on the encoded size; a
 * set that would pass it is emptied and stays `overflowed`, because half a set is a lie.
 *
 * What an overflowed set holds is not known. So a set that is made out of one (unite, subtract) is
 * overflowed itself, and a question about one (contain, contain_all, equal, meet) has the answer
 * false: who would act on a "no" asks gtid_ranges_overflowed() before.
 *
 * Owns: its memory, all of it allocated by _new; unite and subtract allocate as much again until
 * they return. Threads: one.
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

/*
 * Unite with one range; false if the set has overflowed (now or before). Made for transactions as
 * they come: the successor of the number that was added last costs two comparisons.
 */
bool gtid_ranges_add(struct gtid_ranges *ranges, const struct gtid_range *range);

/*
 * Unite with, or take away, all of @other, which may be the same set. False if the result does not
 * fit, or either set had overflowed: the first set has then overflowed. Taking away can make a set
 * larger, where it splits ranges.
 */
bool gtid_ranges_unite(struct gtid_ranges *into, const struct gtid_ranges *other);
bool gtid_ranges_subtract(struct gtid_ranges *from, const struct gtid_ranges *other);

/* Whether any one more range is sure to fit. */
bool gtid_ranges_room(const struct gtid_ranges *ranges);

bool gtid_ranges_overflowed(const struct gtid_ranges *ranges);
bool gtid_ranges_contain(const struct gtid_ranges *ranges, const uint8_t *group, size_t group_size,
			 uint64_t sequence);

/* Every number of @other is in @ranges; the same numbers are in both; some number is in both. */
bool gtid_ranges_contain_all(const struct gtid_ranges *ranges, const struct gtid_ranges *other);
bool gtid_ranges_equal(const struct gtid_ranges *a, const struct gtid_ranges *b);
bool gtid_ranges_meet(const struct gtid_ranges *a, const struct gtid_ranges *b);

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
