#include "unit/restore/restore_fixture.h"

#define NAME "mariadb-bin.000001"

/* With sanitizers a pass takes long; a stride without a factor in common with the format's sizes
 * still meets every kind of byte. */
#ifdef BINVAULT_SANITIZED
#define FLIP_STRIDE 37
#else
#define FLIP_STRIDE 1
#endif

static struct sealed whole_file(const struct binlog *binlog, size_t per_frame)
{
	const struct sealed_options options = {NAME, 0, binlog->count, per_frame, true, 1};

	return sealed_new(binlog, &options);
}

static void a_file_comes_back_byte_for_byte(void **state)
{
	static const char *const paths[] = {GOLDEN, GOLDEN_NO_CHECKSUM, GOLDEN_STOPPED};
	struct place place;

	(void)state;
	place_init(&place);
	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
		for (size_t per_frame = 0; per_frame < 4; per_frame++) {
			struct export_segment_done done = {0};
			struct segment_export export;
			struct binlog binlog;
			struct sealed sealed;
			struct error err = {0};

			binlog_load(&binlog, paths[i]);
			sealed = whole_file(&binlog, per_frame);
			export_init(&export, &place);
			assert_ok(export_sealed(&export, &sealed, &done, &err), &err);
			assert_int_equal(done.good_end, binlog.file.size);
			assert_file(&place, NAME, binlog.file.bytes, binlog.file.size);
			assert_int_equal(manifest_byte_count(export.manifest), binlog.file.size);
			assert_string_equal(export.until_file, NAME);
			assert_int_equal(export.until_position, binlog.file.size);
			export_release(&export);
			sealed_release(&sealed);
			assert_int_equal(place_empty(&place), 1);
		}
	}
	place_release(&place);
}

static void a_file_of_two_segments_is_one_file_wherever_it_is_split(void **state)
{
	struct place place;
	struct binlog binlog;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN);
	for (size_t split = 1; split < binlog.count; split += 5) {
		const struct sealed_options a = {NAME, 0, split, 3, false, 1};
		const struct sealed_options b = {NAME, split, binlog.count, 2, true, 1};
		struct sealed first = sealed_new(&binlog, &a), second = sealed_new(&binlog, &b);
		struct export_segment_done done = {0};
		struct segment_export export;
		struct error err = {0};

		export_init(&export, &place);
		assert_ok(export_sealed(&export, &first, &done, &err), &err);
		assert_int_equal(manifest_file_count(export.manifest), 0);
		assert_ok(export_sealed(&export, &second, &done, &err), &err);
		assert_int_equal(manifest_file_count(export.manifest), 1);
		assert_file(&place, NAME, binlog.file.bytes, binlog.file.size);
		export_release(&export);
		sealed_release(&first);
		sealed_release(&second);
		place_empty(&place);
	}
	place_release(&place);
}

/* Restore with the limit that is set, and compare with the first @expected bytes. */
static void check_cut(struct segment_export *export, struct place *place,
		      const struct binlog *binlog, const struct sealed *sealed, size_t expected,
		      bool reached)
{
	struct export_segment_done done = {0};
	struct error err = {0};

	assert_ok(export_sealed(export, sealed, &done, &err), &err);
	assert_int_equal(done.limit_reached, reached);
	if (expected <= 4) {
		assert_int_equal(manifest_file_count(export->manifest), 0);
		assert_int_equal(place_empty(place), 0);
		return;
	}
	assert_file(place, NAME, binlog->file.bytes, expected);
	assert_int_equal(export->until_position, expected);
	assert_int_equal(manifest_byte_count(export->manifest), expected);
	place_empty(place);
}

static void a_position_cuts_at_the_last_boundary_before_it(void **state)
{
	struct place place;
	struct binlog binlog;
	struct sealed sealed;
	size_t boundary = 4;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN);
	sealed = whole_file(&binlog, 5);
	for (size_t i = 0; i <= binlog.count; i++) {
		size_t before = boundary;

		if (is_boundary(&binlog, i))
			boundary = binlog.starts[i];
		for (int offset = -1; offset <= 1; offset++) {
			uint64_t position = binlog.starts[i] + (size_t)offset;
			struct segment_export export;

			export_init(&export, &place);
			export.limit.position = position;
			check_cut(&export, &place, &binlog, &sealed, offset < 0 ? before : boundary,
				  position <= binlog.file.size);
			export_release(&export);
		}
	}
	sealed_release(&sealed);
	place_release(&place);
}

