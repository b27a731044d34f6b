#include "volume/ranges.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

struct gtid_ranges {
	size_t size_max; /* of the encoding, bytes */
	size_t size;
	size_t count;
	size_t count_max; /* what size_max bytes hold of the shortest ranges */
	size_t recent;	  /* the index of the range that was added last */
	bool overflowed;
	struct gtid_range ranges[];
};

static size_t range_size(const struct gtid_range *range)
{
	return 1 + (size_t)range->group_size + 8 + 8;
}

/* The order of groups; the bytes behind a group's size do not count. */
static int group_compare(const struct gtid_range *a, const struct gtid_range *b)
{
	int order = memcmp(a->group, b->group, MIN(a->group_size, b->group_size));

	return order ? order : (int)a->group_size - (int)b->group_size;
}

/* Whether @next, which does not begin before @range, overlaps or touches it. */
static bool range_reaches(const struct gtid_range *range, const struct gtid_range *next)
{
	return group_compare(range, next) == 0 &&
	       (range->last == UINT64_MAX || next->first <= range->last + 1);
}

/* Whether all of @range stands before all of @other, in the order of the set. */
static bool range_before(const struct gtid_range *range, const struct gtid_range *other)
{
	int order = group_compare(range, other);

	return order < 0 || (order == 0 && range->last < other->first);
}

static bool range_begins_first(const struct gtid_range *range, const struct gtid_range *other)
{
	int order = group_compare(range, other);

	return order < 0 || (order == 0 && range->first <= other->first);
}

struct gtid_ranges *gtid_ranges_new(size_t size_max)
{
	size_t count_max = size_max / GTID_RANGE_SIZE_MIN;
	struct gtid_ranges *ranges;

	ranges = calloc(1, sizeof(*ranges) + count_max * sizeof(ranges->ranges[0]));
	ASSERT(ranges);
	ranges->size_max = size_max;
	ranges->count_max = count_max;
	return ranges;
}

void gtid_ranges_free(struct gtid_ranges *ranges)
{
	free(ranges);
}

void gtid_ranges_clear(struct gtid_ranges *ranges)
{
	ranges->size = 0;
	ranges->count = 0;
	ranges->recent = 0;
	ranges->overflowed = false;
}

static bool ranges_overflow(struct gtid_ranges *ranges)
{
	gtid_ranges_clear(ranges);
	ranges->overflowed = true;
	return false;
}

/* The first index whose range begins behind @range in the order of the set. */
static size_t ranges_search(const struct gtid_ranges *ranges, const struct gtid_range *range)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (range_begins_first(&ranges->ranges[middle], range))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Put one range in the place of those in [begin, end). */
static void ranges_replace(struct gtid_ranges *ranges, size_t begin, size_t end,
			   const struct gtid_range *range)
{
	for (size_t i = begin; i < end; i++)
		ranges->size -= range_size(&ranges->ranges[i]);
	if (end != begin + 1)
		memmove(&ranges->ranges[begin + 1], &ranges->ranges[end],
			(ranges->count - end) * sizeof(ranges->ranges[0]));
	ranges->count = ranges->count - (end - begin) + 1;
	ranges->ranges[begin] = *range;
	ranges->size += range_size(range);
	ranges->recent = begin;
}

/* Whether @range only moves the end of the range that was added last, and that is done. */
static bool add_successor(struct gtid_ranges *ranges, const struct gtid_range *range)
{
	struct gtid_range *recent = &ranges->ranges[ranges->recent];

	if (ranges->recent >= ranges->count || recent->last == UINT64_MAX ||
	    range->first != recent->last + 1 || group_compare(recent, range) != 0)
		return false;
	if (ranges->recent + 1 < ranges->count && range_reaches(range, recent + 1))
		return false;
	recent->last = range->last;
	return true;
}

