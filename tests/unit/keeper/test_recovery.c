/* The recovery table of DURABILITY.md: each test makes one crash state and starts a keeper. */
#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "unit/keeper/keeper_fixture.h"

static int setup(void **state)
{
	struct fixture *fixture = fixture_new();

	signer_start(&fixture->signer);
	fixture_start(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* Keeper and puller are gone at once, as by a power cut. */
static void cut_power(struct fixture *fixture, struct held *held)
{
	held_release(held);
	fixture_puller_leave(fixture);
	fixture_stop(fixture);
}

static const struct segment_sealed_record *sealed(const struct fixture *fixture)
{
	return state_sealed(store_state(fixture->keeper->store), "orders", NULL);
}

static int take_sealed(void *context, const struct leaf *leaf, struct error *err)
{
	struct segment_sealed_record *record = context;

	if (!leaf_is(leaf, "segment-sealed"))
		return 0;
	segment_sealed_record_release(record);
	return segment_sealed_record_decode(leaf->object, record, err);
}

/* Good end, and how it ended, of the newest sealed leaf, one without events too. */
static void assert_last_sealed(const struct fixture *fixture, uint64_t good_end,
			       enum segment_ended ended)
{
	struct segment_sealed_record record = {0};
	struct error err = {0};

	assert_ok(store_leaves(fixture->keeper->store, take_sealed, &record, &err), &err);
	assert_int_equal(record.end.summary.event_end, good_end);
	assert_int_equal(record.end.ended, ended);
	segment_sealed_record_release(&record);
}

static void open_segment_path(const struct fixture *fixture, char absolute[static 512])
{
	struct state_open open = state_open_at(store_state(fixture->keeper->store), "orders", 0);

	fixture_segment_path(fixture, open.record->path, absolute);
}

static void append_raw(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static uint64_t count_periods(struct fixture *fixture)
{
	return state_period_count(store_state(fixture->keeper->store));
}

/* --- row 1 ----------------------------------------------------------------------------------- */

static void a_period_is_reused_after_a_restart_with_the_hsm(void **state)
{
	struct fixture *fixture = *state;
	const struct period_record *record;
	const struct secret *key;
	uint8_t id[STORE_ID_SIZE];
	struct error err = {0};

	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	memcpy(id, record->id, sizeof(id));
	assert_true(fixture_run_until(fixture, 10, fixture_is_signed, fixture));
	fixture_stop(fixture);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	assert_memory_equal(record->id, id, sizeof(id));
	assert_int_equal(count_periods(fixture), 1);
}

/* Who can write to the disk could have planted it. */
static void a_period_that_nobody_signed_is_not_gone_on_with(void **state)
{
	struct fixture *fixture = *state;
	const struct period_record *record;
	const struct secret *key;
	uint8_t id[STORE_ID_SIZE];
	struct error err = {0};

	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	memcpy(id, record->id, sizeof(id));
	fixture_stop(fixture);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_non_null(periods_key(fixture->keeper->periods, id));
	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	assert_memory_not_equal(record->id, id, sizeof(id));
}

static void a_restart_without_the_hsm_begins_a_new_period(void **state)
{
	struct fixture *fixture = *state;
	const struct period_record *record;
	const struct secret *key;
	uint8_t id[STORE_ID_SIZE];
	struct error err = {0};

	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	memcpy(id, record->id, sizeof(id));
	fixture_stop(fixture);
	signer_stop(&fixture->signer);
	fixture_start(fixture);
	assert_ok(
		periods_current(fixture->keeper->periods, "orders", "default", &record, &key, &err),
		&err);
	assert_memory_not_equal(record->id, id, sizeof(id));
}

/* --- row 2 ----------------------------------------------------------------------------------- */

/* A header block as opening makes it, without the leaf; its absolute path. */
static void make_file_without_leaf(struct fixture *fixture, size_t size, char path[static 512])
{
	struct keeper *keeper = fixture->keeper;
	const struct period_record *period;
	const struct secret *key;
	struct segment_files files;
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	struct segment_header header = {
		.block_size = store_block_size(keeper->store),
		.start_position = 4,
		.created_usec = clock_realtime_usec(),
		.source = "orders",
		.binlog_file = "bin.000001",
	};
	struct error err = {0};

	assert_ok(periods_current(keeper->periods, "orders", "default", &period, &key, &err), &err);
	memcpy(header.archive_id, store_archive_id(keeper->store), STORE_ID_SIZE);
	memcpy(header.period_id, period->id, STORE_ID_SIZE);
	memset(header.segment_id, 's', sizeof(header.segment_id));
	memset(header.identity, 'i', sizeof(header.identity));
	memset(&header.generation, 'g', HASH_SIZE);
	memset(&header.file_id, 'f', HASH_SIZE);
	assert_ok(segment_header_encode(&header, bytes, &err), &err);
	assert_ok(segment_files_create(keeper->store, bytes, period->month, &files, &err), &err);
	segment_files_release(&files);
	fixture_segment_path(fixture, files.path, path);
	if (size > 0)
		assert_int_equal(truncate(path, (off_t)size), 0);
}

static void a_file_without_its_leaf_is_taken_up(void **state)
{
	struct fixture *fixture = *state;
	char path[512];

	make_file_without_leaf(fixture, 0, path);
	fixture_stop(fixture);
	fixture_start(fixture);
	assert_int_equal(state_open_count(store_state(fixture->keeper->store), "orders"), 1);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_last_sealed(fixture, 4, SEGMENT_ENDED_RECOVERED);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
}

static void half_a_header_becomes_an_orphan_once(void **state)
{
	struct fixture *fixture = *state;
	uint64_t leaves;
	char path[512];

	make_file_without_leaf(fixture, 1000, path);
	leaves = store_tree(fixture->keeper->store)->size;
	fixture_stop(fixture);
	fixture_start(fixture);
	/* config and orphan */
	assert_int_equal(store_tree(fixture->keeper->store)->size, leaves + 2);
	fixture_stop(fixture);
	fixture_start(fixture);
	assert_int_equal(store_tree(fixture->keeper->store)->size, leaves + 3);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
}

/* Whoever puts files there: the keeper starts. */
static void files_that_are_not_ours_hinder_no_start(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct held held;
	char path[512], command[1700];
	uint64_t leaves;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	open_segment_path(fixture, path);
	cut_power(fixture, &held);
	snprintf(command, sizeof(command), "cp %s %s.copy && cp %s '%s/volume/segments/two words'",
		 path, path, path, fixture->directory);
	assert_int_equal(system(command), 0);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
	leaves = store_tree(fixture->keeper->store)->size;
	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	/* config; the copy is an orphan already */
	assert_ok(fixture_try_start(fixture, &err), &err);
	assert_int_equal(store_tree(fixture->keeper->store)->size, leaves + 1);
}

/* --- rows 3 and 4 ---------------------------------------------------------------------------- */

static void a_header_alone_is_ended_and_sealed(void **state)
{
	struct fixture *fixture = *state;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	cut_power(fixture, &held);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_last_sealed(fixture, 4, SEGMENT_ENDED_RECOVERED);
}

static void a_segment_file_that_is_gone_is_named_and_pulling_goes_on(void **state)
{
	struct fixture *fixture = *state;
	const struct keeper_alarm *alarm = NULL;
	struct held held;
	char path[512];

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	open_segment_path(fixture, path);
	cut_power(fixture, &held);
	assert_int_equal(unlink(path), 0);
	fixture_start(fixture);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
	assert_int_equal(fixture->keeper->sources[0]->sealings->state, SEALING_STOPPED);
	for (size_t i = 0; i < fixture->keeper->alarm_count; i++) {
		if (strstr(fixture->keeper->alarms[i].name, "stopped"))
			alarm = &fixture->keeper->alarms[i];
	}
	assert_non_null(alarm);
	assert_non_null(strstr(alarm->sentence, "the file is missing"));
	fixture_open(fixture, "bin.000001", 4, &held);
	held_release(&held);
}

/* --- rows 5 to 8 ----------------------------------------------------------------------------- */

static void a_dead_pullers_frames_are_kept(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	fixture_progress(fixture, &held);
	held_release(&held);
	fixture_puller_leave(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_RESUME);
	assert_int_equal(attached.good_end, 204);
	assert_int_equal(attached.last_event_position, 104);
	assert_int_equal(sealed(fixture)->end.ended, SEGMENT_ENDED_RECOVERED);
}

/* Of two segments of a file, in the second of which no transaction ends: also after a restart. */
static void assert_told_from_its_beginning(struct fixture *fixture)
{
	for (int i = 0; i < 2; i++) {
		struct attached attached;

		fixture_puller_leave(fixture);
		if (i > 0) {
			fixture_stop(fixture);
			fixture_start(fixture);
		}
		attached = fixture_attach(fixture);
		assert_int_equal(attached.good_end, 304);
		assert_int_equal(attached.last_event_position, 204);
		assert_int_equal(attached.transaction_end, 104);
	}
}

static void a_transaction_that_is_archived_in_part_is_told_from_its_beginning(void **state)
{
	struct fixture *fixture = *state;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_add(&held, 0, false);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	fixture_open(fixture, "bin.000001", 204, &held);
	held_add(&held, 0, false);
	fixture_progress(fixture, &held);
	held_release(&held);
	assert_told_from_its_beginning(fixture);
}

static bool second_is_sealed(void *context)
{
	return sealed(context) && sealed(context)->start_position == 204;
}

static void that_holds_in_whatever_order_they_are_sealed(void **state)
{
	struct fixture *fixture = *state;
	struct held first, second;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &first);
	held_event(&first, 0);
	held_add(&first, 0, false);
	held_end(&first, SEGMENT_ENDED_SIZE, NULL);
	fixture_open(fixture, "bin.000001", 204, &second);
	held_add(&second, 0, false);
	held_end(&second, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &second);
	assert_true(fixture_run_until(fixture, 10, second_is_sealed, fixture));
	fixture_closed(fixture, &first);
	assert_told_from_its_beginning(fixture);
}

static void torn_bytes_of_any_length_are_void_after_a_power_cut(void **state)
{
	static const size_t lengths[] = {1, 512, 4095, 4096, 5000, 12288};
	struct fixture *fixture = *state;
	uint64_t position = 4;

	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		uint8_t garbage[12288];
		struct held held;
		char path[512];

		memset(garbage, 0xa5, sizeof(garbage));
		fixture_attach(fixture);
		fixture_open(fixture, "bin.000001", position, &held);
		held_event(&held, 0);
		open_segment_path(fixture, path);
		cut_power(fixture, &held);
		append_raw(path, garbage, lengths[i]);
		fixture_start(fixture);
		assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
		position += 100;
		assert_int_equal(sealed(fixture)->end.summary.event_end, position);
		assert_int_equal(sealed(fixture)->end.void_range.end -
					 sealed(fixture)->end.void_range.begin,
				 (lengths[i] + 4095) / 4096 * 4096);
		fixture_puller_leave(fixture);
	}
}

static void part_of_an_event_lies_behind_the_good_end(void **state)
{
	struct fixture *fixture = *state;
	struct segment_output output;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	assert_int_equal(segment_writer_add(held.writer, "half an event", 13), 13);
	segment_writer_build(held.writer, clock_realtime_usec(), &output);
	held_append(&held, &output, output.size);
	cut_power(fixture, &held);
	fixture_start(fixture);
	assert_int_equal(fixture_attach(fixture).good_end, 104);
	assert_int_equal(sealed(fixture)->end.summary.event_end, 104);
}

static void a_frame_behind_damage_is_not_ended_away(void **state)
{
	struct fixture *fixture = *state;
	struct held held;
	char path[512];
	uint8_t byte;
	int fd;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	open_segment_path(fixture, path);
	cut_power(fixture, &held);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 4096 + 60), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 4096 + 60), 1);
	close(fd);
	fixture_start(fixture);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
	assert_int_equal(fixture->keeper->sources[0]->sealings->state, SEALING_STOPPED);
	assert_non_null(strstr(fixture->keeper->sources[0]->sealings->sentence,
			       "an authentic frame follows at offset 8192"));
}