static void a_position_of_another_file_cuts_nothing(void **state)
{
	struct place place;
	struct binlog binlog;
	struct sealed sealed;
	struct segment_export export;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN);
	sealed = whole_file(&binlog, 5);
	export_init(&export, &place);
	export.limit.position = 500;
	sealed.leaf.limited = false;
	check_cut(&export, &place, &binlog, &sealed, binlog.file.size, false);
	export_release(&export);
	sealed_release(&sealed);
	place_release(&place);
}

static void a_time_cuts_before_the_first_transaction_that_is_as_late(void **state)
{
	const uint32_t first = 1700000000;
	struct place place;
	struct binlog binlog;
	struct sealed sealed;
	uint32_t time = first;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN);
	binlog_set_times(&binlog, first);
	sealed = whole_file(&binlog, 4);
	for (size_t i = 0; i < binlog.count; i++) {
		/* In microseconds: just later than the one before, and as late as this one. */
		const uint64_t limits[] = {time * UINT64_C(1000000) + 1,
					   (time + 1) * UINT64_C(1000000)};

		if (event_type_at(&binlog, i) != EVENT_MARIADB_GTID)
			continue;
		for (size_t k = 0; k < 2; k++) {
			struct segment_export export;

			export_init(&export, &place);
			export.limit.usec = limits[k];
			check_cut(&export, &place, &binlog, &sealed, binlog.starts[i], true);
			assert_int_equal(export.until_usec,
					 time > first ? time * UINT64_C(1000000) : 0);
			export_release(&export);
		}
		time++;
	}
	assert_true(time > first + 20);
	sealed_release(&sealed);
	place_release(&place);
}

static void a_clock_that_went_back_does_not_move_the_cut(void **state)
{
	struct place place;
	struct binlog binlog;
	struct sealed sealed;
	struct segment_export export;

	(void)state;
	place_init(&place);
	/* The transaction at 12712 says 2001; all others are of 2026. */
	binlog_load(&binlog, GOLDEN);
	sealed = whole_file(&binlog, 4);
	export_init(&export, &place);
	export.limit.usec = UINT64_C(1000000000000000);
	check_cut(&export, &place, &binlog, &sealed, 329, true);
	export_release(&export);
	sealed_release(&sealed);
	place_release(&place);
}

/* --- defects --------------------------------------------------------------------------------- */

static void any_flipped_byte_fails(void **state)
{
	struct binlog binlog;
	struct sealed sealed;

	(void)state;
	binlog_load(&binlog, GOLDEN_STOPPED);
	sealed = whole_file(&binlog, 0);
	for (size_t i = 0; i < sealed.size; i += FLIP_STRIDE) {
		struct export_segment_done done = {0};
		struct segment_export export;
		struct error err = {0};

		sealed.bytes[i] ^= 0x10;
		export_init(&export, NULL);
		assert_true(export_sealed(&export, &sealed, &done, &err) < 0);
		if (err.code != ERROR_DEFECT && err.code != ERROR_REFUSED)
			fail_msg("byte %zu: %d %s", i, err.code, err.message);
		assert_false(export.continues);
		export_release(&export);
		sealed.bytes[i] ^= 0x10;
	}
	sealed_release(&sealed);
}

static void a_leaf_that_says_something_else_is_a_defect(void **state)
{
	static const struct {
		size_t offset;
		const char *words; /* of the sentence */
	} cases[] = {
		{offsetof(struct export_segment, header) + 700, "segment header"},
		{offsetof(struct export_segment, key), "authentication tag"},
		{offsetof(struct export_segment, file_hash), "SHA-256 of the file"},
		{offsetof(struct export_segment, file_size), "bytes, the ledger says"},
		{offsetof(struct export_segment, start_position), "it begins at"},
		{offsetof(struct export_segment, good_end), "its events end at"},
	};
	struct place place;
	struct binlog binlog;
	struct sealed sealed;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN_STOPPED);
	sealed = whole_file(&binlog, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct export_segment_done done = {0};
		struct segment_export export;
		struct sealed changed = sealed;
		struct error err = {0};

		((uint8_t *)&changed.leaf)[cases[i].offset] ^= 1;
		export_init(&export, &place);
		assert_true(export_sealed(&export, &changed, &done, &err) < 0);
		if (err.code != ERROR_DEFECT || !strstr(err.message, cases[i].words))
			fail_msg("case %zu: %s", i, err.message);
		export_release(&export);
		place_empty(&place);
	}
	sealed_release(&sealed);
	place_release(&place);
}

