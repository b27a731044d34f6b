#include "unit/store/store_fixture.h"

#include <inttypes.h>
#include <sys/wait.h>

static void a_new_archive_opens_and_verifies(void **state)
{
	struct fixture f;
	struct error err;
	struct hash root;
	uint64_t size;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	store_checkpoint(f.store, &size, &root);
	assert_int_equal(size, 5); /* archive, master, two signing keys, policy */
	fixture_reopen(&f);
	assert_int_equal(store_worm(f.store), WORM_ADVISORY);
	assert_string_equal(state_archive(store_state(f.store))->name, "vault01");
	store_checkpoint(f.store, &size, &root);
	assert_int_equal(size, 5);
	assert_clean(&f);
	fixture_close(&f);
	assert_ok(store_open(f.volumes, 1, STORE_READ, &f.store, &err), &err);
	fixture_release(&f);
}

static void a_second_writer_is_told_who_holds_the_archive(void **state)
{
	struct fixture f;
	struct store *second = NULL;
	char words[64];
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	snprintf(words, sizeof(words), "already in use by process %d", (int)getpid());
	assert_fails(store_open(f.volumes, 1, STORE_WRITE, &second, &err), &err, ERROR_BUSY, words);
	assert_ok(store_open(f.volumes, 1, STORE_READ, &second, &err), &err);
	store_free(second);
	fixture_release(&f);
}

static void init_on_a_complete_archive_is_refused(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_close(&f);
	assert_fails(fixture_try(&f, WORM_ADVISORY, 0, &err), &err, ERROR_EXISTS, "holds archive");
	fixture_release(&f);
}

static void init_refuses_a_directory_with_other_files(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_save(&f, "holiday.jpg", "x", 1);
	assert_fails(fixture_try(&f, WORM_ADVISORY, 0, &err), &err, ERROR_USAGE, "holiday.jpg");
	fixture_release(&f);
}

static void without_an_archive_the_sentence_says_init(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	assert_fails(store_open(f.volumes, 1, STORE_READ, &f.store, &err), &err, ERROR_NOT_FOUND,
		     "binvault init");
	fixture_release(&f);
}

static void two_volumes_are_not_accepted_yet(void **state)
{
	const char *const volumes[] = {"/nonexistent-a", "/nonexistent-b"};
	struct store *store = NULL;
	struct error err;

	(void)state;
	assert_fails(store_open(volumes, 2, STORE_READ, &store, &err), &err, ERROR_USAGE,
		     "keeps an archive on one");
}

/* Make the archive what it was after @leaves leaves and no checkpoint; 0 leaves: no file. */
static void cut_to(struct fixture *f, size_t leaves)
{
	struct bytes file = fixture_load(f, "ledger/00000000000000000000.jsonl");
	char path[128];
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/ledger/checkpoints", f->path);
	assert_int_equal(unlink(path), 0);
	/* behind the LF that ends a line; others are padding */
	for (size_t lines = 0; lines < leaves; size++)
		lines += size > 0 && file.data[size] == '\n' && file.data[size - 1] != '\n';
	while (size < file.size && file.data[size] == '\n')
		size++;
	size = leaves ? round_up(size, 4096) : 0;
	fixture_save(f, "ledger/00000000000000000000.jsonl", file.data, MIN(size, file.size));
	if (leaves == 0) {
		snprintf(path, sizeof(path), "%s/ledger/00000000000000000000.jsonl", f->path);
		assert_int_equal(unlink(path), 0);
	}
	free(file.data);
}

