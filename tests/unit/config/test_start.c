#include "unit/cmocka_prelude.h"

#include "config/start.h"

#define ID "7c370000-aaaa-BBBB-0000-000000000001"

static void each_form_is_known(void **state)
{
	static const struct {
		const char *text;
		enum start_kind kind;
		const char *file;
	} rows[] = {
		{"oldest", START_OLDEST, ""},
		{"now", START_NOW, ""},
		{"mariadb-bin.000412", START_FILE, "mariadb-bin.000412"},
		{"mariadb-bin.000412:88213941", START_FILE, "mariadb-bin.000412"},
		{"0-11-884213", START_GTID, ""},
		{"0-11-884213,1-2-3 , 7-1-1", START_GTID, ""},
		{ID ":1", START_GTID, ""},
		{ID ":1-5:7-9:tag_one:3", START_GTID, ""},
		{ID ":1-5, " ID ":7", START_GTID, ""},
	};
	char file[BINLOG_NAME_MAX + 1];
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_ok(start_check(rows[i].text, &err), &err);
		assert_int_equal(start_kind(rows[i].text), rows[i].kind);
		if (rows[i].kind != START_FILE)
			continue;
		start_file(rows[i].text, file);
		assert_string_equal(file, rows[i].file);
	}
}

static void anything_else_has_a_sentence(void **state)
{
	static const char *const texts[] = {"",	      "../x", "a b",	  "file:",	"file:12x",
					    "0-1-1,", ID ":", "file:4:5", "/etc/passwd"};
	char longest[BINLOG_NAME_MAX + 2];
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(start_check(texts[i], &err), &err, ERROR_USAGE, "is not one of");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_fails(start_check(longest, &err), &err, ERROR_USAGE, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_known),
		cmocka_unit_test(anything_else_has_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