static void a_segment_that_does_not_follow_ends_a_restore(void **state)
{
	struct place place;
	struct binlog binlog;

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN);
	const struct sealed_options a = {NAME, 0, 30, 3, false, 1};
	const struct sealed_options gap = {NAME, 31, binlog.count, 2, true, 1};
	const struct sealed_options other = {NAME, 30, binlog.count, 2, true, 2};
	const struct sealed_options next = {"mariadb-bin.000002", 0, binlog.count, 2, true, 3};
	const struct sealed_options *const cases[] = {&gap, &other, &next};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct sealed first = sealed_new(&binlog, &a);
		struct sealed second = sealed_new(&binlog, cases[i]);
		struct export_segment_done done = {0};
		struct segment_export export;
		struct error err = {0};

		export_init(&export, &place);
		assert_ok(export_sealed(&export, &first, &done, &err), &err);
		assert_fails(export_sealed(&export, &second, &done, &err), &err, ERROR_DEFECT,
			     "does not follow what was read before");
		export_release(&export);
		sealed_release(&first);
		sealed_release(&second);
		place_empty(&place);
	}
	place_release(&place);
}

static void a_verification_goes_on_in_the_middle_of_a_file(void **state)
{
	struct export_segment_done done = {0};
	struct segment_export export;
	struct binlog binlog;
	struct error err = {0};

	(void)state;
	binlog_load(&binlog, GOLDEN);
	const struct sealed_options options = {NAME, 31, binlog.count, 2, true, 1};
	struct sealed sealed = sealed_new(&binlog, &options);

	export_init(&export, NULL);
	assert_ok(export_sealed(&export, &sealed, &done, &err), &err);
	assert_true(export.chain.has_crc);
	assert_int_equal(export.binlog_size, binlog.file.size - binlog.starts[31]);
	export_release(&export);
	sealed_release(&sealed);
}

/* The server had opened the next file, and nothing of it came. */
static void a_file_without_an_event_is_not_written(void **state)
{
	struct place place;
	struct binlog binlog;
	struct export_segment_done done = {0};
	struct segment_export export;
	struct error err = {0};

	(void)state;
	place_init(&place);
	binlog_load(&binlog, GOLDEN_STOPPED);
	for (int rest = 0; rest < 2; rest++) {
		const struct sealed_options nothing = {NAME, 0, 0, 0, !rest, 1};
		const struct sealed_options all = {NAME, 0, binlog.count, 0, true, 1};
		struct sealed empty = sealed_new(&binlog, &nothing);
		struct sealed whole = sealed_new(&binlog, &all);

		export_init(&export, &place);
		assert_ok(export_sealed(&export, &empty, &done, &err), &err);
		if (rest) {
			assert_ok(export_sealed(&export, &whole, &done, &err), &err);
			assert_file(&place, NAME, binlog.file.bytes, binlog.file.size);
		}
		assert_int_equal(manifest_file_count(export.manifest), rest);
		assert_int_equal(place_empty(&place), rest);
		export_release(&export);
		sealed_release(&empty);
		sealed_release(&whole);
	}
	place_release(&place);
}

static void a_file_that_is_there_already_is_not_overwritten(void **state)
{
	struct export_segment_done done = {0};
	struct segment_export export;
	struct binlog binlog;
	struct sealed sealed;
	struct place place;
	struct error err = {0};

	(void)state;
	place_init(&place);
	assert_ok(output_small(place.fd, NAME, "mine", 4, &err), &err);
	binlog_load(&binlog, GOLDEN_STOPPED);
	sealed = whole_file(&binlog, 0);
	export_init(&export, &place);
	assert_fails(export_sealed(&export, &sealed, &done, &err), &err, ERROR_EXISTS, NAME);
	assert_file(&place, NAME, (const uint8_t *)"mine", 4);
	export_release(&export);
	sealed_release(&sealed);
	place_release(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_back_byte_for_byte),
		cmocka_unit_test(a_file_of_two_segments_is_one_file_wherever_it_is_split),
		cmocka_unit_test(a_position_cuts_at_the_last_boundary_before_it),
		cmocka_unit_test(a_position_of_another_file_cuts_nothing),
		cmocka_unit_test(a_time_cuts_before_the_first_transaction_that_is_as_late),
		cmocka_unit_test(a_clock_that_went_back_does_not_move_the_cut),
		cmocka_unit_test(any_flipped_byte_fails),
		cmocka_unit_test(a_leaf_that_says_something_else_is_a_defect),
		cmocka_unit_test(a_segment_that_does_not_follow_ends_a_restore),
		cmocka_unit_test(a_verification_goes_on_in_the_middle_of_a_file),
		cmocka_unit_test(a_file_without_an_event_is_not_written),
		cmocka_unit_test(a_file_that_is_there_already_is_not_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
