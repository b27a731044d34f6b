#include "unit/cmocka_prelude.h"

#include "binlog/gtid_text.h"
#include "binlog/previous_gtids.h"
#include "unit/binlog/golden.h"

static struct error err;

/* What MySQL 9.7.4 began its second file with, and its third when GTIDs with tags had come. */
static const char classic[] = "2b5b086b230b0000007f000000fe0000008000"
			      "0200000000000000"
			      "00000000000000000000000000000001" /* 00000000-… */
			      "0100000000000000"
			      "feffffffffffff7f"
			      "ffffffffffffff7f"
			      "7c370102030405060708090a0b0c0d0e"
			      "0200000000000000"
			      "0100000000000000"
			      "0300000000000000"
			      "0700000000000000"
			      "0800000000000000"
			      "3970117b";
static const char tagged[] =
	"2b5b086b230b00000024010000a30100008000"
	"0105000000000001"
	"0000000000000000000000000000000100"
	"0100000000000000"
	"feffffffffffff7f"
	"ffffffffffffff7f"
	"7c370102030405060708090a0b0c0d0e00"
	"0200000000000000"
	"0100000000000000"
	"0300000000000000"
	"0700000000000000"
	"0800000000000000"
	"7c370102030405060708090a0b0c0d0e405f30313233343536373839303132333435363738393031323334"
	"35363738393001"
	"00000000000000"
	"0300000000000000"
	"0400000000000000"
	"7c370102030405060708090a0b0c0d0e0e7461675f6f6e65"
	"0100000000000000"
	"0100000000000000"
	"0200000000000000"
	"ffffffff030405060708090a0b0c0d0e0278"
	"0100000000000000"
	"00286bee00000000"
	"01286bee00000000"
	"b68bb6c9";

#define COUNT_OFFSET EVENT_HEADER_SIZE

/* Read all of it; the text of the set, as the server writes it. */
static int read_all(const uint8_t *event, size_t size, size_t crc_size, char *text,
		    size_t text_size)
{
	struct gtid_text_writer writer;
	struct previous_gtids list;
	struct gtid_interval interval;
	int r = previous_gtids_decode(event, size, crc_size, &list, &err);

	if (r < 0)
		return r;
	gtid_text_writer_init(&writer, text, text_size);
	while ((r = previous_gtids_next(&list, &interval, &err)) > 0)
		assert_ok(gtid_text_writer_add(&writer, &interval, &err), &err);
	if (r == 0)
		assert_int_equal(previous_gtids_next(&list, &interval, &err), 0);
	return r;
}

static void both_encodings_of_a_server_are_read(void **state)
{
	uint8_t event[512];
	char text[512];
	size_t size = golden_hex(classic, event, sizeof(event));

	(void)state;
	assert_ok(event_crc_check_whole(event, size, &err), &err);
	assert_ok(read_all(event, size, 4, text, sizeof(text)), &err);
	assert_string_equal(text, "00000000-0000-0000-0000-000000000001:9223372036854775806,"
				  "7c370102-0304-0506-0708-090a0b0c0d0e:1-2:7");
	size = golden_hex(tagged, event, sizeof(event));
	assert_ok(event_crc_check_whole(event, size, &err), &err);
	assert_ok(read_all(event, size, 4, text, sizeof(text)), &err);
	/* @@gtid_executed, without its line ends */
	assert_string_equal(
		text, "00000000-0000-0000-0000-000000000001:9223372036854775806,"
		      "7c370102-0304-0506-0708-090a0b0c0d0e:1-2:7:_0123456789012345678901234567890:"
		      "3:tag_one:1,ffffffff-0304-0506-0708-090a0b0c0d0e:x:4000000000");
}

static void the_set_of_a_fresh_server_is_empty(void **state)
{
	static struct golden golden;
	char text[64];

	(void)state;
	golden_load(&golden, GOLDEN_MYSQL);
	assert_ok(read_all(golden.bytes + 127, 31, 4, text, sizeof(text)), &err);
	assert_string_equal(text, "");
}

/* Read @digits with the @size bytes at @offset replaced by @value. */
static int read_with(const char *digits, size_t offset, uint64_t value, size_t size)
{
	uint8_t event[512];
	char text[512];
	size_t event_size = golden_hex(digits, event, sizeof(event));

	put_le(event + offset, value, size);
	return read_all(event, event_size, 4, text, sizeof(text));
}

