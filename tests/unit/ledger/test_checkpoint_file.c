#include "unit/ledger/ledger_fixture.h"

#define SLOT CHECKPOINT_SLOT_SIZE

static void make_ledger(struct fixture *f, size_t checkpoint_count)
{
	struct error err;

	fixture_init(f);
	assert_ok(fixture_open(f, &err), &err);
	for (size_t i = 0; i < checkpoint_count; i++) {
		assert_ok(fixture_append(f, 10, &err), &err);
		fixture_checkpoint(f);
	}
}

static void there_is_no_file_before_the_first_note(void **state)
{
	struct checkpoint_reader *reader;
	struct fixture f;
	struct error err;

	(void)state;
	make_ledger(&f, 0);
	assert_fails(checkpoint_reader_new(f.dir_fd, &reader, &err), &err, ERROR_NOT_FOUND,
		     "checkpoints");
	fixture_release(&f);
}

static void notes_come_back_in_order(void **state)
{
	CLEANUP(checkpoint_reader_freep)
	struct checkpoint_reader *reader = NULL;
	struct checkpoint_file_options options = {.volume = FIXTURE_VOLUME};
	CLEANUP(checkpoint_file_freep)
	struct checkpoint_file *file = NULL;
	static struct checkpoint_item item;
	struct checkpoint last;
	struct fixture f;
	struct error err;

	(void)state;
	make_ledger(&f, 40);
	assert_ok(checkpoint_reader_new(f.dir_fd, &reader, &err), &err);
	for (size_t i = 0; i < 40; i++) {
		assert_ok(checkpoint_reader_next(reader, &item, &err), &err);
		assert_int_equal(item.kind, CHECKPOINT_NOTE);
		assert_int_equal(item.offset, i * SLOT);
		assert_int_equal(item.checkpoint.size, i + 1);
	}
	assert_ok(checkpoint_reader_next(reader, &item, &err), &err);
	assert_int_equal(item.kind, CHECKPOINT_END);
	assert_int_equal(item.offset, 40 * SLOT);
	assert_ok(checkpoint_file_open(f.dir_fd, &options, &last, &file, &err), &err);
	assert_int_equal(last.size, 40);
	assert_fails(checkpoint_file_append(file, "x\n", 2, &err), &err, ERROR_DEFECT, "ends");
	fixture_release(&f);
}

static void filler_slots_of_larger_blocks_are_skipped(void **state)
{
	struct fixture f;
	struct bytes bytes;
	char *wide;

	(void)state;
	make_ledger(&f, 3);
	bytes = fixture_load(&f, "checkpoints");
	wide = malloc(12 * SLOT);
	memset(wide, '\n', 12 * SLOT);
	for (size_t i = 0; i < 3; i++)
		memcpy(wide + 4 * i * SLOT, bytes.data + i * SLOT, SLOT);
	fixture_store(&f, "checkpoints", wide, 12 * SLOT);
	assert_clean(&f);
	fixture_checkpoint(&f);
	assert_clean(&f);
	free(wide);
	free(bytes.data);
	fixture_release(&f);
}

static void a_note_torn_at_any_byte_is_void(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct bytes bytes;
	struct bytes leaves;
	struct error err;

	(void)state;
	make_ledger(&f, 3);
	bytes = fixture_load(&f, "checkpoints");
	leaves = fixture_load(&f, "00000000000000000000.jsonl");
	for (size_t cut = 2 * SLOT; cut <= 3 * SLOT; cut += cut < 2 * SLOT + 300 ? 1 : 41) {
		for (unsigned zeros = 0; zeros < 2; zeros++) {
			char *torn = calloc(1, bytes.size);

			memcpy(torn, bytes.data, cut);
			fixture_store(&f, "checkpoints", torn, zeros ? bytes.size : cut);
			fixture_store(&f, "00000000000000000000.jsonl", leaves.data, leaves.size);
			free(torn);
			assert_ok(fixture_open(&f, &err), &err);
			fixture_checkpoint(&f);
			fixture_verify(&f, &summary);
			if (f.defect_count > 0)
				fail_msg("cut at %zu: %s: offset %ju: %s", cut, f.defect_file,
					 (uintmax_t)f.defect_offset, f.defect_sentence);
			assert_int_equal(summary.torn_checkpoint_size, 0);
			assert_int_equal(summary.signed_size, summary.leaf_count);
		}
	}
	free(leaves.data);
	free(bytes.data);
	fixture_release(&f);
}

static void torn_slots_before_the_next_note_are_one_range(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f, 2);
	bytes = fixture_load(&f, "checkpoints");
	bytes.data = realloc(bytes.data, 6 * SLOT);
	memset(bytes.data + 2 * SLOT, '\n', 4 * SLOT);
	memset(bytes.data + 2 * SLOT, 0, SLOT);
	bytes.data[4 * SLOT] = 'x';
	fixture_store(&f, "checkpoints", bytes.data, 6 * SLOT);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 0);
	assert_int_equal(summary.torn_checkpoint_offset, 2 * SLOT);
	assert_int_equal(summary.torn_checkpoint_size, 3 * SLOT);
	fixture_checkpoint(&f);
	assert_clean(&f);
	/* what the void leaf names is bound by it, the filler between included */
	bytes = (free(bytes.data), fixture_load(&f, "checkpoints"));
	bytes.data[3 * SLOT + 5] = 'x';
	fixture_store(&f, "checkpoints", bytes.data, bytes.size);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 1);
	assert_string_equal(f.defect_file, "checkpoints");
	assert_int_equal(f.defect_offset, 2 * SLOT);
	assert_non_null(strstr(f.defect_sentence, "no void leaf names them"));
	free(bytes.data);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_no_file_before_the_first_note),
		cmocka_unit_test(notes_come_back_in_order),
		cmocka_unit_test(filler_slots_of_larger_blocks_are_skipped),
		cmocka_unit_test(a_note_torn_at_any_byte_is_void),
		cmocka_unit_test(torn_slots_before_the_next_note_are_one_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