static void init_goes_on_after_a_crash_behind_every_leaf(void **state)
{
	(void)state;
	for (size_t leaves = 0; leaves <= 5; leaves++) {
		struct fixture f;
		uint8_t id[STORE_ID_SIZE];
		struct store *reader = NULL;
		struct error err;

		fixture_init(&f, "/dev/shm");
		fixture_create(&f, WORM_ADVISORY, 0);
		memcpy(id, store_archive_id(f.store), STORE_ID_SIZE);
		fixture_close(&f);
		cut_to(&f, leaves);
		assert_fails(store_open(f.volumes, 1, STORE_READ, &reader, &err), &err,
			     ERROR_NOT_FOUND, "run binvault init again");
		fixture_create(&f, WORM_ADVISORY, 0);
		assert_memory_equal(id, store_archive_id(f.store), STORE_ID_SIZE);
		assert_int_equal(store_tree(f.store)->size, 5);
		fixture_reopen(&f);
		assert_clean(&f);
		fixture_release(&f);
	}
}

static void init_goes_on_after_a_torn_append_of_any_leaf(void **state)
{
	(void)state;
	for (size_t leaves = 0; leaves < 5; leaves++) {
		struct fixture f;
		struct bytes file;
		size_t begin;

		fixture_init(&f, "/dev/shm");
		fixture_create(&f, WORM_ADVISORY, 0);
		fixture_close(&f);
		cut_to(&f, leaves + 1);
		file = fixture_load(&f, "ledger/00000000000000000000.jsonl");
		begin = file.size - 1;
		while (file.data[begin] == '\n')
			begin--;
		/* half of the last line, zeros behind it: blocks that the disk never got */
		memset(file.data + begin - 40, 0, 41);
		fixture_save(&f, "ledger/00000000000000000000.jsonl", file.data, file.size);
		free(file.data);
		fixture_create(&f, WORM_ADVISORY, 0);
		fixture_reopen(&f);
		assert_int_equal(store_tree(f.store)->size, 6); /* and the void leaf */
		assert_clean(&f);
		fixture_release(&f);
	}
}

static void init_goes_on_from_each_step_before_the_ledger(void **state)
{
	static const char *const steps[] = {"ledger", "segments", "archive.id"};

	(void)state;
	for (size_t step = 0; step < ARRAY_LENGTH(steps); step++) {
		struct fixture f;
		struct store_create_options options;
		uint8_t id[STORE_ID_SIZE];
		char path[128];
		struct error err;

		fixture_init(&f, "/dev/shm");
		options = fixture_options(&f, WORM_ADVISORY, 0);
		assert_ok(store_create(&options, &f.store, &err), &err);
		memcpy(id, store_archive_id(f.store), STORE_ID_SIZE);
		fixture_close(&f);
		snprintf(path, sizeof(path), "%s/ledger/checkpoints", f.path);
		unlink(path);
		for (size_t i = 0; i <= step; i++) {
			snprintf(path, sizeof(path), "%s/%s", f.path, steps[i]);
			assert_int_equal(remove(path), 0);
		}
		fixture_save(&f, ".archive.id.new", "half", 4);
		fixture_create(&f, WORM_ADVISORY, 0);
		if (step < 2)
			assert_memory_equal(id, store_archive_id(f.store), STORE_ID_SIZE);
		fixture_reopen(&f);
		assert_clean(&f);
		fixture_release(&f);
	}
}

static void init_with_the_hsm_away_is_completed_later(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	f.sign_fails = true;
	assert_fails(fixture_try(&f, WORM_ADVISORY, 0, &err), &err, ERROR_UNAVAILABLE,
		     "the HSM is away");
	fixture_close(&f);
	f.sign_fails = false;
	fixture_create(&f, WORM_ADVISORY, 0);
	assert_int_equal(f.sign_count, 1);
	assert_clean(&f);
	fixture_release(&f);
}

static void init_again_with_another_token_is_refused(void **state)
{
	struct fixture f;
	EVP_PKEY *saved = checkpoint_key;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	f.sign_fails = true;
	assert_true(fixture_try(&f, WORM_ADVISORY, 0, &err) < 0);
	fixture_close(&f);
	f.sign_fails = false;
	checkpoint_key = other_key;
	assert_fails(fixture_try(&f, WORM_ADVISORY, 0, &err), &err, ERROR_REFUSED,
		     "another checkpoint key");
	checkpoint_key = saved;
	fixture_release(&f);
}

