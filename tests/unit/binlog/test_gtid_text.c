#include "unit/cmocka_prelude.h"

#include <stdio.h>

#include "binlog/gtid_text.h"

#define UUID  "7c370102-0304-0506-0708-090a0b0c0d0e"
#define OTHER "ffffffff-0304-0506-0708-090a0b0c0d0e"

static struct error err;

/* Read @string, and write what was read: its intervals, each with a blank before it. */
static int read_set(enum flavour flavour, const char *string, char *ret_text, size_t size)
{
	struct gtid_interval interval;
	struct gtid_text text;
	size_t length = 0;
	int r;

	ret_text[0] = '\0';
	gtid_text_init(&text, flavour, string);
	while ((r = gtid_text_next(&text, &interval, &err)) > 0) {
		char item[GTID_INTERVAL_TEXT_SIZE];

		assert_true(interval.first <= interval.last);
		assert_ok(gtid_interval_format(&interval, item, &err), &err);
		length += (size_t)snprintf(ret_text + length, size - length, " %s", item);
	}
	if (r == 0)
		assert_int_equal(gtid_text_next(&text, &interval, &err), 0);
	return r;
}

static void assert_reads(enum flavour flavour, const char *string, const char *expected)
{
	char text[1024];

	assert_ok(read_set(flavour, string, text, sizeof(text)), &err);
	assert_string_equal(text, expected);
}

static void assert_refused(enum flavour flavour, const char *string, const char *sentence)
{
	char text[1024];

	assert_fails(read_set(flavour, string, text, sizeof(text)), &err, ERROR_DEFECT, sentence);
}

static void the_sets_of_mysql_are_read(void **state)
{
	(void)state;
	assert_reads(FLAVOUR_MYSQL, "", "");
	assert_reads(FLAVOUR_MYSQL, UUID ":1", " " UUID ":1");
	assert_reads(FLAVOUR_MYSQL, UUID ":1-5:7-9:tag:1-3,\n" OTHER ":1",
		     " " UUID ":1-5 " UUID ":7-9 " UUID ":tag:1-3 " OTHER ":1");
	/* @@gtid_executed of a MySQL 9.7.4 */
	assert_reads(FLAVOUR_MYSQL,
		     "00000000-0000-0000-0000-000000000001:9223372036854775806,\n" UUID
		     ":1-2:7:_0123456789012345678901234567890:3:tag_one:1,\n" OTHER ":x:4000000000",
		     " 00000000-0000-0000-0000-000000000001:9223372036854775806 " UUID ":1-2 " UUID
		     ":7 " UUID ":_0123456789012345678901234567890:3 " UUID ":tag_one:1 " OTHER
		     ":x:4000000000");
	/* A new UUID has no tag until it says so. */
	assert_reads(FLAVOUR_MYSQL, UUID ":a:1," UUID ":2", " " UUID ":a:1 " UUID ":2");
	assert_reads(FLAVOUR_MYSQL, UUID ":a:1:b:2:3", " " UUID ":a:1 " UUID ":b:2 " UUID ":b:3");
}

/* What Gtid_set::add_gtid_text() takes too, though the server never writes it. */
static void what_a_person_types_is_read_as_mysql_reads_it(void **state)
{
	(void)state;
	assert_reads(FLAVOUR_MYSQL, " , ,, \t\r\n", "");
	assert_reads(FLAVOUR_MYSQL, UUID, "");
	assert_reads(FLAVOUR_MYSQL, UUID ":tag", "");
	assert_reads(FLAVOUR_MYSQL, " 7C370102-0304-0506-0708-090A0B0C0D0E : 1 - 5 : TAG : 2 , ",
		     " " UUID ":1-5 " UUID ":tag:2");
	assert_reads(FLAVOUR_MYSQL, UUID ":5-1:3-0:7", " " UUID ":7");
	assert_reads(FLAVOUR_MYSQL, UUID ":1-9223372036854775806",
		     " " UUID ":1-9223372036854775806");
}

