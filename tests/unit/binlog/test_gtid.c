#include "unit/cmocka_prelude.h"

#include "binlog/gtid.h"
#include "unit/binlog/golden.h"

static struct error err;

static void a_real_gtid_is_decoded(void **state)
{
	static struct golden golden;
	const uint8_t *event = golden.bytes + 371 - 42;
	struct event_header header;
	struct gtid_event gtid;
	char text[GTID_TEXT_SIZE];

	(void)state;
	golden_load(&golden, GOLDEN);
	assert_ok(event_header_decode(event, 42, &header, &err), &err);
	assert_int_equal(header.type, EVENT_MARIADB_GTID);
	assert_ok(gtid_event_decode(&header, event, 42, &gtid, &err), &err);
	assert_true(gtid.is_known);
	assert_int_equal(gtid.flags & GTID_FLAG_STANDALONE, GTID_FLAG_STANDALONE);
	assert_int_equal(gtid.flags & GTID_FLAG_DDL, GTID_FLAG_DDL);
	assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
	assert_string_equal(text, "0-11-1");
	assert_int_equal(gtid.gtid.group.size, 9);
	assert_memory_equal(gtid.gtid.group.bytes, "M\0\0\0\0\x0b\0\0\0", 9);
	/* The first 32 bytes are enough, 31 are not. */
	assert_ok(gtid_event_decode(&header, event, 32, &gtid, &err), &err);
	assert_fails(gtid_event_decode(&header, event, 31, &gtid, &err), &err, ERROR_DEFECT,
		     "MARIADB_GTID of 31 bytes is too short");
	header.length = 31;
	assert_fails(gtid_event_decode(&header, event, 42, &gtid, &err), &err, ERROR_DEFECT,
		     "MARIADB_GTID of 31 bytes is too short");
}

static void the_largest_numbers_have_a_text(void **state)
{
	struct gtid gtid = {.sequence = UINT64_MAX};
	char text[GTID_TEXT_SIZE];

	(void)state;
	gtid_group_mariadb(&gtid.group, UINT32_MAX, UINT32_MAX);
	assert_ok(gtid_format(&gtid, text, &err), &err);
	assert_string_equal(text, "4294967295-4294967295-18446744073709551615");
}

static void a_mysql_gtid_is_decoded(void **state)
{
	static const uint8_t uuid[16] = {0x7c, 0x37, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
	uint8_t event[128] = {0};
	struct event_header header;
	struct gtid_event gtid;
	char text[GTID_TEXT_SIZE];

	(void)state;
	put_header(event, EVENT_GTID, 0, 25);
	memcpy(event + 20, uuid, 16);
	put_le(event + 36, 884213, 8);
	assert_ok(event_header_decode(event, 44, &header, &err), &err);
	assert_ok(gtid_event_decode(&header, event, 44, &gtid, &err), &err);
	assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
	assert_string_equal(text, "7c370102-0304-0506-0708-090a0b0c0d0e:884213");
	assert_int_equal(gtid.gtid.group.size, 17);
	assert_int_equal(gtid.gtid.group.bytes[0], 'Y');
	put_le(event + 36, 0, 8);
	assert_fails(gtid_event_decode(&header, event, 44, &gtid, &err), &err, ERROR_DEFECT,
		     "GTID with the number 0");
	put_le(event + 36, 1ULL << 63, 8);
	assert_fails(gtid_event_decode(&header, event, 44, &gtid, &err), &err, ERROR_DEFECT,
		     "GTID with the number 9223372036854775808");
	assert_fails(gtid_event_decode(&header, event, 43, &gtid, &err), &err, ERROR_DEFECT,
		     "GTID of 43 bytes is too short");
	header.type = EVENT_ANONYMOUS_GTID;
	assert_ok(gtid_event_decode(&header, event, 44, &gtid, &err), &err);
	assert_false(gtid.is_known);
	header.type = EVENT_XID;
	assert_fails(gtid_event_decode(&header, event, 44, &gtid, &err), &err, ERROR_DEFECT,
		     "of type 16 (XID) carries no GTID");
}

static void a_group_of_another_form_has_no_text(void **state)
{
	struct gtid gtid = {.group = {.bytes = {'M'}, .size = 8}};
	char text[GTID_TEXT_SIZE];

	(void)state;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT,
		     "GTID group of 8 bytes is of no known form");
	gtid.group.bytes[0] = 'Y';
	gtid.group.size = 9;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
	gtid.group.size = 0;
	assert_fails(gtid_format(&gtid, text, &err), &err, ERROR_DEFECT, "of no known form");
}

