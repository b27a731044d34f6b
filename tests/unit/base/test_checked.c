#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "base/cleanup.h"

static void overflow_is_true_in_both_directions(void **state)
{
	uint64_t wide;
	uint32_t narrow;
	int64_t number;

	(void)state;
	assert_false(checked_add(UINT64_MAX - 1, UINT64_C(1), &wide));
	assert_true(wide == UINT64_MAX);
	assert_true(checked_add(UINT64_MAX, UINT64_C(1), &wide));
	assert_false(checked_sub(UINT64_C(5), UINT64_C(5), &wide));
	assert_true(checked_sub(UINT64_C(5), UINT64_C(6), &wide));
	assert_false(checked_mul(UINT64_C(1) << 31, UINT64_C(1) << 32, &wide));
	assert_true(checked_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &wide));
	/* a narrower result, and mixed signs, count as well */
	assert_true(checked_add(UINT32_MAX, UINT64_C(1), &narrow));
	assert_false(checked_sub(UINT64_C(5), UINT64_C(6), &number));
	assert_int_equal(number, -1);
}

static void sizes_are_rounded_up_to_whole_blocks(void **state)
{
	(void)state;
	assert_int_equal(round_up(0, 4096), 0);
	assert_int_equal(round_up(1, 4096), 4096);
	assert_int_equal(round_up(4096, 4096), 4096);
	assert_int_equal(round_up(4097, 4096), 8192);
	assert_true(round_up(UINT64_C(1) << 40 | 1, 65536) == (UINT64_C(1) << 40) + 65536);
	for (uint64_t size = 0; size < 300; size++) {
		uint64_t whole = round_up(size, 16);

		assert_true(whole % 16 == 0 && whole >= size && whole < size + 16);
	}
}

static void taking_leaves_the_empty_value(void **state)
{
	char text[] = "x";
	char *pointer = text;
	int fd = 7;

	(void)state;
	assert_ptr_equal(TAKE(pointer), text);
	assert_null(pointer);
	assert_int_equal(TAKE_FD(fd), 7);
	assert_int_equal(fd, -1);
	assert_int_equal(MIN(3, 4), 3);
	assert_int_equal(MAX(3, 4), 4);
	assert_int_equal(ARRAY_LENGTH(text), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overflow_is_true_in_both_directions),
		cmocka_unit_test(sizes_are_rounded_up_to_whole_blocks),
		cmocka_unit_test(taking_leaves_the_empty_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