static void a_signature_of_another_key_is_never_appended(void **state)
{
	struct fixture f;
	EVP_PKEY *saved = checkpoint_key;
	uint8_t signature[SIGNATURE_SIZE_MAX];
	struct hash root;
	struct error err;
	size_t size;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	tree_root(store_tree(f.store), &root);
	checkpoint_key = other_key;
	assert_ok(fixture_sign(&f, f.store, 5, &root, signature, &size, &err), &err);
	checkpoint_key = saved;
	assert_true(store_checkpoint_append(f.store, 5, &root, signature, size, &err) < 0);
	assert_ok(fixture_sign(&f, f.store, 5, &root, signature, &size, &err), &err);
	root.bytes[0] ^= 1;
	assert_true(store_checkpoint_append(f.store, 5, &root, signature, size, &err) < 0);
	fixture_reopen(&f);
	assert_clean(&f);
	fixture_release(&f);
}

static void a_wrong_leaf_is_never_written(void **state)
{
	struct fixture f;
	struct approved_record approved = {.request = "R-1", .by = "policy"};
	struct segment_opened_record opened = {.path = "segments/orders/2026-11/x.4.00.seg"};
	struct segment_header header = {.block_size = 4096,
					.start_position = 4,
					.source = "orders",
					.binlog_file = "binlog.000001"};
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	assert_fails(store_append(f.store, approved_record_encode(&approved), NULL, &err), &err,
		     ERROR_DEFECT, "no request 'R-1' is waiting");
	memcpy(header.archive_id, store_archive_id(f.store), STORE_ID_SIZE);
	memset(header.segment_id, 1, SEGMENT_ID_SIZE);
	memset(header.period_id, 2, SEGMENT_ID_SIZE);
	assert_ok(segment_header_encode(&header, opened.header_bytes, &err), &err);
	assert_fails(store_append(f.store, segment_opened_record_encode(&opened), NULL, &err), &err,
		     ERROR_DEFECT, "names a period that is not live");
	assert_int_equal(store_tree(f.store)->size, 5);
	fixture_release(&f);
}

static int count_hashes(void *context, const struct hash *hashes, size_t count, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < count; i++)
		tree_append(context, &hashes[i]);
	return 0;
}

static void the_ledger_rolls_and_opens_from_its_last_file(void **state)
{
	struct fixture f;
	struct covered_record covered = {.source = "orders"};
	struct tree before, tree;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_segment(&f, "orders", "binlog.000001", 4, 500, SEGMENT_ENDED_SIZE, NULL);
	before = *store_tree(f.store);
	for (unsigned i = 0; i < 100; i++) {
		covered.position = i;
		assert_ok(store_append(f.store, covered_record_encode(&covered), NULL, &err), &err);
		if (i % 7 == 0)
			fixture_reopen(&f);
		if (i % 11 == 0)
			fixture_checkpoint(&f);
	}
	assert_int_equal(state_covered(store_state(f.store), "orders", NULL)->position, 99);
	assert_int_equal(state_sealed(store_state(f.store), "orders", NULL)->end.summary.event_end,
			 504);
	assert_non_null(state_master(store_state(f.store)));
	/* reaches back behind the last file */
	fixture_reopen(&f);
	assert_ok(store_tree_at(f.store, before.size, &tree, &err), &err);
	assert_true(tree_equal(&tree, &before));
	assert_ok(store_leaf_hashes(f.store, before.size, store_tree(f.store)->size, 7,
				    count_hashes, &tree, &err),
		  &err);
	assert_true(tree_equal(&tree, store_tree(f.store)));
	assert_ok(store_check_signed(f.store, &before, &err), &err);
	assert_clean(&f);
	fixture_release(&f);
}