static void what_mysql_refuses_or_reads_as_something_else_is_refused(void **state)
{
	static const char *const numbers[] = {UUID ":0",
					      UUID ":010",
					      UUID ":0x10",
					      UUID ":+1",
					      UUID ":-1",
					      UUID "::1",
					      UUID ":",
					      UUID ":1-5:",
					      UUID ":9223372036854775807",
					      UUID ": :1",
					      UUID ":99999999999999999999"};
	static const char *const ends[] = {UUID ":1-", UUID ":1--5", UUID ":1-010",
					   UUID ":1-9223372036854775807"};
	static const char *const behind[] = {UUID ":1x",      UUID ":1 2", UUID " " OTHER ":1",
					     UUID ":1;" UUID, UUID "0:1",  UUID ":1-0x10",
					     UUID ":tag-1",   UUID ":1_a"};
	static const char *const uuids[] = {
		"x",
		"7c370102",
		"7c370102-0304-0506-0708-090a0b0c0d0:1",
		"7c370102-0304-0506-0708-090a0b0c0d0g:1",
		"7c3701020304050607080-90a0b0c0d0e:1",
		"7c37010203040506070809 0a0b0c0d0e:1",
		"{7c370102-0304-0506-0708-090a0b0c0d0e}:1",
		"+" UUID ":1",
		"0-1-100",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_refused(FLAVOUR_MYSQL, numbers[i],
			       "GTID set: a number from 1 to 9223372036854775806, or a tag "
			       "expected at '");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		assert_refused(FLAVOUR_MYSQL, ends[i],
			       "GTID set: a number up to 9223372036854775806 expected at '");
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++)
		assert_refused(FLAVOUR_MYSQL, behind[i],
			       "GTID set: a colon, a comma or the end expected at '");
	for (size_t i = 0; i < sizeof(uuids) / sizeof(uuids[0]); i++)
		assert_refused(FLAVOUR_MYSQL, uuids[i], "GTID set: a UUID expected at '");
	assert_refused(FLAVOUR_MYSQL, UUID ":a0123456789012345678901234567890123:1",
		       "a tag of at most 32 characters expected at "
		       "'a0123456789012345678901234567890123:1'");
	assert_refused(FLAVOUR_MYSQL, "\033[2J0123456789012345678901234567890123456789",
		       "a UUID expected at '?[2J012345678901234567890123456789012345'...");
}

static void the_positions_of_mariadb_are_read(void **state)
{
	(void)state;
	assert_reads(FLAVOUR_MARIADB, "", "");
	assert_reads(FLAVOUR_MARIADB, "0-1-100,1-2-5", " 0-1-100 1-2-5");
	assert_reads(FLAVOUR_MARIADB, " 0-1-100 ,, \n1-2-5,", " 0-1-100 1-2-5");
	assert_reads(FLAVOUR_MARIADB, "0-1-0,7-1-1", " 7-1-1");
	assert_reads(FLAVOUR_MARIADB, "4294967295-4294967295-18446744073709551615",
		     " 4294967295-4294967295-18446744073709551615");
}

static void what_is_no_position_is_refused(void **state)
{
	static const char *const items[] = {"x",
					    "0",
					    "0-1",
					    "0-1-",
					    "0--1",
					    "-0-1-1",
					    "4294967296-1-1",
					    "0-4294967296-1",
					    UUID ":1",
					    "0-1-18446744073709551616"};
	static const char *const behind[] = {"0-1-1-2", "0-1-1 0-1-2", "0-1-1:3"};

	(void)state;
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		assert_refused(FLAVOUR_MARIADB, items[i],
			       "GTID set: DOMAIN-SERVER-NUMBER expected at '");
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++)
		assert_refused(FLAVOUR_MARIADB, behind[i],
			       "GTID set: a comma or the end expected at '");
}

static void a_mariadb_gtid_stands_for_all_up_to_it(void **state)
{
	struct gtid_interval interval;
	struct gtid_text text;

	(void)state;
	gtid_text_init(&text, FLAVOUR_MARIADB, "3-7-9");
	assert_int_equal(gtid_text_next(&text, &interval, &err), 1);
	assert_int_equal(interval.first, 1);
	assert_int_equal(interval.last, 9);
	assert_int_equal(interval.group.size, 9);
}

static void write_set(enum flavour flavour, const char *string, char *text, size_t size)
{
	struct gtid_text_writer writer;
	struct gtid_interval interval;
	struct gtid_text reader;

	gtid_text_writer_init(&writer, text, size);
	gtid_text_init(&reader, flavour, string);
	while (gtid_text_next(&reader, &interval, &err) > 0)
		assert_ok(gtid_text_writer_add(&writer, &interval, &err), &err);
	assert_int_equal(writer.length, strlen(text));
}

static void a_set_is_written_as_the_server_writes_it(void **state)
{
	static const char *const sets[] = {
		"",
		UUID ":1",
		UUID ":1-5:7",
		UUID ":1-5:7:a:1-3:b:4:9-10," OTHER ":tag:1",
		UUID ":a:1," OTHER ":1:a:2",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		write_set(FLAVOUR_MYSQL, sets[i], text, sizeof(text));
		assert_string_equal(text, sets[i]);
	}
	write_set(FLAVOUR_MARIADB, "0-1-100,0-2-7,1-1-5", text, sizeof(text));
	assert_string_equal(text, "0-1-100,0-2-7,1-1-5");
	/* Of one domain and server, the last is the position. */
	write_set(FLAVOUR_MARIADB, "0-1-5,0-1-100,0-2-7,0-2-70", text, sizeof(text));
	assert_string_equal(text, "0-1-100,0-2-70");
	/* A group without a tag behind one with a tag is out of order, and still not mixed up. */
	write_set(FLAVOUR_MYSQL, UUID ":a:1," UUID ":2", text, sizeof(text));
	assert_string_equal(text, UUID ":a:1," UUID ":2");
}

