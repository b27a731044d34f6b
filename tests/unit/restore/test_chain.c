#include "unit/restore/restore_fixture.h"

static const struct chain_limit no_limit = {CHAIN_NO_LIMIT, CHAIN_NO_LIMIT};

static int feed_all(struct chain *chain, const struct binlog *binlog, size_t piece,
		    struct error *err)
{
	int r = 0;

	for (size_t at = 4; r == 0 && at < binlog->file.size; at += piece)
		r = chain_feed(chain, binlog->file.bytes + at, MIN(piece, binlog->file.size - at),
			       err);
	return r;
}

static void pieces_of_any_size_give_the_same_events(void **state)
{
	struct binlog binlog;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	for (size_t piece = 1; piece < 600; piece += piece < 40 ? 1 : 37) {
		struct chain chain;

		chain_begin(&chain, &no_limit);
		assert_ok(feed_all(&chain, &binlog, piece, &err), &err);
		assert_ok(chain_check_whole(&chain, &err), &err);
		assert_int_equal(chain.event_count, binlog.count);
		assert_int_equal(chain.position, binlog.file.size);
		assert_int_equal(chain.boundary, binlog.file.size);
		assert_int_equal(chain.last_event_position, binlog.starts[binlog.count - 1]);
		assert_false(chain.reached);
	}
}

static void every_boundary_of_the_file_is_found_and_no_other(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};
	size_t expected = 4;

	(void)state;
	binlog_load(&binlog, GOLDEN);
	chain_begin(&chain, &no_limit);
	for (size_t i = 0; i < binlog.count; i++) {
		assert_ok(chain_feed(&chain, binlog.file.bytes + binlog.starts[i],
				     binlog.starts[i + 1] - binlog.starts[i], &err),
			  &err);
		if (is_boundary(&binlog, i + 1))
			expected = binlog.starts[i + 1];
		assert_int_equal(chain.boundary, expected);
	}
}

static void a_flipped_bit_of_an_event_is_named_with_its_position(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	binlog.file.bytes[binlog.starts[10] + 30] ^= 1;
	chain_begin(&chain, &no_limit);
	assert_fails(feed_all(&chain, &binlog, 100, &err), &err, ERROR_DEFECT, "CRC");
	assert_non_null(strstr(err.message, "event at 911: "));
}

static void a_wrong_crc_that_came_twice_is_kept(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	binlog.file.bytes[binlog.starts[10] + 30] ^= 1;
	chain_begin(&chain, &no_limit);
	chain.crc_may_be_wrong = true;
	assert_ok(feed_all(&chain, &binlog, 100, &err), &err);
	assert_int_equal(chain.crc_wrong_count, 1);
	assert_int_equal(chain.crc_wrong_position, binlog.starts[10]);
}

static void the_format_of_a_file_never_has_a_wrong_crc(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	binlog.file.bytes[30] ^= 1;
	chain_begin(&chain, &no_limit);
	chain.crc_may_be_wrong = true;
	assert_fails(feed_all(&chain, &binlog, 100, &err), &err, ERROR_DEFECT, "CRC");
}

/* Every event in turn: no end of a transaction is found that is none, and no limit by its time. */
static void nothing_that_a_damaged_event_says_is_relied_on(void **state)
{
	struct binlog binlog;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	binlog_set_times(&binlog, 1700000000);
	for (size_t i = 1; i < binlog.count; i++) {
		const struct chain_limit limit = {UINT64_C(1800000000) * 1000000, CHAIN_NO_LIMIT};
		uint8_t *event = binlog.file.bytes + binlog.starts[i];
		struct chain chain;

		event[3] ^= 0x40; /* far in the future */
		chain_begin(&chain, &limit);
		chain.crc_may_be_wrong = true;
		for (size_t at = 0; at < binlog.count; at++) {
			assert_ok(chain_feed(&chain, binlog.file.bytes + binlog.starts[at],
					     binlog.starts[at + 1] - binlog.starts[at], &err),
				  &err);
			assert_false(chain.reached);
			if (chain.boundary == binlog.starts[at + 1])
				assert_true(is_boundary(&binlog, at + 1));
			if (at == i)
				assert_true(chain.boundary < binlog.starts[at + 1]);
		}
		assert_int_equal(chain.crc_wrong_count, 1);
		event[3] ^= 0x40;
	}
}