static void counts_that_lie_have_their_sentence(void **state)
{
	(void)state;
	assert_fails(read_with(classic, COUNT_OFFSET, 5, 8), &err, ERROR_DEFECT,
		     "no room for 5 groups in 96 bytes");
	assert_fails(read_with(classic, COUNT_OFFSET, (1ULL << 56) - 1, 8), &err, ERROR_DEFECT,
		     "no room for 72057594037927935 groups");
	assert_fails(read_with(classic, COUNT_OFFSET, 1, 8), &err, ERROR_DEFECT,
		     "56 bytes behind its last group");
	assert_fails(read_with(classic, COUNT_OFFSET, 3, 8), &err, ERROR_DEFECT,
		     "ends in the middle of a group");
	assert_fails(read_with(classic, COUNT_OFFSET + 8 + 16, 6, 8), &err, ERROR_DEFECT,
		     "no room for 6 intervals in 72 bytes");
	assert_fails(read_with(classic, COUNT_OFFSET + 8 + 16, UINT64_MAX, 8), &err, ERROR_DEFECT,
		     "no room for 18446744073709551615 intervals");
	assert_fails(read_with(classic, COUNT_OFFSET + 8 + 40 + 16, 1, 8), &err, ERROR_DEFECT,
		     "16 bytes behind its last group");
	assert_fails(read_with(classic, COUNT_OFFSET + 7, 2, 1), &err, ERROR_DEFECT,
		     "begins with 0200000000000002: an encoding that is not known");
	assert_fails(read_with(tagged, COUNT_OFFSET, 0, 1), &err, ERROR_DEFECT,
		     "an encoding that is not known");
	assert_fails(read_with(tagged, COUNT_OFFSET + 1, 99, 6), &err, ERROR_DEFECT,
		     "no room for 99 groups");
	assert_fails(read_with(tagged, COUNT_OFFSET + 1, 6, 6), &err, ERROR_DEFECT,
		     "ends in the middle of a group");
}

static void tags_and_intervals_that_no_server_writes_are_refused(void **state)
{
	size_t first = COUNT_OFFSET + 8 + 40 + 16 + 8; /* of 7c37…:1-2 in the classic one */
	size_t tag = COUNT_OFFSET + 8 + 16;	       /* the first in the other */

	(void)state;
	assert_fails(read_with(classic, first, 0, 8), &err, ERROR_DEFECT,
		     "an interval from 0 to before 3 behind one that ends before 0");
	assert_fails(read_with(classic, first, 3, 8), &err, ERROR_DEFECT,
		     "an interval from 3 to before 3");
	assert_fails(read_with(classic, first + 8, 7, 8), &err, ERROR_DEFECT,
		     "an interval from 7 to before 8 behind one that ends before 7");
	assert_fails(read_with(classic, first + 24, 1ULL << 63, 8), &err, ERROR_DEFECT,
		     "an interval from 7 to before 9223372036854775808");
	assert_fails(read_with(tagged, tag, 0xfe, 1), &err, ERROR_DEFECT,
		     "PREVIOUS_GTIDS: GTID tag of 127 bytes is not");
	assert_fails(read_with(tagged, tag, 0x02, 1), &err, ERROR_DEFECT,
		     "PREVIOUS_GTIDS: GTID tag of 1 bytes is not [a-z_][a-z0-9_]{0,31}");
	assert_fails(read_with(tagged, tag, UINT64_MAX, 8), &err, ERROR_DEFECT,
		     "ends in the middle of a group");
}

static void a_cut_off_or_other_event_is_refused(void **state)
{
	uint8_t event[512];
	char text[512];
	size_t size = golden_hex(tagged, event, sizeof(event));

	(void)state;
	assert_fails(read_all(event, size - 1, 4, text, sizeof(text)), &err, ERROR_DEFECT,
		     "gives a length of 292, but has 291 bytes");
	for (size_t i = EVENT_HEADER_SIZE; i < size; i++) {
		put_le(event + 9, i, 4);
		assert_true(read_all(event, i, 4, text, sizeof(text)) < 0);
	}
	event[4] = EVENT_MARIADB_GTID_LIST;
	assert_fails(read_all(event, size, 4, text, sizeof(text)), &err, ERROR_DEFECT,
		     "of type 163 (GTID_LIST) where PREVIOUS_GTIDS is expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_encodings_of_a_server_are_read),
		cmocka_unit_test(the_set_of_a_fresh_server_is_empty),
		cmocka_unit_test(counts_that_lie_have_their_sentence),
		cmocka_unit_test(tags_and_intervals_that_no_server_writes_are_refused),
		cmocka_unit_test(a_cut_off_or_other_event_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
