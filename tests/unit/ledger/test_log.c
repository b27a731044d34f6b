#include "unit/ledger/ledger_fixture.h"

#define BLOCK  4096
#define FILE_0 "00000000000000000000.jsonl"

static uint64_t count_leaves(struct fixture *f)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	struct error err;

	assert_ok(fixture_reader_end(f, false, &reader, &err), &err);
	return log_reader_end(reader)->next_index;
}

static void leaves_come_back_across_files(void **state)
{
	struct log_reader_options options = {.volume = FIXTURE_VOLUME};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	struct fixture f;
	struct error err;
	uint64_t index = 0;
	int r;

	(void)state;
	fixture_init(&f);
	f.leaves_per_file = 5;
	f.state_parts = 2;
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 20; i++)
		assert_ok(fixture_append(&f, i * 1000, &err), &err);
	/* file 0: 5 leaves; each other: 2 states and 3 leaves */
	assert_int_equal(f.appended_count, 30);
	assert_int_equal(f.created_count, 6);
	assert_int_equal(f.full_count, 5);
	assert_ok(log_reader_new(f.dir_fd, &options, &reader, &err), &err);
	while ((r = log_reader_next(reader, &leaf, &err)) > 0) {
		assert_int_equal(leaf->index, index++);
		assert_int_equal(leaf->file_first, leaf->index / 5 * 5);
		assert_int_equal(leaf->offset % BLOCK, 0);
		assert_string_equal(leaf->type,
				    index > 5 && leaf->index % 5 < 2 ? "state" : "test");
	}
	assert_ok(r, &err);
	assert_int_equal(index, 30);
	assert_true(tree_equal(log_reader_tree(reader), &f.appended));
	assert_true(tree_equal(log_tree(f.log), &f.appended));
	fixture_release(&f);
}

static void starting_reads_only_the_last_file(void **state)
{
	struct log_reader_options options = {.from_state = true, .volume = FIXTURE_VOLUME};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f);
	f.leaves_per_file = 4;
	f.state_parts = 3;
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 6; i++)
		assert_ok(fixture_append(&f, 10, &err), &err);
	/* 0-3, 4-7, 8-11: the older ones are not even there */
	assert_int_equal(unlinkat(f.dir_fd, FILE_0, 0), 0);
	assert_ok(log_reader_new(f.dir_fd, &options, &reader, &err), &err);
	assert_int_equal(log_reader_next(reader, &leaf, &err), 1);
	assert_int_equal(leaf->index, 8);
	assert_true(leaf_is(leaf, "state"));
	while (log_reader_next(reader, &leaf, &err) > 0)
		;
	assert_true(tree_equal(log_reader_tree(reader), &f.appended));
	/* and the log goes on from there */
	assert_ok(fixture_open(&f, &err), &err);
	assert_ok(fixture_append(&f, 10, &err), &err);
	assert_true(tree_equal(log_tree(f.log), &f.appended));
	fixture_release(&f);
}

static void a_leaf_that_cannot_be_written_leaves_the_log_usable(void **state)
{
	struct fixture f;
	struct error err;
	json_t *object = json_object();

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_open(&f, &err), &err);
	assert_fails(log_append(f.log, object, &f.stamp, NULL, &err), &err, ERROR_USAGE,
		     "without a type");
	assert_fails(fixture_append(&f, LEAF_SIZE_MAX, &err), &err, ERROR_USAGE, "limit");
	assert_int_equal(faccessat(f.dir_fd, FILE_0, F_OK, 0), -1);
	assert_ok(fixture_append(&f, 1, &err), &err);
	assert_int_equal(log_tree(f.log)->size, 1);
	json_decref(object);
	fixture_release(&f);
}

/* Open what a crash left, append, and see that everything reads clean with at least @kept leaves.
 */
static void assert_recovers(struct fixture *f, uint64_t kept)
{
	uint64_t leaves;
	struct error err;

	assert_ok(fixture_open(f, &err), &err);
	leaves = log_tree(f->log)->size;
	assert_true(leaves >= kept);
	assert_ok(fixture_append(f, 3, &err), &err);
	assert_ok(fixture_append(f, 5000, &err), &err);
	assert_clean(f);
	assert_true(count_leaves(f) >= leaves + 2);
}