static void what_the_hsm_signed_tells_a_rollback_and_a_fork(void **state)
{
	struct fixture f;
	struct covered_record covered = {.source = "orders"};
	struct tree other = {0};
	struct hash hash = {{1}};
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	assert_ok(store_append(f.store, covered_record_encode(&covered), NULL, &err), &err);
	for (int i = 0; i < 4; i++)
		tree_append(&other, &hash);
	assert_fails(store_check_signed(f.store, &other, &err), &err, ERROR_DEFECT, "fork");
	other = *store_tree(f.store);
	assert_ok(store_check_signed(f.store, &other, &err), &err);
	tree_append(&other, &hash);
	assert_fails(store_check_signed(f.store, &other, &err), &err, ERROR_DEFECT, "rolled back");
	fixture_release(&f);
}

static void a_ledger_shorter_than_its_checkpoint_does_not_open(void **state)
{
	struct fixture f;
	struct covered_record covered = {.source = "orders"};
	struct bytes file;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	file = fixture_load(&f, "ledger/00000000000000000000.jsonl");
	assert_ok(store_append(f.store, covered_record_encode(&covered), NULL, &err), &err);
	fixture_checkpoint(&f);
	fixture_close(&f);
	fixture_save(&f, "ledger/00000000000000000000.jsonl", file.data, file.size);
	free(file.data);
	assert_fails(store_open(f.volumes, 1, STORE_WRITE, &f.store, &err), &err, ERROR_DEFECT,
		     "rolled back");
	fixture_release(&f);
}

static void a_torn_checkpoint_gets_a_void_leaf(void **state)
{
	struct fixture f;
	struct bytes file;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_checkpoint(&f);
	fixture_close(&f);
	file = fixture_load(&f, "ledger/checkpoints");
	memset(file.data + file.size - 4096 + 100, 0, 3996);
	fixture_save(&f, "ledger/checkpoints", file.data, file.size);
	free(file.data);
	fixture_reopen(&f);
	assert_int_equal(store_tree(f.store)->size, 6);
	fixture_checkpoint(&f);
	fixture_reopen(&f);
	assert_clean(&f);
	fixture_release(&f);
}

/* --- WORM ------------------------------------------------------------------------------------ */

/* Flags need a file system that has them and a process that may set them. */
static bool flags_work(struct fixture *f)
{
	struct error err;
	int fd = open(f->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	bool works = fd >= 0 && file_protect(fd, FILE_PROTECTION_APPEND, &err) == 0;

	if (fd >= 0)
		close(fd);
	return works;
}

static void assert_refuses(const char *path)
{
	char other[600];

	snprintf(other, sizeof(other), "%s.moved", path);
	assert_true(open(path, O_WRONLY | O_CLOEXEC) < 0);
	assert_int_not_equal(truncate(path, 0), 0);
	assert_int_not_equal(unlink(path), 0);
	assert_int_not_equal(rename(path, other), 0);
}

static void with_worm_required_nothing_can_be_changed(void **state)
{
	struct fixture f;
	struct verify_result result;
	char path[512];
	struct error err;

	(void)state;
	fixture_init(&f, "/tmp");
	if (!flags_work(&f)) {
		fixture_release(&f);
		print_message("SKIPPED: no CAP_LINUX_IMMUTABLE, or no flags in /tmp\n");
		skip();
	}
	fixture_create(&f, WORM_REQUIRED, 16);
	for (int i = 0; i < 6; i++)
		fixture_segment(&f, "orders", "binlog.000001", 4 + 500 * (uint64_t)i, 500,
				SEGMENT_ENDED_SIZE, NULL);
	fixture_checkpoint(&f);
	fixture_reopen(&f);
	assert_int_equal(store_worm(f.store), WORM_REQUIRED);
	assert_clean(&f);
	snprintf(path, sizeof(path), "%s/archive.id", f.path);
	assert_refuses(path);
	snprintf(path, sizeof(path), "%s/ledger/00000000000000000000.jsonl", f.path);
	assert_refuses(path);
	assert_true(open(path, O_WRONLY | O_APPEND | O_CLOEXEC) < 0); /* full: immutable */
	snprintf(path, sizeof(path), "%s/ledger/checkpoints", f.path);
	assert_refuses(path);
	snprintf(path, sizeof(path), "%s/%s", f.path,
		 state_sealed(store_state(f.store), "orders", NULL)->path);
	assert_refuses(path);
	assert_true(open(path, O_WRONLY | O_APPEND | O_CLOEXEC) < 0);
	snprintf(path, sizeof(path), "%s/segments/orders", f.path);
	assert_refuses(path);
	snprintf(path, sizeof(path), "%s/segments/orders/2026-11", f.path);
	assert_refuses(path);
	/* flags that are gone are a defect here, and counted on a copy */
	fixture_close(&f);
	fixture_unprotect(&f);
	assert_fails(store_open(f.volumes, 1, STORE_WRITE, &f.store, &err), &err, ERROR_DEFECT,
		     "has lost its flag");
	assert_defect(&f, "lacks its flag immutable");
	assert_ok(fixture_audit(&f, true, &result, &err), &err);
	assert_int_equal(result.defect_count, 0);
	assert_true(result.unprotected_count >= 10);
	fixture_release(&f);
}

static void with_worm_required_init_goes_on_after_every_leaf(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "/tmp");
	if (!flags_work(&f)) {
		fixture_release(&f);
		print_message("SKIPPED: no CAP_LINUX_IMMUTABLE, or no flags in /tmp\n");
		skip();
	}
	f.sign_fails = true;
	for (int i = 0; i < 3; i++) {
		struct error err;

		assert_fails(fixture_try(&f, WORM_REQUIRED, 0, &err), &err, ERROR_UNAVAILABLE,
			     "away");
		fixture_close(&f);
	}
	f.sign_fails = false;
	fixture_create(&f, WORM_REQUIRED, 0);
	assert_clean(&f);
	fixture_release(&f);
}

