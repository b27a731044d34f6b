#include "unit/cmocka_prelude.h"

#include "provision/timekeeping.h"

static void names_are_read_and_comments_are_not(void **state)
{
	struct time_servers servers;
	struct error err = {0};

	(void)state;
	assert_ok(time_servers_parse("# of the bank\n\n time1.bank.example \t# roof\r\n"
				     "2001:db8::5",
				     &servers, &err),
		  &err);
	assert_int_equal(servers.count, 2);
	assert_string_equal(servers.names[0], "time1.bank.example");
	assert_string_equal(servers.names[1], "2001:db8::5");
	assert_ok(time_servers_parse("", &servers, &err), &err);
	assert_int_equal(servers.count, 0);
}

/* What would be a setting of its own for chronyd above all. */
static void a_line_that_is_no_name_is_refused(void **state)
{
	static const char *const texts[] = {"time1\nserver time2\n", "time1\ntime2 nts\n",
					    "time1\n;allow\n", "time1\ntime2/24\n"};
	char text[TIME_NAME_SIZE + 16];
	struct time_servers servers;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(time_servers_parse(texts[i], &servers, &err), &err, ERROR_USAGE,
			     "`time`, line 2: ");
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_fails(time_servers_parse(text, &servers, &err), &err, ERROR_USAGE,
		     "`time`, line 1: 'aaa");
	assert_fails(time_servers_parse("1\n2\n3\n4\n5\n6\n7\n8\n9\n", &servers, &err), &err,
		     ERROR_USAGE, "line 9: more than 8");
}

static void nobody_is_asked_who_has_not_proved_who_he_is(void **state)
{
	struct time_servers servers;
	char settings[TIME_SETTINGS_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(time_servers_parse("time1\ntime2\n", &servers, &err), &err);
	time_settings(&servers, "/ca.pem", settings);
	assert_non_null(strstr(settings, "ntstrustedcerts /ca.pem\nnosystemcert\n"
					 "authselectmode require\n"));
	assert_non_null(strstr(settings, "port 0\ncmdport 0\n"));
	assert_non_null(strstr(settings, "server time1 iburst nts\nserver time2 iburst nts\n"));
}

/* The longest that can be read can be written. */
static void eight_long_names_have_room(void **state)
{
	static char text[TIME_SERVERS_MAX * TIME_NAME_SIZE + 1];
	char settings[TIME_SETTINGS_SIZE];
	struct time_servers servers;
	struct error err = {0};

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 1; i <= TIME_SERVERS_MAX; i++)
		text[i * TIME_NAME_SIZE - 1] = '\n';
	assert_ok(time_servers_parse(text, &servers, &err), &err);
	assert_int_equal(servers.count, TIME_SERVERS_MAX);
	time_settings(&servers, "/var/lib/binvault/config/current/time-ca.pem", settings);
	assert_int_equal(settings[strlen(settings) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_and_comments_are_not),
		cmocka_unit_test(a_line_that_is_no_name_is_refused),
		cmocka_unit_test(nobody_is_asked_who_has_not_proved_who_he_is),
		cmocka_unit_test(eight_long_names_have_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