/* --- rows 9 to 11 ---------------------------------------------------------------------------- */

static void a_torn_end_is_written_again(void **state)
{
	struct fixture *fixture = *state;
	struct segment_output output;
	struct error err = {0};
	struct held held;
	char path[512];

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	assert_ok(segment_writer_end(held.writer, SEGMENT_ENDED_SIZE, NULL, NULL, 1, &output, &err),
		  &err);
	open_segment_path(fixture, path);
	append_raw(path, output.bytes, 300);
	cut_power(fixture, &held);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_int_equal(sealed(fixture)->end.ended, SEGMENT_ENDED_RECOVERED);
	assert_int_equal(sealed(fixture)->end.summary.event_end, 104);
}

static void an_ended_segment_is_sealed_with_its_own_end(void **state)
{
	struct fixture *fixture = *state;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_ROTATE, "bin.000002");
	cut_power(fixture, &held);
	fixture_start(fixture);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_NEXT);
	assert_int_equal(sealed(fixture)->end.ended, SEGMENT_ENDED_ROTATE);
}

/* Row 11: the keeper died between +i and the leaf. */
static void an_immutable_segment_without_its_leaf_is_sealed(void **state)
{
	struct fixture *fixture = *state;
	struct held held;
	char path[512];
	struct error err = {0};
	struct stat before, after;
	enum file_protection protection;
	bool immutable;
	int fd;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	open_segment_path(fixture, path);
	cut_power(fixture, &held);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	/* Without the capability the file is as an advisory archive has it then. */
	immutable = file_protect(fd, FILE_PROTECTION_IMMUTABLE, &err) == 0;
	assert_int_equal(fstat(fd, &before), 0);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_last_sealed(fixture, 104, SEGMENT_ENDED_SIZE);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	if (immutable) {
		assert_ok(file_protection(fd, &protection, &err), &err);
		assert_int_equal(protection, FILE_PROTECTION_IMMUTABLE);
		assert_ok(file_protect(fd, FILE_PROTECTION_NONE, &err), &err);
	}
	close(fd);
}

