#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "base/checked.h"
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

static void the_successor_of_the_last_number_is_united(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(4096);

	(void)state;
	assert_true(add(ranges, "b", 20, 29));
	assert_true(add(ranges, "b", 10, 10));
	assert_true(add(ranges, "b", 11, 18)); /* the fast way */
	assert_int_equal(gtid_ranges_count(ranges), 2);
	assert_int_equal(gtid_ranges_at(ranges, 0)->last, 18);
	assert_true(add(ranges, "b", 19, 19)); /* reaches the next range */
	assert_int_equal(gtid_ranges_count(ranges), 1);
	assert_int_equal(gtid_ranges_at(ranges, 0)->last, 29);
	assert_true(add(ranges, "ba", 30, 30)); /* another group */
	assert_int_equal(gtid_ranges_count(ranges), 2);
	assert_true(add(ranges, "ba", UINT64_MAX, UINT64_MAX));
	assert_true(add(ranges, "ba", 0, 0)); /* UINT64_MAX has no successor */
	assert_int_equal(gtid_ranges_count(ranges), 4);
	gtid_ranges_clear(ranges);
	assert_true(add(ranges, "b", 30, 30)); /* nothing is left of what was last */
	assert_int_equal(gtid_ranges_count(ranges), 1);
	assert_int_equal(gtid_ranges_size(ranges), 1 + 1 + 16);
}

static void the_numbers_at_the_ends_are_taken_away(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *all = gtid_ranges_new(4096);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ends = gtid_ranges_new(4096);

	(void)state;
	add(all, "a", 0, UINT64_MAX);
	add(ends, "a", 0, 0);
	add(ends, "a", UINT64_MAX, UINT64_MAX);
	assert_true(gtid_ranges_subtract(all, ends));
	assert_int_equal(gtid_ranges_count(all), 1);
	assert_int_equal(gtid_ranges_at(all, 0)->first, 1);
	assert_int_equal(gtid_ranges_at(all, 0)->last, UINT64_MAX - 1);
	assert_false(gtid_ranges_meet(all, ends));
	assert_true(gtid_ranges_unite(all, ends));
	assert_int_equal(gtid_ranges_count(all), 1);
	assert_int_equal(gtid_ranges_at(all, 0)->last, UINT64_MAX);
	assert_true(gtid_ranges_subtract(all, all));
	assert_int_equal(gtid_ranges_count(all), 0);
	assert_int_equal(gtid_ranges_size(all), 0);
}

static void only_a_result_that_does_not_fit_overflows(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *two = gtid_ranges_new(36); /* two ranges of a group of one byte */
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *other = gtid_ranges_new(4096);

	(void)state;
	add(two, "a", 30, 40);
	add(two, "a", 50, 60);
	add(other, "a", 1, 2);
	add(other, "a", 41, 49);
	assert_true(gtid_ranges_unite(two, other)); /* three on the way: 1-2, 30-40, 50-60 */
	assert_int_equal(gtid_ranges_count(two), 2);
	gtid_ranges_clear(other);
	add(other, "a", 35, 35);
	add(other, "a", 50, 60);
	gtid_ranges_clear(two);
	add(two, "a", 30, 40);
	add(two, "a", 50, 60);
	assert_true(gtid_ranges_subtract(two, other)); /* three on the way: 30-34, 36-40, 50-60 */
	assert_int_equal(gtid_ranges_count(two), 2);
	gtid_ranges_clear(other);
	add(other, "a", 32, 32);
	assert_false(gtid_ranges_subtract(two, other));
	assert_true(gtid_ranges_overflowed(two));
	assert_int_equal(gtid_ranges_count(two), 0);
	gtid_ranges_clear(two);
	add(other, "a", 1, 1);
	add(other, "a", 3, 3);
	assert_false(gtid_ranges_unite(two, other));
	assert_true(gtid_ranges_overflowed(two));
}

static void what_an_overflowed_set_holds_is_not_known(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *overflowed = gtid_ranges_new(10);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *empty = gtid_ranges_new(4096);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *full = gtid_ranges_new(4096);

	(void)state;
	assert_false(add(overflowed, "a", 1, 1));
	add(full, "a", 1, 9);
	assert_false(gtid_ranges_contain_all(overflowed, empty));
	assert_false(gtid_ranges_contain_all(full, overflowed));
	assert_false(gtid_ranges_equal(overflowed, empty));
	assert_false(gtid_ranges_equal(overflowed, overflowed));
	assert_false(gtid_ranges_meet(overflowed, full));
	assert_false(gtid_ranges_unite(overflowed, full));
	assert_false(gtid_ranges_subtract(overflowed, full));
	assert_true(gtid_ranges_overflowed(overflowed));
	assert_false(gtid_ranges_subtract(full, overflowed));
	assert_true(gtid_ranges_overflowed(full));
	gtid_ranges_clear(full);
	assert_false(gtid_ranges_unite(full, overflowed));
	assert_true(gtid_ranges_overflowed(full));
	assert_true(gtid_ranges_equal(empty, empty));
	assert_true(gtid_ranges_contain_all(empty, empty));
}

