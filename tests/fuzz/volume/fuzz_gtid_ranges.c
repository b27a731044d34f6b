/*
 * Any bytes as ranges of two sets: what the operations on sets say of them must fit together, and
 * only what does not fit may overflow. The first byte bounds one of the sets.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "volume/ranges.h"

#define ROOM 8192 /* for every second number of both groups, at both ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Four bytes a range: which set and group, the first number, the length. */
static void fill(struct gtid_ranges *a, struct gtid_ranges *b, const uint8_t *data, size_t size)
{
	for (; size >= 4; data += 4, size -= 4) {
		struct gtid_range range = {.group_size = (uint8_t)(1 + (data[0] & 1)),
					   .group = {'g', 'h'},
					   .first = data[1] & 0x7f,
					   .last = (data[1] & 0x7f) + (data[2] & 0x0fU)};

		if (data[1] & 0x80) { /* at the end of the numbers */
			range.first = UINT64_MAX - range.last;
			range.last = UINT64_MAX - (data[1] & 0x7f);
		}
		gtid_ranges_add(data[0] & 2 ? a : b, &range);
	}
}

static struct gtid_ranges *copy_of(const struct gtid_ranges *ranges, size_t size_max)
{
	struct gtid_ranges *copy = gtid_ranges_new(size_max);

	gtid_ranges_unite(copy, ranges);
	return copy;
}

static void check_form(const struct gtid_ranges *ranges)
{
	struct gtid_ranges *decoded = gtid_ranges_new(ROOM);
	uint8_t *bytes = malloc(gtid_ranges_size(ranges) + 1);
	struct error err;

	ASSERT(bytes);
	gtid_ranges_encode(ranges, bytes);
	ASSERT(gtid_ranges_decode(decoded, bytes, gtid_ranges_size(ranges),
				  (uint32_t)gtid_ranges_count(ranges), &err) == 0);
	ASSERT(gtid_ranges_equal(decoded, ranges));
	free(bytes);
	gtid_ranges_free(decoded);
}

static void check_overflow(const struct gtid_ranges *a, const struct gtid_ranges *b,
			   const struct gtid_ranges *united, const struct gtid_ranges *left,
			   size_t size_max)
{
	struct gtid_ranges *small = copy_of(a, size_max);

	if (gtid_ranges_size(a) <= size_max)
		ASSERT(gtid_ranges_unite(small, b) == (gtid_ranges_size(united) <= size_max));
	gtid_ranges_free(small);
	small = copy_of(a, size_max);
	if (gtid_ranges_size(a) <= size_max)
		ASSERT(gtid_ranges_subtract(small, b) == (gtid_ranges_size(left) <= size_max));
	gtid_ranges_free(small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gtid_ranges *a, *b, *united, *left, *common;

	if (size < 1 || size > 4096)
		return 0;
	a = gtid_ranges_new(ROOM);
	b = gtid_ranges_new(ROOM);
	fill(a, b, data + 1, size - 1);
	united = copy_of(a, 2 * ROOM);
	left = copy_of(a, 2 * ROOM);
	common = copy_of(a, 2 * ROOM);
	ASSERT(gtid_ranges_unite(united, b) && gtid_ranges_subtract(left, b) &&
	       gtid_ranges_subtract(common, left));
	check_form(united);
	check_form(left);
	ASSERT(gtid_ranges_contain_all(united, a) && gtid_ranges_contain_all(united, b));
	ASSERT(gtid_ranges_contain_all(a, left) && !gtid_ranges_meet(left, b));
	ASSERT(gtid_ranges_contain_all(a, b) == gtid_ranges_equal(united, a));
	ASSERT(gtid_ranges_contain_all(b, a) == (gtid_ranges_count(left) == 0));
	ASSERT(gtid_ranges_meet(a, b) == (gtid_ranges_count(common) > 0));
	check_overflow(a, b, united, left, data[0] * (size_t)4);
	ASSERT(gtid_ranges_unite(left, b) && gtid_ranges_equal(left, united));
	gtid_ranges_free(a);
	gtid_ranges_free(b);
	gtid_ranges_free(united);
	gtid_ranges_free(left);
	gtid_ranges_free(common);
	return 0;
}