static void a_last_append_torn_at_any_byte_is_void_or_whole(void **state)
{
	struct fixture f;
	struct bytes before;
	struct bytes after;
	struct error err;
	size_t line_end;

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 3; i++)
		assert_ok(fixture_append(&f, 10, &err), &err);
	before = fixture_load(&f, FILE_0);
	assert_ok(fixture_append(&f, 4200, &err), &err);
	after = fixture_load(&f, FILE_0);
	assert_int_equal(after.size, before.size + 2 * BLOCK);
	line_end =
		before.size + (size_t)((char *)memchr(after.data + before.size, '\n', 2 * BLOCK) -
				       (after.data + before.size));
	for (size_t cut = before.size; cut <= after.size; cut += cut < line_end + 8 ? 1 : 97) {
		uint64_t expected = cut < line_end ? 3 : 4;

		fixture_store(&f, FILE_0, after.data, cut);
		assert_ok(fixture_open(&f, &err), &err);
		/* what is torn is named by one void leaf more; a whole leaf is kept */
		assert_int_equal(log_tree(f.log)->size,
				 cut > before.size && cut < line_end ? 4 : expected);
		if (cut % 16 == 0 || (cut > line_end - 4 && cut < line_end + 4))
			assert_recovers(&f, expected);
	}
	free(before.data);
	free(after.data);
	fixture_release(&f);
}

static void any_subset_of_the_blocks_of_an_append_is_void(void **state)
{
	struct fixture f;
	struct bytes before;
	struct bytes after;
	struct error err;

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_open(&f, &err), &err);
	assert_ok(fixture_append(&f, 10, &err), &err);
	before = fixture_load(&f, FILE_0);
	assert_ok(fixture_append(&f, 3 * BLOCK, &err), &err);
	after = fixture_load(&f, FILE_0);
	assert_int_equal(after.size, before.size + 4 * BLOCK);
	for (unsigned fill = 0; fill < 3; fill++) {
		for (unsigned mask = 0; mask < 15; mask++) {
			char *torn = malloc(after.size);

			memcpy(torn, after.data, after.size);
			for (unsigned block = 0; block < 4; block++) {
				if (!(mask >> block & 1))
					memset(torn + before.size + block * BLOCK,
					       fill == 0   ? 0
					       : fill == 1 ? '\n'
							   : 0xe5,
					       BLOCK);
			}
			fixture_store(&f, FILE_0, torn, after.size);
			assert_recovers(&f, 1);
			free(torn);
		}
	}
	free(before.data);
	free(after.data);
	fixture_release(&f);
}

/* All bytes that were ever appended, in order, as a crash could cut them. */
struct history {
	size_t count;
	char names[16][LOG_FILE_NAME_SIZE];
	struct bytes files[16];
};

static void history_load(struct fixture *f, struct history *history)
{
	memset(history, 0, sizeof(*history));
	for (uint64_t first = 0; first < 100; first++) {
		char *name = history->names[history->count];

		log_file_name(first, name);
		if (faccessat(f->dir_fd, name, F_OK, 0) == 0)
			history->files[history->count++] = fixture_load(f, name);
	}
}

/* Only the first @size bytes of file @index, and the whole files before it. */
static void history_store(struct fixture *f, const struct history *history, size_t index,
			  size_t size)
{
	fixture_clear(f);
	for (size_t i = 0; i < index; i++)
		fixture_store(f, history->names[i], history->files[i].data, history->files[i].size);
	fixture_store(f, history->names[index], history->files[index].data, size);
}

static void history_free(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		free(history->files[i].data);
}

static size_t next_cut(size_t cut)
{
	size_t in_block = cut % BLOCK;

	/* bytes near the edges, and a few of the inside */
	return cut + (in_block < 2 || in_block == BLOCK - 1 ? 1 : MIN(61, BLOCK - 1 - in_block));
}