static void a_file_that_does_not_begin_with_its_format_is_refused(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	chain_begin(&chain, &no_limit);
	assert_fails(chain_feed(&chain, binlog.file.bytes + binlog.starts[1], 29, &err), &err,
		     ERROR_DEFECT, "event at 4: the file begins with GTID_LIST");
}

static void events_that_end_inside_one_are_not_whole(void **state)
{
	struct binlog binlog;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	for (size_t size = 1; size < 252; size++) {
		struct chain chain;

		chain_begin(&chain, &no_limit);
		assert_ok(chain_feed(&chain, binlog.file.bytes + 4, size, &err), &err);
		assert_fails(chain_check_whole(&chain, &err), &err, ERROR_DEFECT,
			     "the events end inside it");
	}
}

static void an_impossible_length_ends_the_chain(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	put_le(binlog.file.bytes + binlog.starts[3] + 9, 18, 4);
	chain_begin(&chain, &no_limit);
	assert_fails(feed_all(&chain, &binlog, 7, &err), &err, ERROR_DEFECT,
		     "event at 329: event header gives a length of 18");
}

static void without_a_format_only_lengths_are_checked(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	binlog.file.bytes[binlog.starts[10] + 30] ^= 1;
	chain_resume(&chain, binlog.starts[8], NULL);
	assert_ok(chain_feed(&chain, binlog.file.bytes + binlog.starts[8],
			     binlog.starts[20] - binlog.starts[8], &err),
		  &err);
	assert_int_equal(chain.event_count, 12);
	assert_int_equal(chain.position, binlog.starts[20]);
}

static void in_the_middle_with_a_format_crcs_are_checked(void **state)
{
	struct binlog binlog;
	struct format format;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	assert_ok(format_decode(binlog.file.bytes + 4, 252, &format, &err), &err);
	binlog.file.bytes[binlog.starts[10] + 30] ^= 1;
	chain_resume(&chain, binlog.starts[8], &format);
	assert_fails(chain_feed(&chain, binlog.file.bytes + binlog.starts[8],
				binlog.starts[20] - binlog.starts[8], &err),
		     &err, ERROR_DEFECT, "event at 911");
}

static void files_without_checksums_are_followed(void **state)
{
	struct binlog binlog;
	struct chain chain;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN_NO_CHECKSUM);
	chain_begin(&chain, &no_limit);
	assert_ok(feed_all(&chain, &binlog, 11, &err), &err);
	assert_int_equal(chain.event_count, binlog.count);
	assert_int_equal(chain.last_event_crc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_give_the_same_events),
		cmocka_unit_test(every_boundary_of_the_file_is_found_and_no_other),
		cmocka_unit_test(a_flipped_bit_of_an_event_is_named_with_its_position),
		cmocka_unit_test(a_wrong_crc_that_came_twice_is_kept),
		cmocka_unit_test(the_format_of_a_file_never_has_a_wrong_crc),
		cmocka_unit_test(nothing_that_a_damaged_event_says_is_relied_on),
		cmocka_unit_test(a_file_that_does_not_begin_with_its_format_is_refused),
		cmocka_unit_test(events_that_end_inside_one_are_not_whole),
		cmocka_unit_test(an_impossible_length_ends_the_chain),
		cmocka_unit_test(without_a_format_only_lengths_are_checked),
		cmocka_unit_test(in_the_middle_with_a_format_crcs_are_checked),
		cmocka_unit_test(files_without_checksums_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
