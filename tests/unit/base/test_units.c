#include "unit/cmocka_prelude.h"

#include <stdlib.h>
#include <time.h>

#include "base/units.h"

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{"0", 0},
		{"1", 1},
		{"4096", 4096},
		{"1K", 1024},
		{"256M", UINT64_C(256) << 20},
		{"3G", UINT64_C(3) << 30},
		{"16T", UINT64_C(16) << 40},
		{"16777215T", UINT64_C(16777215) << 40},
		{"18446744073709551615", UINT64_MAX},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t size = 77;

		assert_ok(size_parse(good[i].text, &size, &err), &err);
		assert_true(size == good[i].size);
	}
}

static void other_texts_are_no_sizes(void **state)
{
	static const char *const bad[] = {"",
					  "K",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "1k",
					  "1KB",
					  "1.5G",
					  "0x10",
					  "1KK",
					  "1P",
					  "18446744073709551616",
					  "16777216T",
					  "99999999999999999999"};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t size;

		assert_fails(size_parse(bad[i], &size, &err), &err, ERROR_USAGE,
			     "is not a size: write");
		assert_non_null(strstr(err.message, bad[i]));
	}
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{"0s", 0},
		{"100ms", 100000},
		{"1s", 1000000},
		{"15m", 900 * USEC_PER_SEC},
		{"2h", 7200 * USEC_PER_SEC},
		{"90d", 90 * 86400 * USEC_PER_SEC},
	};
	static const char *const bad[] = {"",	  "5",	 "s",	 "5 s", "5S",
					  "1.5h", "-1s", "5sec", "5us", "213503982334602d"};
	struct error err = {0};
	uint64_t usec;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_ok(duration_parse(good[i].text, &usec, &err), &err);
		assert_true(usec == good[i].usec);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(duration_parse(bad[i], &usec, &err), &err, ERROR_USAGE,
			     "is not a duration: write");
}

static void sizes_are_written_with_three_digits(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} good[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1024, "1.00 KiB"},
		{1536, "1.50 KiB"},
		{10 * 1024, "10.0 KiB"},
		{100 * 1024, "100 KiB"},
		{1023 * 1024, "1.00 MiB"},
		{UINT64_C(14541) << 20, "14.2 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[SIZE_TEXT_SIZE];

		size_format(good[i].size, text);
		assert_string_equal(text, good[i].text);
	}
	for (int bit = 0; bit < 64; bit++) {
		char text[SIZE_TEXT_SIZE];

		size_format((UINT64_C(1) << bit) - 1, text);
		assert_in_range(strlen(text), 3, 8);
	}
}

static void times_are_read_and_written_in_utc(void **state)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01", 0},
		{"2026-08-23T03:21:06.918123Z", UINT64_C(1787455266918123)},
		{"2026-08-23 03:21:06", UINT64_C(1787455266000000)},
		{"2026-08-23T03:21:06.9", UINT64_C(1787455266900000)},
		{"2026-08-23T03:21:06.9181239Z", UINT64_C(1787455266918123)},
		{"2024-02-29T00:00:00Z", UINT64_C(1709164800000000)},
		{"9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999)},
	};
	struct error err = {0};
	char text[TIME_TEXT_SIZE];

	(void)state;
	/* the zone of the process has no say */
	setenv("TZ", "America/New_York", 1);
	tzset();
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t usec = 1;

		assert_ok(time_parse(good[i].text, &usec, &err), &err);
		assert_true(usec == good[i].usec);
	}
	time_format(UINT64_C(1787455266918123), text);
	assert_string_equal(text, "2026-08-23T03:21:06.918123Z");
	time_format(UINT64_C(253402300800000000), text);
	assert_string_equal(text, "after the year 9999");
	time_format(UINT64_MAX, text);
	assert_string_equal(text, "after the year 9999");
	setenv("TZ", "UTC", 1);
	tzset();
}

static void every_time_that_is_written_is_read_back(void **state)
{
	struct error err = {0};
	unsigned seed = 11;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t usec = ((uint64_t)rand_r(&seed) << 31 | (uint64_t)rand_r(&seed)) %
				UINT64_C(253402300800000000);
		uint64_t back = 0;
		char text[TIME_TEXT_SIZE];

		time_format(usec, text);
		assert_ok(time_parse(text, &back, &err), &err);
		assert_true(back == usec);
	}
}

static void other_texts_are_no_times(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"1969-12-31T23:59:59Z",
		"2026-02-30T00:00:00Z",
		"2025-02-29",
		"2026-13-01",
		"2026-08-23T24:00:00Z",
		"2026-08-23T23:59:60Z",
		"2026-08-23T03:21Z",
		"2026-08-23T03:21:06+02:00",
		"2026-08-23T03:21:06ZZ",
		"2026-08-23T03:21:06.Z",
		"2026-08-23Z",
		"2026-08-23T",
		"2026-8-23",
		" 2026-08-23",
		"2026-08- 3",
		"26-08-23",
		"+2026-08-23",
		"2026-08-23T 3:21:06Z",
		"2026-08-23  03:21:06",
		"2026-08-23T03:21:06.9 Z",
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t usec = 0;
		int r = time_parse(bad[i], &usec, &err);

		if (r == 0)
			print_message("'%s' was read as a time\n", bad[i]);
		assert_fails(r, &err, ERROR_USAGE, "is not a time: write it in UTC");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(other_texts_are_no_sizes),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(sizes_are_written_with_three_digits),
		cmocka_unit_test(times_are_read_and_written_in_utc),
		cmocka_unit_test(every_time_that_is_written_is_read_back),
		cmocka_unit_test(other_texts_are_no_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
