#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "command/until.h"

static void a_file_and_a_position_are_read(void **state)
{
	char file[BINLOG_NAME_MAX + 1];
	struct error err = {0};
	uint64_t position;

	(void)state;
	assert_ok(until_parse_position("mariadb-bin.000412:71002311", file, &position, &err), &err);
	assert_string_equal(file, "mariadb-bin.000412");
	assert_int_equal(position, 71002311);
	assert_ok(until_parse_position("b.1:18446744073709551615", file, &position, &err), &err);
	assert_int_equal(position, UINT64_MAX);
}

static void anything_else_is_refused_with_an_example(void **state)
{
	static const char *const texts[] = {
		"",	  ":",	    "b.1",    "b.1:",	":4",	"b.1:4x",
		"b.1:-4", "b.1: 4", "b.1:+4", "../b:4", ".b:4", "b.1:18446744073709551616",
		"b:1:2",  "b 1:4",
	};
	char file[BINLOG_NAME_MAX + 1], text[BINLOG_NAME_MAX + 8];
	struct error err = {0};
	uint64_t position;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_fails(until_parse_position(texts[i], file, &position, &err), &err,
			     ERROR_USAGE, "is not FILE:POSITION, such as");
	memset(text, 'b', sizeof(text));
	memcpy(text + BINLOG_NAME_MAX + 1, ":4", 3);
	assert_fails(until_parse_position(text, file, &position, &err), &err, ERROR_USAGE,
		     "is not FILE:POSITION");
	assert_ok(until_parse_position(text + 1, file, &position, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_and_a_position_are_read),
		cmocka_unit_test(anything_else_is_refused_with_an_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
