#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "volume/header.h"
#include "volume/summary.h"

static struct segment_end good_end(void)
{
	return (struct segment_end){
		.summary = {.event_count = 10,
			    .transaction_count = 3,
			    .event_end = 1000,
			    .transaction_end = 900,
			    .last_event_position = 950,
			    .time_first_usec = 5,
			    .time_last_usec = 7,
			    .transaction_last_usec = 6,
			    .last_event_crc = 0xdeadbeef,
			    .flags = SUMMARY_CRC_WRONG},
		.void_range = {.begin = 8192, .end = 12288, .hash = {.bytes = {1, 2, 3}}},
		.frame_count = 2,
		.session_count = 1,
		.ended = SEGMENT_ENDED_ROTATE,
		.next_file = "binlog.000002",
	};
}

static void an_end_comes_back_as_it_was(void **state)
{
	struct segment_end end = good_end(), copy;
	uint8_t bytes[SEGMENT_END_SIZE], again[SEGMENT_END_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(segment_end_encode(&end, bytes, &err), &err);
	assert_ok(segment_end_decode(bytes, &copy, &err), &err);
	assert_ok(segment_end_encode(&copy, again, &err), &err);
	assert_memory_equal(bytes, again, sizeof(bytes));
	assert_string_equal(copy.next_file, end.next_file);
	assert_int_equal(copy.summary.last_event_crc, 0xdeadbeef);
	assert_int_equal(copy.void_range.end, 12288);
}

static void every_defect_has_its_sentence(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *words;
	} defects[] = {
		{0, 2, "3 transactions in 2 events"},
		{0, 0, "3 transactions in 0 events"},
		{23, 0x80, "summary: transactions end at 900"},
		{25, 4, "transactions end at 1156, events at 1000"},
		{33, 4, "the last of 10 events is at 1206 and ends at 1000"},
		{40, 8, "event times contradict each other"},
		{8, 0, "a transaction's time without a transaction"},
		{68, 2, "unknown flags 0x2"},
		{73, 0x50, "the void range from 20480 to 12288 is impossible"},
		{84, 1, "is impossible"},
		{124, 3, "3 sessions in 2 frames"},
		{128, 0, "how the segment ended is unknown: 0"},
		{128, 8, "how the segment ended is unknown: 8"},
		{128, SEGMENT_ENDED_SIZE, "did not end by rotation"},
		{129, 1, "reserved bytes are not zero"},
		{135, 1, "reserved bytes are not zero"},
		{136, '.', "END: next file: "},
		{263, 'x', "bytes follow the end of the next file's name"},
	};
	struct segment_end end = good_end();
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(defects); i++) {
		uint8_t bytes[SEGMENT_END_SIZE];

		assert_ok(segment_end_encode(&end, bytes, &err), &err);
		bytes[defects[i].offset] = defects[i].value;
		assert_fails(segment_end_decode(bytes, &(struct segment_end){0}, &err), &err,
			     ERROR_DEFECT, defects[i].words);
	}
}

static void a_summary_of_nothing_holds_nothing(void **state)
{
	struct segment_state fresh;
	struct segment_summary copy;
	uint8_t bytes[SEGMENT_SUMMARY_SIZE];
	struct error err = {0};

	(void)state;
	segment_state_init(&fresh, 4096, 4);
	segment_summary_encode(&fresh.summary, bytes);
	assert_ok(segment_summary_decode(bytes, &copy, &err), &err);
	assert_int_equal(copy.event_end, 4);
	fresh.summary.last_event_crc = 1;
	segment_summary_encode(&fresh.summary, bytes);
	assert_fails(segment_summary_decode(bytes, &copy, &err), &err, ERROR_DEFECT,
		     "the last of 0 events");
	fresh.summary.last_event_crc = 0;
	fresh.summary.time_last_usec = 1;
	segment_summary_encode(&fresh.summary, bytes);
	assert_fails(segment_summary_decode(bytes, &copy, &err), &err, ERROR_DEFECT,
		     "event times contradict each other");
}

static void each_way_to_end_has_a_word(void **state)
{
	(void)state;
	assert_null(segment_ended_name((enum segment_ended)0));
	for (int i = SEGMENT_ENDED_ROTATE; i <= SEGMENT_ENDED_BROKEN; i++)
		assert_non_null(segment_ended_name((enum segment_ended)i));
	assert_null(segment_ended_name((enum segment_ended)(SEGMENT_ENDED_BROKEN + 1)));
	assert_null(segment_ended_name((enum segment_ended)255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_comes_back_as_it_was),
		cmocka_unit_test(every_defect_has_its_sentence),
		cmocka_unit_test(a_summary_of_nothing_holds_nothing),
		cmocka_unit_test(each_way_to_end_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
