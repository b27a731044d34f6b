#include "unit/cmocka_prelude.h"

#include "binlog/gtid_text.h"
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

/* Events of the golden file; mysqlbinlog prints these GTIDs for them. */
static void the_tagged_gtids_of_a_server_are_decoded(void **state)
{
	static const struct {
		size_t offset;
		const char *text;
	} examples[] = {
		{9640, "98b21662-e9b3-11f1-8420-02fc00000001:payments:1"},
		{9938, "98b21662-e9b3-11f1-8420-02fc00000001:payments:2"},
		{10586, "98b21662-e9b3-11f1-8420-02fc00000001:stock:1"},
		{11186, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:nightly:3"},
	};
	static struct golden golden;

	(void)state;
	golden_load(&golden, GOLDEN_MYSQL);
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const uint8_t *event = golden.bytes + examples[i].offset;
		size_t size = golden.size - examples[i].offset;
		struct event_header header;
		struct gtid_event gtid;
		char text[GTID_TEXT_SIZE];

		assert_ok(event_header_decode(event, size, &header, &err), &err);
		assert_int_equal(header.type, EVENT_GTID_TAGGED);
		assert_ok(gtid_event_decode(&header, event, size, &gtid, &err), &err);
		assert_true(gtid.is_known);
		assert_int_equal(gtid.flags, 0);
		assert_int_equal(gtid.gtid.group.bytes[0], 'Y');
		assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
		assert_string_equal(text, examples[i].text);
	}
}

/* A tagged event of @body, an array that begins with the version, and of @given bytes. */
static int decode_tagged(const uint8_t *body, size_t body_size, size_t given,
			 struct gtid_event *ret_gtid)
{
	uint8_t event[256];
	struct event_header header;
	size_t size = put_header(event, EVENT_GTID_TAGGED, 0, body_size);

	memcpy(event + EVENT_HEADER_SIZE, body, body_size);
	assert_ok(event_header_decode(event, size, &header, &err), &err);
	return gtid_event_decode(&header, event, given ? given : size, ret_gtid, &err);
}

#define UUID_VARIABLE 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2

static void a_tagged_gtid_may_leave_out_and_add_fields(void **state)
{
	static const uint8_t all[] = {2, 56, 0, 0, 2, 2, UUID_VARIABLE, 4, 4, 6, 4, 'a', 'b'};
	static const uint8_t less[] = {2, 44, 0, 2, UUID_VARIABLE, 4, 8};
	static const uint8_t more[] = {2, 60,  24, 2,	UUID_VARIABLE, 4,   4,	6,
				       2, 'a', 48, 'w', 'h',	       'a', 't'};
	struct gtid_event gtid;
	char text[GTID_TEXT_SIZE];

	(void)state;
	assert_ok(decode_tagged(all, sizeof(all), 0, &gtid), &err);
	assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
	assert_string_equal(text, "01010101-0101-0101-0101-010101010101:ab:1");
	assert_ok(decode_tagged(less, sizeof(less), 0, &gtid), &err);
	assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
	assert_string_equal(text, "01010101-0101-0101-0101-010101010101:2");
	assert_ok(decode_tagged(more, sizeof(more), 0, &gtid), &err);
	assert_ok(gtid_format(&gtid.gtid, text, &err), &err);
	assert_string_equal(text, "01010101-0101-0101-0101-010101010101:a:1");
}

