#include "unit/cmocka_prelude.h"

#include "base/units.h"
#include "pull/allowance.h"

static void a_second_allows_what_the_limit_says(void **state)
{
	struct allowance allowance;
	uint64_t now = 5 * USEC_PER_SEC, end = now + USEC_PER_SEC, size = 0;

	(void)state;
	allowance_start(&allowance, 1000000, now);
	while (now < end) {
		if (allowance_is_left(&allowance, now)) {
			allowance_take(&allowance, 1000);
			size += 1000;
			continue;
		}
		assert_true(allowance_deadline(&allowance) > now);
		now = allowance_deadline(&allowance);
	}
	assert_in_range(size, 900000, 1101000);
}

/* However long nothing came: a burst is a tenth of a second's worth. */
static void what_was_not_used_is_not_saved_up(void **state)
{
	struct allowance allowance;

	(void)state;
	allowance_start(&allowance, 1000, 0);
	assert_true(allowance_is_left(&allowance, 3600 * USEC_PER_SEC));
	allowance_take(&allowance, 102);
	assert_false(allowance_is_left(&allowance, 3600 * USEC_PER_SEC));
}

static void without_a_limit_all_may_be_read(void **state)
{
	struct allowance allowance;

	(void)state;
	allowance_start(&allowance, 0, 0);
	allowance_take(&allowance, UINT64_C(1) << 40);
	assert_true(allowance_is_left(&allowance, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_allows_what_the_limit_says),
		cmocka_unit_test(what_was_not_used_is_not_saved_up),
		cmocka_unit_test(without_a_limit_all_may_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