#define MODEL_GROUPS  3
#define MODEL_NUMBERS 40

static const char *const model_groups[MODEL_GROUPS] = {"a", "ab", "b"};

struct model {
	bool has[MODEL_GROUPS][MODEL_NUMBERS];
};

static void random_set(unsigned int *seed, struct gtid_ranges *ranges, struct model *model)
{
	gtid_ranges_clear(ranges);
	memset(model, 0, sizeof(*model));
	for (int i = rand_r(seed) % 16; i > 0; i--) {
		int group = rand_r(seed) % MODEL_GROUPS, first = rand_r(seed) % MODEL_NUMBERS;
		int last = first + rand_r(seed) % 9;

		last = MIN(last, MODEL_NUMBERS - 1);
		assert_true(add(ranges, model_groups[group], (uint64_t)first, (uint64_t)last));
		for (int j = first; j <= last; j++)
			model->has[group][j] = true;
	}
}

/* The same numbers, in the one form that a set has. */
static void assert_is_model(const struct gtid_ranges *ranges, const struct model *model)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *copy = gtid_ranges_new(4096);

	for (int group = MODEL_GROUPS - 1; group >= 0; group--)
		for (int j = MODEL_NUMBERS - 1; j >= 0; j--)
			if (model->has[group][j])
				add(copy, model_groups[group], (uint64_t)j, (uint64_t)j);
	assert_true(gtid_ranges_equal(ranges, copy));
	assert_int_equal(gtid_ranges_size(ranges), gtid_ranges_size(copy));
}

struct model_answers {
	struct model united, left;
	bool contains_all, meets, equal;
};

static struct model_answers model_compare(const struct model *a, const struct model *b)
{
	struct model_answers answers = {.contains_all = true, .equal = true};

	for (int group = 0; group < MODEL_GROUPS; group++) {
		for (int j = 0; j < MODEL_NUMBERS; j++) {
			bool in_a = a->has[group][j], in_b = b->has[group][j];

			answers.united.has[group][j] = in_a || in_b;
			answers.left.has[group][j] = in_a && !in_b;
			answers.contains_all &= in_a || !in_b;
			answers.meets |= in_a && in_b;
			answers.equal &= in_a == in_b;
		}
	}
	return answers;
}

static void random_sets_agree_with_a_table(void **state)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *a = gtid_ranges_new(4096);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *b = gtid_ranges_new(4096);
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *result = gtid_ranges_new(8192);
	struct model model_a, model_b;
	unsigned int seed = 11;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct model_answers answers;

		random_set(&seed, a, &model_a);
		random_set(&seed, b, &model_b);
		if (i % 3 == 0) { /* random sets alone seldom hold one another */
			assert_true(gtid_ranges_subtract(b, a));
			model_b = model_compare(&model_b, &model_a).left;
			assert_true(gtid_ranges_unite(a, b));
			model_a = model_compare(&model_a, &model_b).united;
		}
		answers = model_compare(&model_a, &model_b);
		assert_int_equal(gtid_ranges_contain_all(a, b), answers.contains_all);
		assert_int_equal(gtid_ranges_meet(a, b), answers.meets);
		assert_int_equal(gtid_ranges_equal(a, b), answers.equal);
		gtid_ranges_clear(result);
		assert_true(gtid_ranges_unite(result, a));
		assert_true(gtid_ranges_unite(result, b));
		assert_is_model(result, &answers.united);
		assert_true(gtid_ranges_contain_all(result, a));
		assert_true(gtid_ranges_subtract(a, b));
		assert_is_model(a, &answers.left);
		assert_false(gtid_ranges_meet(a, b));
		assert_true(gtid_ranges_subtract(result, b));
		assert_true(gtid_ranges_equal(result, a));
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
		cmocka_unit_test(the_successor_of_the_last_number_is_united),
		cmocka_unit_test(the_numbers_at_the_ends_are_taken_away),
		cmocka_unit_test(only_a_result_that_does_not_fit_overflows),
		cmocka_unit_test(what_an_overflowed_set_holds_is_not_known),
		cmocka_unit_test(random_sets_agree_with_a_table),
		cmocka_unit_test(every_bad_encoding_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