static void a_tagged_gtid_that_no_server_writes_is_refused(void **state)
{
	uint8_t body[] = {2, 56, 0, 0, 2, 2, UUID_VARIABLE, 4, 4, 6, 4, 'a', 'b', 0, 0, 0, 0};
	size_t size = sizeof(body) - 4;
	struct gtid_event gtid;

	(void)state;
#define REFUSED(offset, value, sentence)                                                           \
	do {                                                                                       \
		uint8_t kept = body[offset];                                                       \
                                                                                                   \
		body[offset] = (value);                                                            \
		assert_fails(decode_tagged(body, size, 0, &gtid), &err, ERROR_DEFECT, sentence);   \
		body[offset] = kept;                                                               \
	} while (0)
	assert_ok(decode_tagged(body, size, 0, &gtid), &err);
	assert_ok(decode_tagged(body, size + 4, 0, &gtid), &err); /* with a CRC */
	assert_fails(decode_tagged(body, size + 3, 0, &gtid), &err, ERROR_DEFECT,
		     "with a body of 31 bytes gives it a size of 28");
	REFUSED(0, 4, "of the serialization version 2, which this version does not know");
	REFUSED(1, 4, "with a body of 28 bytes gives it a size of 2");
	REFUSED(1, 0xfe, "with a body of 28 bytes gives it a size of 127");
	REFUSED(2, 26, "has a field 12 that must be understood, and is not");
	REFUSED(3, 4, "lacks a field, or has one that is cut off"); /* the number before the UUID */
	REFUSED(5, 4, "lacks a field, or has one that is cut off");
	REFUSED(6, 0xff, "lacks a field, or has one that is cut off"); /* a byte above 255 */
	REFUSED(23, 0, "GTID with the number 0");
	REFUSED(23, 2, "GTID with the number 18446744073709551615");
	REFUSED(25, 6, "lacks a field, or has one that is cut off"); /* 3 of 2 characters */
	REFUSED(26, 'A', "GTID tag of 2 bytes is not [a-z_][a-z0-9_]{0,31}");
	REFUSED(26, '1', "GTID tag of 2 bytes");
	REFUSED(27, ':', "GTID tag of 2 bytes");
	for (size_t given = EVENT_HEADER_SIZE; given < EVENT_HEADER_SIZE + size; given++)
		assert_fails(decode_tagged(body, size, given, &gtid), &err, ERROR_DEFECT,
			     "GTID_TAGGED of 47 bytes is too short");
}

static void a_group_says_what_it_means(void **state)
{
	static const uint8_t uuid[GTID_UUID_SIZE] = {1, 2, 3};
	static const uint8_t tag[] = "a_1";
	struct gtid_group_parts parts;
	struct gtid_group group;

	(void)state;
	gtid_group_mariadb(&group, 7, 11);
	assert_ok(gtid_group_read(&group, &parts, &err), &err);
	assert_int_equal(parts.flavour, FLAVOUR_MARIADB);
	assert_int_equal(parts.domain, 7);
	assert_int_equal(parts.server_id, 11);
	assert_ok(gtid_group_tagged(&group, uuid, tag, 3, &err), &err);
	assert_int_equal(group.size, 20);
	assert_ok(gtid_group_read(&group, &parts, &err), &err);
	assert_int_equal(parts.flavour, FLAVOUR_MYSQL);
	assert_memory_equal(parts.uuid, uuid, sizeof(uuid));
	assert_string_equal(parts.tag, "a_1");
	gtid_group_mysql(&group, uuid);
	assert_ok(gtid_group_read(&group, &parts, &err), &err);
	assert_string_equal(parts.tag, "");
	assert_fails(gtid_group_tagged(&group, uuid, tag, 33, &err), &err, ERROR_DEFECT,
		     "GTID tag of 33 bytes is not");
	group.bytes[0] = 'Z';
	assert_fails(gtid_group_read(&group, &parts, &err), &err, ERROR_DEFECT,
		     "GTID group of 17 bytes is of no known form");
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
		cmocka_unit_test(a_mysql_gtid_is_decoded),
		cmocka_unit_test(the_tagged_gtids_of_a_server_are_decoded),
		cmocka_unit_test(a_tagged_gtid_may_leave_out_and_add_fields),
		cmocka_unit_test(a_tagged_gtid_that_no_server_writes_is_refused),
		cmocka_unit_test(a_group_says_what_it_means),
		cmocka_unit_test(groups_are_equal_if_their_bytes_are),
		cmocka_unit_test(an_empty_and_a_full_list_of_real_files_are_read),
		cmocka_unit_test(a_list_longer_than_its_event_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
