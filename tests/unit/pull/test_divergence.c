#include "unit/cmocka_prelude.h"

#include "pull/divergence.h"

#define NOW (1000 * USEC_PER_SEC)

static void the_first_is_gone_on_with_at_once(void **state)
{
	struct divergence divergence = {0};

	(void)state;
	assert_int_equal(divergence_found(&divergence, true, NOW), NOW);
	assert_int_equal(divergence.reason, GENERATION_PURGED);
	divergence = (struct divergence){0};
	assert_int_equal(divergence_found(&divergence, false, NOW), NOW);
	assert_int_equal(divergence.reason, GENERATION_DIVERGED);
}

/* To look into the file is a part of finding out. */
static void another_file_of_the_name_is_a_reset(void **state)
{
	struct divergence divergence = {0};

	(void)state;
	assert_int_equal(divergence_found(&divergence, false, NOW), NOW);
	assert_int_equal(divergence_found(&divergence, false, NOW + 1), NOW + 1);
	assert_int_equal(divergence.reason, GENERATION_RESET);
}

static void a_history_that_keeps_changing_is_waited_for(void **state)
{
	struct divergence divergence = {0};

	(void)state;
	assert_int_equal(divergence_found(&divergence, true, NOW), NOW);
	divergence.reason = 0; /* gone on with */
	assert_int_equal(divergence_found(&divergence, true, NOW + USEC_PER_SEC),
			 NOW + DIVERGENCE_PAUSE_USEC);
	divergence.reason = 0;
	assert_int_equal(divergence_found(&divergence, true, 2 * NOW), 2 * NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_gone_on_with_at_once),
		cmocka_unit_test(another_file_of_the_name_is_a_reset),
		cmocka_unit_test(a_history_that_keeps_changing_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
