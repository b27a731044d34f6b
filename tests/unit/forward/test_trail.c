#include "unit/forward/trail_fixture.h"

static void begin(struct trail_fixture *f)
{
	assert_ok(trail_begin(f->trail, &f->place, &f->err), &f->err);
}

/* The next item: the index of a leaf, or minus the size of a checkpoint. */
static long next(struct trail_fixture *f)
{
	struct trail_item item;

	assert_int_equal(trail_next(f->trail, &item, &f->err), 1);
	if (item.leaf)
		return (long)item.leaf->index;
	return -(long)item.checkpoint->checkpoint.size;
}

static void expect_nothing(struct trail_fixture *f)
{
	struct trail_item item;

	assert_int_equal(trail_next(f->trail, &item, &f->err), 0);
}

static void leaves_come_in_order_and_each_checkpoint_behind_its_last(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 3);
	trail_append(f, 2);
	begin(f);
	for (long i = 0; i < 3; i++)
		assert_int_equal(next(f), i);
	assert_int_equal(next(f), -3);
	assert_int_equal(next(f), 3);
	assert_int_equal(next(f), 4);
	assert_int_equal(next(f), -5);
	expect_nothing(f);
	assert_string_equal(trail_place(f->trail)->origin, FIXTURE_ORIGIN);
}

static void what_no_checkpoint_covers_is_held_back(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 1);
	begin(f);
	assert_int_equal(next(f), 0);
	assert_int_equal(next(f), -1);
	for (int i = 0; i < 3; i++) {
		assert_ok(fixture_append(&f->ledger, 20, &f->err), &f->err);
		expect_nothing(f);
	}
	trail_append(f, 0);
	assert_int_equal(next(f), 1);
	assert_int_equal(next(f), 2);
	assert_int_equal(next(f), 3);
	assert_int_equal(next(f), -4);
	expect_nothing(f);
}

static void files_that_come_later_are_found(void **state)
{
	struct trail_fixture *f = *state;
	long expected = 0;

	f->ledger.leaves_per_file = 5;
	trail_append(f, 2);
	begin(f);
	for (int round = 0; round < 12; round++) {
		while (expected < (long)log_tree(f->ledger.log)->size)
			assert_int_equal(next(f), expected++);
		assert_int_equal(next(f), -expected);
		expect_nothing(f);
		trail_append(f, (size_t)(round % 4 * 3));
	}
	assert_true(expected > 40);
}

/* From every place that there is, all comes that is behind it. */
static void every_place_can_be_gone_on_from(void **state)
{
	struct trail_fixture *f = *state;
	struct trail *whole = trail_new(f->volume);
	struct trail_item item;

	f->ledger.leaves_per_file = 4;
	for (int i = 0; i < 5; i++)
		trail_append(f, 3);
	assert_ok(trail_begin(whole, &f->place, &f->err), &f->err);
	do {
		long expected;

		f->place = *trail_place(whole);
		begin(f);
		assert_int_equal(trail_next(whole, &item, &f->err), 1);
		expected = item.leaf ? (long)item.leaf->index
				     : -(long)item.checkpoint->checkpoint.size;
		assert_int_equal(next(f), expected);
		assert_int_equal(trail_place(f->trail)->next_index, trail_place(whole)->next_index);
		assert_int_equal(trail_place(f->trail)->checkpoint_offset,
				 trail_place(whole)->checkpoint_offset);
	} while (item.leaf || item.checkpoint->checkpoint.size < log_tree(f->ledger.log)->size);
	trail_free(whole);
}

/* To the end, and remember the place. */
static void read_all(struct trail_fixture *f)
{
	struct trail_item item;

	begin(f);
	while (trail_next(f->trail, &item, &f->err) == 1)
		;
	f->place = *trail_place(f->trail);
	assert_int_equal(f->place.next_index, log_tree(f->ledger.log)->size);
}

static void torn_checkpoints_mean_nothing(void **state)
{
	struct trail_fixture *f = *state;
	struct bytes file;

	trail_append(f, 2);
	read_all(f);
	file = fixture_load(&f->ledger, CHECKPOINT_FILE_NAME);
	file.data = realloc(file.data, file.size + 100);
	memset(file.data + file.size, 'x', 100);
	fixture_store(&f->ledger, CHECKPOINT_FILE_NAME, file.data, file.size + 100);
	free(file.data);
	expect_nothing(f);
	/* it writes the void leaf first */
	trail_append(f, 1);
	assert_int_equal(next(f), 2);
	assert_int_equal(next(f), 3);
	assert_int_equal(next(f), -4);
	expect_nothing(f);
}

static void the_end_is_seen_without_reading_all(void **state)
{
	struct trail_fixture *f = *state;
	struct trail_end end;

	assert_fails(trail_look(f->trail, &end, &f->err), &f->err, ERROR_NOT_FOUND, "checkpoints");
	for (int i = 0; i < 40; i++)
		trail_append(f, 1);
	assert_ok(trail_look(f->trail, &end, &f->err), &f->err);
	assert_int_equal(end.leaf_count, 40);
	assert_true(end.checkpoint_usec > UINT64_C(1600000000000000));
}