static void groups_are_equal_if_their_bytes_are(void **state)
{
	struct gtid_group a, b;

	(void)state;
	gtid_group_mariadb(&a, 1, 2);
	gtid_group_mariadb(&b, 1, 2);
	assert_true(gtid_group_equal(&a, &b));
	gtid_group_mariadb(&b, 2, 1);
	assert_false(gtid_group_equal(&a, &b));
}

static void an_empty_and_a_full_list_of_real_files_are_read(void **state)
{
	static struct golden golden;
	struct gtid_list list;
	struct gtid gtid;
	char text[GTID_TEXT_SIZE];

	(void)state;
	golden_load(&golden, GOLDEN);
	assert_ok(gtid_list_decode(golden.bytes + 256, 29, 4, &list, &err), &err);
	assert_int_equal(list.count, 0);
	assert_int_equal(list.flags, 0);
	golden_load(&golden, GOLDEN_STOPPED);
	assert_ok(gtid_list_decode(golden.bytes + 256, 59, 4, &list, &err), &err);
	assert_int_equal(list.count, 2);
	gtid_list_entry(&list, 0, &gtid);
	assert_ok(gtid_format(&gtid, text, &err), &err);
	assert_string_equal(text, "7-11-2");
	gtid_list_entry(&list, 1, &gtid);
	assert_ok(gtid_format(&gtid, text, &err), &err);
	assert_string_equal(text, "0-11-44");
}

static void a_list_longer_than_its_event_is_refused(void **state)
{
	static struct golden golden;
	uint8_t *event = golden.bytes + 256;
	struct gtid_list list;

	(void)state;
	golden_load(&golden, GOLDEN_STOPPED);
	event[19] = 3;
	assert_fails(gtid_list_decode(event, 59, 4, &list, &err), &err, ERROR_DEFECT,
		     "GTID_LIST of 59 bytes is too short for 3 entries");
	put_le(event + 19, 0xffffffff, 4);
	assert_fails(gtid_list_decode(event, 59, 4, &list, &err), &err, ERROR_DEFECT,
		     "too short for 268435455 entries");
	assert_fails(gtid_list_decode(event, 58, 4, &list, &err), &err, ERROR_DEFECT,
		     "a length of 59, but has 58 bytes");
	put_le(event + 19, 0xf0000000, 4);
	assert_ok(gtid_list_decode(event, 59, 4, &list, &err), &err);
	assert_int_equal(list.flags, 15);
	put_le(event + 9, 26, 4);
	assert_fails(gtid_list_decode(event, 26, 4, &list, &err), &err, ERROR_DEFECT, "26 bytes");
	event[4] = EVENT_STOP;
	assert_fails(gtid_list_decode(event, 26, 4, &list, &err), &err, ERROR_DEFECT,
		     "of type 3 (STOP) where GTID_LIST is expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_gtid_is_decoded),
		cmocka_unit_test(the_largest_numbers_have_a_text),
		cmocka_unit_test(a_mysql_gtid_is_decoded),
		cmocka_unit_test(a_group_of_another_form_has_no_text),
		cmocka_unit_test(groups_are_equal_if_their_bytes_are),
		cmocka_unit_test(an_empty_and_a_full_list_of_real_files_are_read),
		cmocka_unit_test(a_list_longer_than_its_event_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
