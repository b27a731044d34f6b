#include "unit/cmocka_prelude.h"

#include <ctype.h>

#include "base/checked.h"
#include "base/name.h"

typedef int (*check)(const char *name, struct error *err);

static void names_of_every_kind_are_accepted(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(name_check_source("orders", &err), &err);
	assert_ok(name_check_source("0-a_b", &err), &err);
	assert_ok(name_check_binlog("mysql-bin.000001", &err), &err);
	assert_ok(name_check_binlog("Binlog_A.000001..x", &err), &err);
	assert_ok(name_check_export("T1-2026.08", &err), &err);
	assert_ok(name_check_export("-", &err), &err);
}

static void nothing_can_leave_its_directory(void **state)
{
	static const char *const bad[] = {"",	     ".",   "..",	"/",	 "a/b",	 "../a",
					  ".hidden", "a b", "a\nb",	"a\\b",	 "a:b",	 "a*",
					  "~",	     "$x",  "\xc3\xa4", "a\x01", "a\x7f"};
	check checks[] = {name_check_source, name_check_binlog, name_check_export,
			  name_check_bundled};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t c = 0; c < ARRAY_LENGTH(checks); c++)
			assert_int_equal(checks[c](bad[i], &err), ERROR_USAGE);
	}
}

static void each_byte_is_allowed_or_not_as_the_contract_says(void **state)
{
	struct error err = {0};

	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char first[] = {(char)byte, 0};
		char later[] = {'a', (char)byte, 0};
		int ascii = byte < 128;
		int lower = ascii && (islower(byte) || isdigit(byte));
		int word = ascii && (isalnum(byte) || byte == '_' || byte == '-');

		assert_int_equal(name_check_source(first, &err) == 0, lower);
		assert_int_equal(name_check_source(later, &err) == 0,
				 lower || byte == '_' || byte == '-');
		assert_int_equal(name_check_binlog(first, &err) == 0, word);
		assert_int_equal(name_check_binlog(later, &err) == 0, word || byte == '.');
		assert_int_equal(name_check_export(first, &err) == 0, word);
		assert_int_equal(name_check_export(later, &err) == 0, word || byte == '.');
		assert_int_equal(name_check_bundled(first, &err) == 0, word);
		assert_int_equal(name_check_bundled(later, &err) == 0, word || byte == '.');
	}
}

static void lengths_are_bounded(void **state)
{
	static const struct {
		check check;
		size_t max;
		const char *words;
	} kinds[] = {
		{name_check_source, SOURCE_NAME_MAX, "source name of 65 characters: 1 to 64"},
		{name_check_binlog, BINLOG_NAME_MAX,
		 "binlog file name of 129 characters: 1 to 128"},
		{name_check_export, EXPORT_NAME_MAX, "export name of 65 characters: 1 to 64"},
		{name_check_bundled, BUNDLE_NAME_MAX, "file name of 65 characters: 1 to 64"},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		char name[200] = {0};

		memset(name, 'a', kinds[i].max);
		assert_ok(kinds[i].check(name, &err), &err);
		name[kinds[i].max] = 'a';
		assert_fails(kinds[i].check(name, &err), &err, ERROR_USAGE, kinds[i].words);
	}
	assert_fails(name_check_source("ab/c", &err), &err, ERROR_USAGE, "not allowed at byte 2");
	assert_fails(name_check_source("-abc", &err), &err, ERROR_USAGE, "not allowed at byte 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_every_kind_are_accepted),
		cmocka_unit_test(nothing_can_leave_its_directory),
		cmocka_unit_test(each_byte_is_allowed_or_not_as_the_contract_says),
		cmocka_unit_test(lengths_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
