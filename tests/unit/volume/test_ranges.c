#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "volume/ranges.h"

static struct gtid_range range_of(const char *group, uint64_t first, uint64_t last)
{
	struct gtid_range range = {
		.group_size = (uint8_t)strlen(group), .first = first, .last = last};

	memcpy(range.group, group, range.group_size);
	return range;
}

static bool add(struct gtid_ranges *ranges, const char *group, uint64_t first, uint64_t last)
{
	struct gtid_range range = range_of(group, first, last);

	return gtid_ranges_add(ranges, &range);
}

static void touching_ranges_are_united(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(4096);

	(void)state;
	assert_true(add(ranges, "0-1", 5, 6));
	assert_true(add(ranges, "0-1", 1, 2));
	assert_int_equal(gtid_ranges_count(ranges), 2);
	assert_true(add(ranges, "0-2", 3, 4));
	assert_int_equal(gtid_ranges_count(ranges), 3);
	assert_true(add(ranges, "0-1", 3, 4));
	assert_int_equal(gtid_ranges_count(ranges), 2);
	assert_int_equal(gtid_ranges_at(ranges, 0)->first, 1);
	assert_int_equal(gtid_ranges_at(ranges, 0)->last, 6);
	assert_int_equal(gtid_ranges_size(ranges), 2 * (1 + 3 + 16));
	assert_true(gtid_ranges_contain(ranges, (const uint8_t *)"0-1", 3, 6));
	assert_false(gtid_ranges_contain(ranges, (const uint8_t *)"0-1", 3, 7));
	assert_false(gtid_ranges_contain(ranges, (const uint8_t *)"0-", 2, 6));
}

static void the_ends_of_the_numbers_are_no_trap(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(4096);

	(void)state;
	assert_true(add(ranges, "a", UINT64_MAX - 1, UINT64_MAX));
	assert_true(add(ranges, "a", 0, 0));
	assert_true(add(ranges, "a", UINT64_MAX, UINT64_MAX));
	assert_int_equal(gtid_ranges_count(ranges), 2);
	assert_true(add(ranges, "a", 0, UINT64_MAX));
	assert_int_equal(gtid_ranges_count(ranges), 1);
}

static void a_set_that_would_pass_its_bound_is_no_set(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(100);
	uint64_t i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_true(add(ranges, "abc", 10 * i, 10 * i));
	assert_int_equal(gtid_ranges_size(ranges), 100);
	assert_false(gtid_ranges_room(ranges));
	assert_true(add(ranges, "abc", 1, 9)); /* unites: smaller */
	assert_int_equal(gtid_ranges_size(ranges), 80);
	assert_true(add(ranges, "abc", 100, 100));
	assert_false(add(ranges, "abc", 200, 200));
	assert_true(gtid_ranges_overflowed(ranges));
	assert_int_equal(gtid_ranges_count(ranges), 0);
	assert_false(add(ranges, "abc", 1, 1));
	gtid_ranges_clear(ranges);
	assert_true(add(ranges, "abc", 1, 1));
}

/* Against a plain table of numbers, three groups. */
static void random_ranges_agree_with_a_table(void **state)
{
	static const char *const groups[] = {"a", "ab", "b"};
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(32768);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *copy = gtid_ranges_new(32768);
	uint8_t bytes[32768];
	bool table[3][200] = {{false}};
	struct error err = {0};
	unsigned int seed = 5;

	(void)state;
	for (int i = 0; i < 300; i++) {
		int group = rand_r(&seed) % 3, first = rand_r(&seed) % 190;
		int last = first + rand_r(&seed) % (i % 3 ? 2 : 8);

		assert_true(add(ranges, groups[group], (uint64_t)first, (uint64_t)last));
		for (int j = first; j <= last; j++)
			table[group][j] = true;
		gtid_ranges_encode(ranges, bytes);
		gtid_ranges_clear(copy);
		assert_ok(gtid_ranges_decode(copy, bytes, gtid_ranges_size(ranges),
					     (uint32_t)gtid_ranges_count(ranges), &err),
			  &err);
		for (int g = 0; g < 3; g++)
			for (int j = 0; j < 200; j++)
				assert_int_equal(
					gtid_ranges_contain(copy, (const uint8_t *)groups[g],
							    strlen(groups[g]), (uint64_t)j),
					table[g][j]);
	}
}

static void every_bad_encoding_has_its_sentence(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(4096);
	struct error err = {0};
	uint8_t two[36] = {1, 'a', 1, 0, 0, 0, 0, 0, 0, 0, 2};

	(void)state;
	memcpy(two + 18, two, 18);
	two[20] = 9;
	two[28] = 9;
	assert_ok(gtid_ranges_decode(ranges, two, 36, 2, &err), &err);
	assert_fails(gtid_ranges_decode(ranges, two, 36, 1, &err), &err, ERROR_DEFECT,
		     "18 bytes follow the last GTID range");
	assert_fails(gtid_ranges_decode(ranges, two, 35, 2, &err), &err, ERROR_DEFECT,
		     "a GTID range is cut off");
	assert_fails(gtid_ranges_decode(ranges, two, 18, 2, &err), &err, ERROR_DEFECT,
		     "not 1 to 64 bytes");
	two[20] = 3; /* touches the first */
	assert_fails(gtid_ranges_decode(ranges, two, 36, 2, &err), &err, ERROR_DEFECT,
		     "out of order or not united");
	two[20] = 0; /* begins before it */
	assert_fails(gtid_ranges_decode(ranges, two, 36, 2, &err), &err, ERROR_DEFECT,
		     "out of order or not united");
	two[20] = 10;
	assert_fails(gtid_ranges_decode(ranges, two, 36, 2, &err), &err, ERROR_DEFECT,
		     "ends at 9, before it begins at 10");
	two[0] = 65;
	assert_fails(gtid_ranges_decode(ranges, two, 36, 2, &err), &err, ERROR_DEFECT,
		     "not 1 to 64 bytes");
	two[0] = 0;
	assert_fails(gtid_ranges_decode(ranges, two, 36, 2, &err), &err, ERROR_DEFECT,
		     "not 1 to 64 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(touching_ranges_are_united),
		cmocka_unit_test(the_ends_of_the_numbers_are_no_trap),
		cmocka_unit_test(a_set_that_would_pass_its_bound_is_no_set),
		cmocka_unit_test(random_ranges_agree_with_a_table),
		cmocka_unit_test(every_bad_encoding_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