static void an_empty_ledger_is_not_another_one(void **state)
{
	struct trail_fixture *f = *state;

	assert_fails(trail_begin(f->trail, &f->place, &f->err), &f->err, ERROR_NOT_FOUND,
		     "checkpoints");
	expect_nothing(f);
	trail_append(f, 1);
	begin(f);
	assert_int_equal(next(f), 0);
}

static void expect_diverged(struct trail_fixture *f, const char *words)
{
	assert_fails(trail_begin(f->trail, &f->place, &f->err), &f->err, ERROR_DIVERGED,
		     "is not the one that was forwarded: ");
	if (!strstr(f->err.message, words))
		fail_msg("'%s' does not contain '%s'", f->err.message, words);
	expect_nothing(f);
}

static void a_shorter_ledger_is_refused(void **state)
{
	struct trail_fixture *f = *state;
	struct bytes checkpoints;

	trail_append(f, 2);
	checkpoints = fixture_load(&f->ledger, CHECKPOINT_FILE_NAME);
	trail_append(f, 3);
	read_all(f);
	fixture_store(&f->ledger, CHECKPOINT_FILE_NAME, checkpoints.data, checkpoints.size);
	free(checkpoints.data);
	expect_diverged(f, "5 leaves are forwarded, and its last checkpoint covers only 2");
	unlinkat(f->ledger.dir_fd, CHECKPOINT_FILE_NAME, 0);
	expect_diverged(f, CHECKPOINT_FILE_NAME);
}

static void missing_checkpoints_are_refused(void **state)
{
	struct trail_fixture *f = *state;
	struct bytes checkpoints;

	trail_append(f, 2);
	trail_append(f, 0);
	read_all(f);
	checkpoints = fixture_load(&f->ledger, CHECKPOINT_FILE_NAME);
	fixture_store(&f->ledger, CHECKPOINT_FILE_NAME, checkpoints.data, CHECKPOINT_SLOT_SIZE);
	free(checkpoints.data);
	expect_diverged(f, "checkpoints that were forwarded are missing");
}

static void another_leaf_is_refused(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 4);
	read_all(f);
	f->place.leaf.bytes[0] ^= 1;
	expect_diverged(f, "leaf 3 is another one");
}

static void a_missing_leaf_is_refused(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 4);
	read_all(f);
	fixture_store(&f->ledger, "00000000000000000000.jsonl", "", 0);
	expect_diverged(f, "leaf 3, which a checkpoint covers, is missing");
}

static void another_archive_is_refused(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 4);
	read_all(f);
	f->place.origin[10] ^= 1;
	expect_diverged(f, "its archive is " FIXTURE_ORIGIN);
}

static void no_ledger_is_not_another_one(void **state)
{
	struct trail_fixture *f = *state;

	trail_append(f, 4);
	read_all(f);
	trail_fixture_link(f, "/nonexistent");
	assert_fails(trail_begin(f->trail, &f->place, &f->err), &f->err, ERROR_NOT_FOUND, "ledger");
}

static void damage_is_told_and_the_place_stays(void **state)
{
	struct trail_fixture *f = *state;
	struct trail_item item;
	struct bytes file;

	trail_append(f, 4);
	file = fixture_load(&f->ledger, "00000000000000000000.jsonl");
	strstr(file.data, "\"index\":\"2\"")[9] = '7';
	fixture_store(&f->ledger, "00000000000000000000.jsonl", file.data, file.size);
	begin(f);
	assert_int_equal(next(f), 0);
	assert_int_equal(next(f), 1);
	assert_fails(trail_next(f->trail, &item, &f->err), &f->err, ERROR_DEFECT, "ledger/");
	assert_int_equal(trail_place(f->trail)->next_index, 2);
	expect_nothing(f);
	free(file.data);
}

int main(void)
{
#define TRAIL_TEST(name) cmocka_unit_test_setup_teardown(name, trail_setup, trail_teardown)
	const struct CMUnitTest tests[] = {
		TRAIL_TEST(leaves_come_in_order_and_each_checkpoint_behind_its_last),
		TRAIL_TEST(what_no_checkpoint_covers_is_held_back),
		TRAIL_TEST(files_that_come_later_are_found),
		TRAIL_TEST(every_place_can_be_gone_on_from),
		TRAIL_TEST(torn_checkpoints_mean_nothing),
		TRAIL_TEST(the_end_is_seen_without_reading_all),
		TRAIL_TEST(an_empty_ledger_is_not_another_one),
		TRAIL_TEST(a_shorter_ledger_is_refused),
		TRAIL_TEST(missing_checkpoints_are_refused),
		TRAIL_TEST(another_leaf_is_refused),
		TRAIL_TEST(a_missing_leaf_is_refused),
		TRAIL_TEST(another_archive_is_refused),
		TRAIL_TEST(no_ledger_is_not_another_one),
		TRAIL_TEST(damage_is_told_and_the_place_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