static void worm_required_without_the_capability_names_the_way_out(void **state)
{
	struct fixture f;
	struct error err;
	pid_t child;
	int status;

	(void)state;
	fixture_init(&f, "/tmp");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int r;

		if (chmod(f.path, 0777) != 0 || (geteuid() == 0 && setuid(65534) != 0))
			_exit(3);
		r = fixture_try(&f, WORM_REQUIRED, 0, &err);
		_exit(r == ERROR_USAGE && strstr(err.message, "worm = advisory") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_archive_opens_and_verifies),
		cmocka_unit_test(a_second_writer_is_told_who_holds_the_archive),
		cmocka_unit_test(init_on_a_complete_archive_is_refused),
		cmocka_unit_test(init_refuses_a_directory_with_other_files),
		cmocka_unit_test(without_an_archive_the_sentence_says_init),
		cmocka_unit_test(two_volumes_are_not_accepted_yet),
		cmocka_unit_test(init_goes_on_after_a_crash_behind_every_leaf),
		cmocka_unit_test(init_goes_on_after_a_torn_append_of_any_leaf),
		cmocka_unit_test(init_goes_on_from_each_step_before_the_ledger),
		cmocka_unit_test(init_with_the_hsm_away_is_completed_later),
		cmocka_unit_test(init_again_with_another_token_is_refused),
		cmocka_unit_test(a_signature_of_another_key_is_never_appended),
		cmocka_unit_test(a_wrong_leaf_is_never_written),
		cmocka_unit_test(the_ledger_rolls_and_opens_from_its_last_file),
		cmocka_unit_test(what_the_hsm_signed_tells_a_rollback_and_a_fork),
		cmocka_unit_test(a_ledger_shorter_than_its_checkpoint_does_not_open),
		cmocka_unit_test(a_torn_checkpoint_gets_a_void_leaf),
		cmocka_unit_test(with_worm_required_nothing_can_be_changed),
		cmocka_unit_test(with_worm_required_init_goes_on_after_every_leaf),
		cmocka_unit_test(worm_required_without_the_capability_names_the_way_out),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