bool gtid_ranges_add(struct gtid_ranges *ranges, const struct gtid_range *range)
{
	struct gtid_range united = *range;
	size_t begin, end;

	ASSERT(range->group_size >= 1 && range->group_size <= GTID_GROUP_SIZE_MAX);
	ASSERT(range->first <= range->last);
	if (ranges->overflowed)
		return false;
	if (add_successor(ranges, range))
		return true;
	begin = end = ranges_search(ranges, range);
	if (begin > 0 && range_reaches(&ranges->ranges[begin - 1], range)) {
		begin--;
		united.first = ranges->ranges[begin].first;
		united.last = MAX(ranges->ranges[begin].last, united.last);
	}
	while (end < ranges->count && range_reaches(&united, &ranges->ranges[end])) {
		united.last = MAX(ranges->ranges[end].last, united.last);
		end++;
	}
	if (begin == end && ranges->size + range_size(range) > ranges->size_max)
		return ranges_overflow(ranges);
	ranges_replace(ranges, begin, end, &united);
	ASSERT(ranges->count <= ranges->count_max);
	return true;
}

/* The same for a range that does not begin before the last one of the set. */
static bool ranges_append(struct gtid_ranges *ranges, const struct gtid_range *range)
{
	struct gtid_range *last = ranges->count ? &ranges->ranges[ranges->count - 1] : NULL;

	if (ranges->overflowed)
		return false;
	if (last && range_reaches(last, range)) {
		last->last = MAX(last->last, range->last);
		return true;
	}
	if (ranges->size + range_size(range) > ranges->size_max)
		return ranges_overflow(ranges);
	ranges->ranges[ranges->count++] = *range;
	ranges->size += range_size(range);
	ASSERT(ranges->count <= ranges->count_max);
	return true;
}

/* Put the contents of @result, which has the same bound, in the place of those of @ranges. */
static bool ranges_become(struct gtid_ranges *ranges, const struct gtid_ranges *result)
{
	ASSERT(ranges->size_max == result->size_max);
	if (result->overflowed)
		return ranges_overflow(ranges);
	memcpy(ranges->ranges, result->ranges, result->count * sizeof(ranges->ranges[0]));
	ranges->count = result->count;
	ranges->size = result->size;
	ranges->recent = 0;
	return true;
}

/*
 * Both operations write the result in its order, beside the set: changed in place, a set that
 * fits in the end could overflow on the way there.
 */
bool gtid_ranges_unite(struct gtid_ranges *into, const struct gtid_ranges *other)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *result = NULL;
	size_t i = 0, j = 0;

	if (into->overflowed || other->overflowed)
		return ranges_overflow(into);
	result = gtid_ranges_new(into->size_max);
	while (i < into->count || j < other->count) {
		const struct gtid_range *a = &into->ranges[i], *b = &other->ranges[j];

		if (j == other->count || (i < into->count && range_begins_first(a, b))) {
			ranges_append(result, a);
			i++;
		} else {
			ranges_append(result, b);
			j++;
		}
	}
	return ranges_become(into, result);
}

/* Append what the ranges of @other, from index @index on, leave of @range. */
static void append_remainder(struct gtid_ranges *result, struct gtid_range range,
			     const struct gtid_ranges *other, size_t index)
{
	for (; index < other->count && !range_before(&range, &other->ranges[index]); index++) {
		const struct gtid_range *hole = &other->ranges[index];
		struct gtid_range piece = range;

		if (hole->first > range.first) {
			piece.last = hole->first - 1;
			ranges_append(result, &piece);
		}
		if (hole->last >= range.last)
			return;
		range.first = hole->last + 1;
	}
	ranges_append(result, &range);
}

bool gtid_ranges_subtract(struct gtid_ranges *from, const struct gtid_ranges *other)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *result = NULL;
	size_t j = 0;

	if (from->overflowed || other->overflowed)
		return ranges_overflow(from);
	result = gtid_ranges_new(from->size_max);
	for (size_t i = 0; i < from->count; i++) {
		while (j < other->count && range_before(&other->ranges[j], &from->ranges[i]))
			j++;
		append_remainder(result, from->ranges[i], other, j);
	}
	return ranges_become(from, result);
}

bool gtid_ranges_room(const struct gtid_ranges *ranges)
{
	return !ranges->overflowed && ranges->size + GTID_RANGE_SIZE_MAX <= ranges->size_max;
}

bool gtid_ranges_overflowed(const struct gtid_ranges *ranges)
{
	return ranges->overflowed;
}

bool gtid_ranges_contain(const struct gtid_ranges *ranges, const uint8_t *group, size_t group_size,
			 uint64_t sequence)
{
	struct gtid_range key = {.first = sequence, .last = sequence};
	size_t index;

	if (group_size < 1 || group_size > GTID_GROUP_SIZE_MAX)
		return false;
	key.group_size = (uint8_t)group_size;
	memcpy(key.group, group, group_size);
	index = ranges_search(ranges, &key);
	return index > 0 && group_compare(&ranges->ranges[index - 1], &key) == 0 &&
	       ranges->ranges[index - 1].last >= sequence;
}

