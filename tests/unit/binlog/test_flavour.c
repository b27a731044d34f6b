#include "unit/cmocka_prelude.h"

#include "binlog/flavour.h"

static struct error err;

static void the_version_text_tells_the_flavour(void **state)
{
	(void)state;
	assert_int_equal(flavour_of_version("10.11.19-MariaDB-0+deb12u1-log"), FLAVOUR_MARIADB);
	assert_int_equal(flavour_of_version("5.5.5-10.3.1-MARIADB"), FLAVOUR_MARIADB);
	assert_int_equal(flavour_of_version("9.7.4"), FLAVOUR_MYSQL);
	assert_int_equal(flavour_of_version("8.0.36-28 Percona"), FLAVOUR_MYSQL);
}

static void only_a_mariadb_has_a_false_prefix(void **state)
{
	(void)state;
	assert_string_equal(flavour_version_text("5.5.5-10.11.2-MariaDB"), "10.11.2-MariaDB");
	assert_string_equal(flavour_version_text("10.11.2-MariaDB"), "10.11.2-MariaDB");
	assert_string_equal(flavour_version_text("5.5.5-m3"), "5.5.5-m3");
}

static void a_mariadb_session_is_asked_for_the_unchanged_stream(void **state)
{
	char text[FLAVOUR_STATEMENT_SIZE];

	(void)state;
	assert_int_equal(flavour_statement(FLAVOUR_MARIADB, 0, 1000000, text, &err), 1);
	assert_string_equal(text, "SET @mariadb_slave_capability=4");
	assert_int_equal(flavour_statement(FLAVOUR_MARIADB, 1, 1000000, text, &err), 1);
	assert_string_equal(text, "SET @master_binlog_checksum=@@global.binlog_checksum");
	assert_int_equal(flavour_statement(FLAVOUR_MARIADB, 2, 1000000, text, &err), 1);
	assert_string_equal(text, "SET @master_heartbeat_period=1000000000");
	assert_int_equal(flavour_statement(FLAVOUR_MARIADB, 3, 1000000, text, &err), 0);
	assert_int_equal(flavour_statement(FLAVOUR_MARIADB, 1000, 1000000, text, &err), 0);
	assert_int_equal(flavour_traits(FLAVOUR_MARIADB)->dump_flags, 2);
	assert_string_equal(flavour_traits(FLAVOUR_MARIADB)->replay_tool, "mariadb-binlog");
	assert_string_equal(flavour_traits(FLAVOUR_MARIADB)->semi_sync,
			    "SET @rpl_semi_sync_slave=1");
	assert_string_equal(flavour_traits(FLAVOUR_MARIADB)->name, "MariaDB");
}

static void a_mysql_session_uses_both_spellings(void **state)
{
	char text[FLAVOUR_STATEMENT_SIZE];

	(void)state;
	assert_int_equal(flavour_statement(FLAVOUR_MYSQL, 0, 1, text, &err), 1);
	assert_string_equal(text, "SET @source_binlog_checksum=@@global.binlog_checksum,"
				  " @master_binlog_checksum=@@global.binlog_checksum");
	assert_int_equal(flavour_statement(FLAVOUR_MYSQL, 1, UINT64_MAX / 1000, text, &err), 1);
	assert_string_equal(text, "SET @source_heartbeat_period=18446744073709551000,"
				  " @master_heartbeat_period=18446744073709551000");
	assert_int_equal(flavour_statement(FLAVOUR_MYSQL, 2, 1, text, &err), 0);
	assert_string_equal(flavour_traits(FLAVOUR_MYSQL)->replay_tool, "mysqlbinlog");
	assert_string_equal(flavour_traits(FLAVOUR_MYSQL)->semi_sync,
			    "SET @rpl_semi_sync_replica=1, @rpl_semi_sync_slave=1");
}

static void a_heartbeat_beyond_all_time_is_refused(void **state)
{
	char text[FLAVOUR_STATEMENT_SIZE];

	(void)state;
	assert_fails(flavour_statement(FLAVOUR_MYSQL, 1, UINT64_MAX, text, &err), &err, ERROR_USAGE,
		     "is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_text_tells_the_flavour),
		cmocka_unit_test(only_a_mariadb_has_a_false_prefix),
		cmocka_unit_test(a_mariadb_session_is_asked_for_the_unchanged_stream),
		cmocka_unit_test(a_mysql_session_uses_both_spellings),
		cmocka_unit_test(a_heartbeat_beyond_all_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