static void an_empty_segment_that_names_the_next_file_ends_the_one_before(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	fixture_open(fixture, "bin.000001", 104, &held);
	held_end(&held, SEGMENT_ENDED_ROTATE, "bin.000002");
	cut_power(fixture, &held);
	for (int i = 0; i < 2; i++) {
		fixture_start(fixture);
		attached = fixture_attach(fixture);
		assert_int_equal(attached.kind, ATTACHED_NEXT);
		assert_string_equal(attached.next_file, "bin.000002");
		assert_int_equal(attached.good_end, 104);
		assert_int_equal(attached.last_event_position, 4);
		fixture_puller_leave(fixture);
		fixture_stop(fixture);
	}
}

/* --- row 16 ---------------------------------------------------------------------------------- */

static void a_living_puller_keeps_its_segment_over_the_keepers_restart(void **state)
{
	struct fixture *fixture = *state;
	struct attach attach = {.holds_segment = true};
	struct attached attached;
	struct error err = {0};
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	fixture_start(fixture);
	/* Not quiet: it is left alone. */
	assert_false(fixture_run_until(fixture, 1, fixture_is_sealed, fixture));
	assert_int_equal(fixture->keeper->sources[0]->sealings->state, SEALING_QUIET);
	held_event(&held, 0);
	memcpy(attach.segment_id, held.header.segment_id, SEGMENT_ID_SIZE);
	fixture_puller_connect(fixture);
	assert_ok(attach_send(fixture->puller, &attach, &err), &err);
	fixture_receive(fixture, 5);
	assert_ok(attached_decode(&fixture->message, &attached, &err), &err);
	assert_int_equal(attached.kind, ATTACHED_CONTINUE);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_AGE, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	assert_int_equal(sealed(fixture)->end.summary.event_count, 3);
}

