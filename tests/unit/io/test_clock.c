#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <time.h>

#include "base/units.h"
#include "io/clock.h"

static void clocks_go_forward(void **state)
{
	uint64_t monotonic = clock_monotonic_usec();
	uint64_t boottime = clock_boottime_usec();
	struct timespec pause = {.tv_nsec = 2000000};

	(void)state;
	nanosleep(&pause, NULL);
	assert_true(clock_monotonic_usec() >= monotonic + 2000);
	assert_true(clock_boottime_usec() >= boottime + 2000);
	assert_true(clock_boottime_usec() >= clock_monotonic_usec() - USEC_PER_SEC);
}

static void realtime_counts_from_1970(void **state)
{
	uint64_t now = clock_realtime_usec();
	time_t seconds = time(NULL);

	(void)state;
	assert_true(now / USEC_PER_SEC >= (uint64_t)seconds - 1);
	assert_true(now / USEC_PER_SEC <= (uint64_t)seconds + 2);
}

static void the_boot_id_is_a_uuid_and_stays(void **state)
{
	char first[BOOT_ID_SIZE];
	char second[BOOT_ID_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(clock_boot_id(first, &err), &err);
	assert_ok(clock_boot_id(second, &err), &err);
	assert_int_equal(strlen(first), BOOT_ID_SIZE - 1);
	assert_int_equal(first[8], '-');
	assert_int_equal(first[23], '-');
	assert_string_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(realtime_counts_from_1970),
		cmocka_unit_test(the_boot_id_is_a_uuid_and_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