static void a_text_that_does_not_fit_says_so(void **state)
{
	static const char set[] = UUID ":1-5:7:a:1-3," OTHER ":8";
	static const char *const cuts[] = {"...", UUID ":1-5,...", UUID ":1-5:7,...",
					   UUID ":1-5:7:a:1-3,..."};
	char text[sizeof(set)], guard[256];

	(void)state;
	for (size_t size = GTID_TEXT_WRITER_SIZE_MIN; size < sizeof(set); size++) {
		const char *longest = NULL;

		memset(guard, '#', sizeof(guard));
		write_set(FLAVOUR_MYSQL, set, guard, size);
		assert_int_equal(guard[size], '#');
		for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
			if (strlen(cuts[i]) < size)
				longest = cuts[i];
		assert_non_null(longest);
		assert_string_equal(guard, longest);
	}
	write_set(FLAVOUR_MYSQL, set, text, sizeof(text));
	assert_string_equal(text, set);
	write_set(FLAVOUR_MARIADB, "0-1-9,1-1-9,1-1-100", text, 12);
	assert_string_equal(text, "0-1-9,...");
	write_set(FLAVOUR_MARIADB, "0-1-9,0-1-100000000", text, 10);
	assert_string_equal(text, "...");
}

static void the_largest_numbers_have_a_text(void **state)
{
	static const uint8_t tag[] = "abcdefghijklmnopqrstuvwxyz_01234";
	struct gtid_interval interval = {.first = UINT64_MAX - 1, .last = UINT64_MAX};
	struct gtid gtid = {.sequence = UINT64_MAX};
	uint8_t uuid[GTID_UUID_SIZE];
	char text[GTID_INTERVAL_TEXT_SIZE];

	(void)state;
	gtid_group_mariadb(&gtid.group, UINT32_MAX, UINT32_MAX);
	assert_ok(gtid_format(&gtid, text, &err), &err);
	assert_string_equal(text, "4294967295-4294967295-18446744073709551615");
	memset(uuid, 0xff, sizeof(uuid));
	assert_ok(gtid_group_tagged(&gtid.group, uuid, tag, GTID_TAG_MAX, &err), &err);
	assert_ok(gtid_format(&gtid, text, &err), &err);
	assert_string_equal(text, "ffffffff-ffff-ffff-ffff-ffffffffffff:"
				  "abcdefghijklmnopqrstuvwxyz_01234:18446744073709551615");
	interval.group = gtid.group;
	assert_ok(gtid_interval_format(&interval, text, &err), &err);
	assert_string_equal(text, "ffffffff-ffff-ffff-ffff-ffffffffffff:"
				  "abcdefghijklmnopqrstuvwxyz_01234:"
				  "18446744073709551614-18446744073709551615");
}

static void a_group_of_another_form_has_no_text(void **state)
{
	struct gtid gtid = {.group = {.bytes = {'M'}, .size = 8}};
	struct gtid_interval interval = {.first = 1, .last = 1};
	struct gtid_text_writer writer;
	char text[GTID_TEXT_SIZE];

	(void)state;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT,
		     "GTID group of 8 bytes is of no known form");
	gtid.group.bytes[0] = 'Y';
	gtid.group.size = 9;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid.group.size = 0;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid.group.size = 18; /* a tag that is a NUL */
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid.group.size = 50;
	memset(gtid.group.bytes + 1, 'a', 49);
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid.group.size = 49;
	assert_ok(gtid_format(&gtid, text, &err), &err);
	gtid.group.bytes[17] = '1';
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid_text_writer_init(&writer, text, sizeof(text));
	interval.group = gtid.group;
	assert_fails(gtid_text_writer_add(&writer, &interval, &err), &err, ERROR_DEFECT,
		     "of no known form");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sets_of_mysql_are_read),
		cmocka_unit_test(what_a_person_types_is_read_as_mysql_reads_it),
		cmocka_unit_test(what_mysql_refuses_or_reads_as_something_else_is_refused),
		cmocka_unit_test(the_positions_of_mariadb_are_read),
		cmocka_unit_test(what_is_no_position_is_refused),
		cmocka_unit_test(a_mariadb_gtid_stands_for_all_up_to_it),
		cmocka_unit_test(a_set_is_written_as_the_server_writes_it),
		cmocka_unit_test(a_text_that_does_not_fit_says_so),
		cmocka_unit_test(the_largest_numbers_have_a_text),
		cmocka_unit_test(a_group_of_another_form_has_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