bool gtid_ranges_contain_all(const struct gtid_ranges *ranges, const struct gtid_ranges *other)
{
	size_t i = 0;

	if (ranges->overflowed || other->overflowed)
		return false;
	for (size_t j = 0; j < other->count; j++) {
		const struct gtid_range *range = &other->ranges[j];

		while (i < ranges->count && range_before(&ranges->ranges[i], range))
			i++;
		/* Ranges that touch are one, so one range holds all of it or none does. */
		if (i == ranges->count || group_compare(&ranges->ranges[i], range) != 0 ||
		    ranges->ranges[i].first > range->first || ranges->ranges[i].last < range->last)
			return false;
	}
	return true;
}

bool gtid_ranges_equal(const struct gtid_ranges *a, const struct gtid_ranges *b)
{
	if (a->overflowed || b->overflowed || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (group_compare(&a->ranges[i], &b->ranges[i]) != 0 ||
		    a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}

bool gtid_ranges_meet(const struct gtid_ranges *a, const struct gtid_ranges *b)
{
	size_t i = 0, j = 0;

	while (i < a->count && j < b->count) {
		if (range_before(&a->ranges[i], &b->ranges[j]))
			i++;
		else if (range_before(&b->ranges[j], &a->ranges[i]))
			j++;
		else
			return true;
	}
	return false;
}

size_t gtid_ranges_count(const struct gtid_ranges *ranges)
{
	return ranges->count;
}

const struct gtid_range *gtid_ranges_at(const struct gtid_ranges *ranges, size_t index)
{
	ASSERT(index < ranges->count);
	return &ranges->ranges[index];
}

size_t gtid_ranges_size(const struct gtid_ranges *ranges)
{
	return ranges->size;
}

void gtid_ranges_encode(const struct gtid_ranges *ranges, uint8_t *bytes)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const struct gtid_range *range = &ranges->ranges[i];
		le64 limits[2] = {le64_put(range->first), le64_put(range->last)};

		*bytes++ = range->group_size;
		bytes = mempcpy(bytes, range->group, range->group_size);
		bytes = mempcpy(bytes, limits, sizeof(limits));
	}
}

int gtid_range_decode(const uint8_t *bytes, size_t size, struct gtid_range *ret_range,
		      struct error *err)
{
	struct gtid_range range = {0};

	if (size < 1 || bytes[0] < 1 || bytes[0] > GTID_GROUP_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a GTID group is not 1 to %d bytes",
				 GTID_GROUP_SIZE_MAX);
	range.group_size = bytes[0];
	if (size < range_size(&range))
		return error_set(err, ERROR_DEFECT, "a GTID range is cut off");
	memcpy(range.group, bytes + 1, range.group_size);
	range.first = get_le64(bytes + 1 + range.group_size);
	range.last = get_le64(bytes + 1 + range.group_size + 8);
	if (range.first > range.last)
		return error_set(err, ERROR_DEFECT,
				 "a GTID range ends at %" PRIu64 ", before it begins at %" PRIu64,
				 range.last, range.first);
	*ret_range = range;
	return (int)range_size(&range);
}

int gtid_ranges_decode(struct gtid_ranges *ranges, const uint8_t *bytes, size_t size,
		       uint32_t count, struct error *err)
{
	struct gtid_range previous = {0}, range;

	for (uint32_t i = 0; i < count; i++) {
		int taken = gtid_range_decode(bytes, size, &range, err);

		if (taken < 0)
			return taken;
		if (i > 0 && (group_compare(&previous, &range) > 0 ||
			      (group_compare(&previous, &range) == 0 &&
			       (range.first <= previous.last || range_reaches(&previous, &range)))))
			return error_set(err, ERROR_DEFECT,
					 "GTID ranges are out of order or not united");
		gtid_ranges_add(ranges, &range);
		bytes += taken;
		size -= (size_t)taken;
		previous = range;
	}
	if (size != 0)
		return error_set(err, ERROR_DEFECT, "%zu bytes follow the last GTID range", size);
	return 0;
}
