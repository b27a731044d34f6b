#include "unit/cmocka_prelude.h"

#include "base/retry.h"

#include "base/units.h"

static void failures_wait_up_to_a_minute_and_never_less_than_a_tenth_of_a_second(void **state)
{
	struct retry retry = {0};
	uint64_t limit = USEC_PER_SEC;

	(void)state;
	for (int i = 0; i < 70; i++) {
		struct retry again = retry;

		assert_int_equal(retry_after_failure(&again, 0), 100 * USEC_PER_MSEC);
		again = retry;
		assert_int_equal(retry_after_failure(&again, limit - 100 * USEC_PER_MSEC), limit);
		assert_true(retry_after_failure(&retry, UINT64_MAX) <= limit);
		limit = limit < 30 * USEC_PER_SEC ? 2 * limit : 60 * USEC_PER_SEC;
		if (i == 5)
			limit = 60 * USEC_PER_SEC;
	}
}

static void refusals_are_tried_slowly_from_the_first(void **state)
{
	struct retry retry = {0};
	uint64_t delay = retry_after_refusal(&retry, UINT64_MAX);

	(void)state;
	assert_true(delay > 4 * USEC_PER_SEC && delay <= 5 * USEC_PER_SEC);
	for (int i = 0; i < 10; i++)
		delay = retry_after_refusal(&retry, (uint64_t)i * 12345678901u);
	assert_true(delay > 53 * USEC_PER_SEC && delay <= 60 * USEC_PER_SEC);
}

static void a_conflict_is_tried_once_an_hour_at_most(void **state)
{
	struct retry retry = {0};

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t delay = retry_after_conflict(&retry, i * 12345678901u);

		assert_true(delay >= 3600 * USEC_PER_SEC && delay < 3960 * USEC_PER_SEC);
	}
}

static void success_begins_anew(void **state)
{
	struct retry retry = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)retry_after_failure(&retry, 1);
	retry_reset(&retry);
	assert_true(retry_after_failure(&retry, UINT64_MAX) <= USEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			failures_wait_up_to_a_minute_and_never_less_than_a_tenth_of_a_second),
		cmocka_unit_test(refusals_are_tried_slowly_from_the_first),
		cmocka_unit_test(a_conflict_is_tried_once_an_hour_at_most),
		cmocka_unit_test(success_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