static void a_segment_that_was_sealed_is_not_given_back(void **state)
{
	struct fixture *fixture = *state;
	struct attach attach = {.holds_segment = true};
	struct error err = {0};

	fixture_puller_connect(fixture);
	assert_ok(attach_send(fixture->puller, &attach, &err), &err);
	fixture_receive(fixture, 5);
	assert_fails(message_expect(&fixture->message, MESSAGE_ATTACHED, &err), &err,
		     ERROR_NOT_FOUND, "is not open any more");
}

/* --- without the HSM ------------------------------------------------------------------------- */

static void without_the_hsm_a_tail_is_pending_until_it_is_back(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;
	struct held held;
	uint8_t first[SEGMENT_ID_SIZE];

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	fixture_open(fixture, "bin.000001", 104, &held);
	memcpy(first, held.header.segment_id, sizeof(first));
	held_event(&held, 0);
	cut_power(fixture, &held);
	signer_stop(&fixture->signer);

	fixture_start(fixture);
	attached = fixture_attach(fixture); /* after some seconds of patience */
	assert_int_equal(attached.good_end, 104);
	assert_int_equal(fixture->keeper->sources[0]->sealings->state, SEALING_KEY);
	assert_non_null(fixture_alarm(fixture, "hsm away"));
	assert_non_null(fixture_alarm(fixture, "rollback unchecked"));
	fixture_open(fixture, "bin.000001", 104, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	/* The new period's key is in memory: this one is sealed. */
	while (state_open_count(store_state(fixture->keeper->store), NULL) > 1)
		fixture_run_until(fixture, 1, fixture_is_sealed, fixture);
	assert_int_equal(sealed(fixture)->end.summary.event_end, 304);
	assert_true(signing_unsigned_count(fixture->keeper->signing) > 0);

	signer_start(&fixture->signer);
	assert_true(fixture_run_until(fixture, 15, fixture_is_sealed, fixture));
	assert_true(fixture_run_until(fixture, 5, fixture_is_signed, fixture));
	assert_null(fixture_alarm(fixture, "hsm away"));
	assert_null(fixture_alarm(fixture, "rollback unchecked"));
	/* What is sealed late does not turn the resume point back. */
	fixture_puller_leave(fixture);
	assert_int_equal(fixture_attach(fixture).good_end, 304);
}

static void a_pending_first_segment_is_pulled_again_from_its_files_beginning(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	cut_power(fixture, &held);
	signer_stop(&fixture->signer);
	fixture_start(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_START);
	assert_string_equal(attached.next_file, "bin.000001");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_period_is_reused_after_a_restart_with_the_hsm),
		TEST(a_period_that_nobody_signed_is_not_gone_on_with),
		TEST(a_restart_without_the_hsm_begins_a_new_period),
		TEST(a_file_without_its_leaf_is_taken_up),
		TEST(half_a_header_becomes_an_orphan_once),
		TEST(files_that_are_not_ours_hinder_no_start),
		TEST(a_header_alone_is_ended_and_sealed),
		TEST(a_segment_file_that_is_gone_is_named_and_pulling_goes_on),
		TEST(a_dead_pullers_frames_are_kept),
		TEST(a_transaction_that_is_archived_in_part_is_told_from_its_beginning),
		TEST(that_holds_in_whatever_order_they_are_sealed),
		TEST(torn_bytes_of_any_length_are_void_after_a_power_cut),
		TEST(part_of_an_event_lies_behind_the_good_end),
		TEST(a_frame_behind_damage_is_not_ended_away),
		TEST(a_torn_end_is_written_again),
		TEST(an_ended_segment_is_sealed_with_its_own_end),
		TEST(an_immutable_segment_without_its_leaf_is_sealed),
		TEST(an_empty_segment_that_names_the_next_file_ends_the_one_before),
		TEST(a_living_puller_keeps_its_segment_over_the_keepers_restart),
		TEST(a_segment_that_was_sealed_is_not_given_back),
		TEST(without_the_hsm_a_tail_is_pending_until_it_is_back),
		TEST(a_pending_first_segment_is_pulled_again_from_its_files_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