static void a_crash_anywhere_in_a_history_of_files_is_recovered(void **state)
{
	struct history history;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f);
	f.leaves_per_file = 4;
	f.state_parts = 2;
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 8; i++)
		assert_ok(fixture_append(&f, 10, &err), &err);
	history_load(&f, &history);
	assert_int_equal(history.count, 3);
	for (size_t i = 0; i < history.count; i++) {
		for (size_t cut = 0; cut <= history.files[i].size; cut = next_cut(cut)) {
			history_store(&f, &history, i, cut);
			assert_recovers(&f, 4 * i + cut / BLOCK);
		}
	}
	history_free(&history);
	fixture_release(&f);
}

static void a_crash_while_recovering_is_recovered(void **state)
{
	struct history history;
	struct fixture f;
	struct error err;
	size_t torn_size;

	(void)state;
	fixture_init(&f);
	f.leaves_per_file = 4;
	f.state_parts = 2;
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 5; i++)
		assert_ok(fixture_append(&f, 10, &err), &err);
	history_load(&f, &history);
	assert_int_equal(history.count, 2);
	/* tear the second state leaf, recover, and tear what recovery wrote: void, state, state */
	torn_size = BLOCK + 100;
	history_store(&f, &history, 1, torn_size);
	history_free(&history);
	assert_ok(fixture_open(&f, &err), &err);
	history_load(&f, &history);
	assert_int_equal(history.files[1].size, 5 * BLOCK);
	for (size_t cut = torn_size; cut <= 5 * BLOCK; cut = next_cut(cut)) {
		history_store(&f, &history, 1, cut);
		assert_recovers(&f, 5);
	}
	history_free(&history);
	fixture_release(&f);
}

static void a_ledger_with_a_defect_is_not_appended_to(void **state)
{
	struct fixture f;
	struct bytes bytes;
	struct error err;

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_open(&f, &err), &err);
	for (size_t i = 0; i < 3; i++)
		assert_ok(fixture_append(&f, 10, &err), &err);
	bytes = fixture_load(&f, FILE_0);
	bytes.data[BLOCK + 20] ^= 1;
	fixture_store(&f, FILE_0, bytes.data, bytes.size);
	assert_fails(fixture_open(&f, &err), &err, ERROR_DEFECT,
		     "ledger/" FILE_0 ": offset 4096: ");
	free(bytes.data);
	fixture_release(&f);
}

static int no_state(void *context, json_t **ret_states, struct error *err)
{
	(void)context;
	(void)ret_states;
	return error_set(err, ERROR_IO, "the state cannot be had");
}

static void after_a_final_error_nothing_more_is_appended(void **state)
{
	struct log_operations operations = fixture_operations;
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f);
	f.leaves_per_file = 1;
	operations.state = no_state;
	assert_ok(fixture_reader_end(&f, true, &reader, &err), &err);
	assert_ok(log_open(f.dir_fd,
			   &(struct log_options){.leaves_per_file = 1,
						 .volume = FIXTURE_VOLUME,
						 .operations = &operations,
						 .context = &f},
			   reader, &f.stamp, &f.log, &err),
		  &err);
	assert_ok(fixture_append(&f, 1, &err), &err);
	assert_fails(fixture_append(&f, 1, &err), &err, ERROR_IO, "the state cannot be had");
	assert_fails(fixture_append(&f, 1, &err), &err, ERROR_FAILED, "opened anew");
	/* the new file is there, without a head; the next start writes it */
	assert_ok(fixture_open(&f, &err), &err);
	assert_int_equal(log_tree(f.log)->size, 2);
	assert_clean(&f);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_come_back_across_files),
		cmocka_unit_test(starting_reads_only_the_last_file),
		cmocka_unit_test(a_leaf_that_cannot_be_written_leaves_the_log_usable),
		cmocka_unit_test(a_last_append_torn_at_any_byte_is_void_or_whole),
		cmocka_unit_test(any_subset_of_the_blocks_of_an_append_is_void),
		cmocka_unit_test(a_crash_anywhere_in_a_history_of_files_is_recovered),
		cmocka_unit_test(a_crash_while_recovering_is_recovered),
		cmocka_unit_test(a_ledger_with_a_defect_is_not_appended_to),
		cmocka_unit_test(after_a_final_error_nothing_more_is_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
