#include "unit/ledger/ledger_fixture.h"

#define BLOCK  4096
#define FILE_0 "00000000000000000000.jsonl"
#define FILE_1 "00000000000000000004.jsonl"

/* Two files, one torn leaf, one torn checkpoint, three checkpoints; all of it signed. */
static void make_ledger(struct fixture *f)
{
	struct bytes bytes;
	struct error err;

	fixture_init(f);
	f->leaves_per_file = 4;
	assert_ok(fixture_open(f, &err), &err);
	assert_ok(fixture_append(f, 10, &err), &err);
	fixture_checkpoint(f);
	assert_ok(fixture_append(f, 10, &err), &err);
	bytes = fixture_load(f, FILE_0);
	fixture_store(f, FILE_0, bytes.data, BLOCK + 77);
	free(bytes.data);
	assert_ok(fixture_open(f, &err), &err);
	assert_ok(fixture_append(f, 10, &err), &err);
	fixture_checkpoint(f);
	bytes = fixture_load(f, "checkpoints");
	fixture_store(f, "checkpoints", bytes.data, BLOCK + 99);
	free(bytes.data);
	fixture_checkpoint(f);
	assert_ok(fixture_append(f, 10, &err), &err);
	fixture_checkpoint(f);
	assert_clean(f);
}

static void a_whole_ledger_is_counted(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct hash root;
	struct error err;

	(void)state;
	make_ledger(&f);
	fixture_verify(&f, &summary);
	assert_int_equal(summary.defect_count, 0);
	assert_int_equal(summary.leaf_count, log_tree(f.log)->size);
	assert_int_equal(summary.signed_size, summary.leaf_count);
	assert_int_equal(summary.checkpoint_count, 3);
	tree_root(log_tree(f.log), &root);
	assert_memory_equal(&summary.root, &root, sizeof(root));
	assert_ok(fixture_append(&f, 10, &err), &err);
	fixture_verify(&f, &summary);
	assert_int_equal(summary.leaf_count, summary.signed_size + 1);
	fixture_release(&f);
}

/* Is the flip at @offset of @file told: as a defect, or (behind the last leaf or note) as torn? */
static void assert_told(struct fixture *f, const char *file, size_t offset, unsigned bit)
{
	struct ledger_summary summary;
	uint64_t torn_offset;
	uint64_t torn_size;
	bool told_torn;

	fixture_verify(f, &summary);
	if (strcmp(file, "checkpoints") == 0) {
		torn_offset = summary.torn_checkpoint_offset;
		torn_size = summary.torn_checkpoint_size;
	} else {
		torn_offset = summary.torn.offset;
		torn_size = summary.torn.size;
	}
	told_torn = offset >= torn_offset && offset < torn_offset + torn_size;
	if (f->defect_count == 0 && !told_torn)
		fail_msg("%s: bit %u of byte %zu flipped, and nothing told", file, bit, offset);
	if (f->defect_count == 0)
		return;
	/* the place: the file itself, at or shortly before the flip */
	if (strcmp(f->defect_file, file) == 0) {
		if (f->defect_offset > offset || f->defect_offset + 2 * BLOCK <= offset)
			fail_msg("%s: byte %zu flipped, told at offset %ju: %s", file, offset,
				 (uintmax_t)f->defect_offset, f->defect_sentence);
		return;
	}
	/* a leaf that is still a leaf is betrayed by the next tree or checkpoint only */
	assert_true(strcmp(f->defect_file, "checkpoints") == 0 ||
		    strcmp(f->defect_file, FILE_1) == 0);
}

static void flip_all(struct fixture *f, const char *file)
{
	struct bytes bytes = fixture_load(f, file);

#ifdef BINVAULT_SANITIZED
	const size_t stride = 7; /* instrumented, all of it takes minutes */
#else
	const size_t stride = 1;
#endif

	for (size_t i = 0; i < bytes.size; i += stride) {
		/* several bits of text, one of filler */
		unsigned step = bytes.data[i] == '\n' ? 8 : 3;

		for (unsigned bit = (unsigned)(i % step); bit < 8; bit += step) {
			int fd = openat(f->dir_fd, file, O_WRONLY | O_CLOEXEC);
			char flipped = (char)(bytes.data[i] ^ 1 << bit);

			assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
			assert_told(f, file, i, bit);
			assert_int_equal(pwrite(fd, &bytes.data[i], 1, (off_t)i), 1);
			close(fd);
		}
	}
	free(bytes.data);
}

static void every_flipped_byte_is_told_with_file_and_offset(void **state)
{
	struct fixture f;

	(void)state;
	make_ledger(&f);
	flip_all(&f, FILE_0);
	flip_all(&f, FILE_1);
	flip_all(&f, "checkpoints");
	assert_clean(&f);
	fixture_release(&f);
}

static void a_ledger_cut_below_a_checkpoint_is_told(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_1);
	fixture_store(&f, FILE_1, bytes.data, bytes.size - BLOCK);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 1);
	assert_string_equal(f.defect_file, FILE_1);
	assert_non_null(strstr(f.defect_sentence, "the ledger ends after"));
	unlinkat(f.dir_fd, FILE_1, 0);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 1);
	assert_string_equal(f.defect_file, FILE_0);
	free(bytes.data);
	fixture_release(&f);
}

static void bytes_behind_the_last_checkpoint_are_unsigned(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_1);
	bytes.data = realloc(bytes.data, bytes.size + 30);
	memset(bytes.data + bytes.size, 'g', 30);
	fixture_store(&f, FILE_1, bytes.data, bytes.size + 30);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 0);
	assert_int_equal(summary.torn.file_first, 4);
	assert_int_equal(summary.torn.offset, bytes.size);
	assert_int_equal(summary.torn.size, 30);
	free(bytes.data);
	fixture_release(&f);
}

static void a_rewritten_history_is_told(void **state)
{
	struct fixture f;
	struct fixture forged;
	struct ledger_summary summary;
	struct bytes bytes;
	struct error err;

	(void)state;
	make_ledger(&f);
	make_ledger(&forged);
	/* the same leaves with other clocks, all in good form, under the old checkpoints */
	forged.stamp.time_usec += 5;
	fixture_clear(&forged);
	assert_ok(fixture_open(&forged, &err), &err);
	for (size_t i = 0; i < 6; i++)
		assert_ok(fixture_append(&forged, 10, &err), &err);
	bytes = fixture_load(&f, "checkpoints");
	fixture_store(&forged, "checkpoints", bytes.data, bytes.size);
	free(bytes.data);
	public_key_free(forged.public_key);
	forged.public_key = f.public_key;
	fixture_verify(&forged, &summary);
	assert_true(f.defect_count == 0 && forged.defect_count >= 3);
	assert_non_null(strstr(forged.defect_sentence, "the checkpoint says"));
	assert_int_equal(summary.signed_size, 0);
	forged.public_key = NULL;
	fixture_release(&forged);
	fixture_release(&f);
}

static void a_checkpoint_of_a_foreign_key_is_told(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct fixture other;

	(void)state;
	make_ledger(&f);
	fixture_init(&other);
	public_key_free(f.public_key);
	f.public_key = other.public_key;
	other.public_key = NULL;
	fixture_verify(&f, &summary);
	assert_int_equal(summary.signed_size, 0);
	assert_non_null(strstr(f.defect_sentence, "no key that this archive knows has signed"));
	fixture_release(&other);
	fixture_release(&f);
}

static void a_checkpoint_that_goes_back_is_told(void **state)
{
	struct ledger_summary summary;
	struct fixture f;
	struct bytes bytes;
	char slot[BLOCK];

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, "checkpoints");
	memcpy(slot, bytes.data, BLOCK);
	memcpy(bytes.data + bytes.size - 2 * BLOCK, bytes.data + bytes.size - BLOCK, BLOCK);
	memcpy(bytes.data + bytes.size - BLOCK, slot, BLOCK);
	fixture_store(&f, "checkpoints", bytes.data, bytes.size);
	fixture_verify(&f, &summary);
	assert_true(f.defect_count >= 1);
	assert_string_equal(f.defect_file, "checkpoints");
	free(bytes.data);
	fixture_release(&f);
}

static void a_ledger_without_checkpoints_is_all_unsigned(void **state)
{
	struct ledger_summary summary;
	struct fixture f;

	(void)state;
	make_ledger(&f);
	unlinkat(f.dir_fd, "checkpoints", 0);
	fixture_verify(&f, &summary);
	assert_int_equal(f.defect_count, 0);
	assert_int_equal(summary.signed_size, 0);
	assert_true(summary.leaf_count > 0);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_ledger_is_counted),
		cmocka_unit_test(every_flipped_byte_is_told_with_file_and_offset),
		cmocka_unit_test(a_ledger_cut_below_a_checkpoint_is_told),
		cmocka_unit_test(bytes_behind_the_last_checkpoint_are_unsigned),
		cmocka_unit_test(a_rewritten_history_is_told),
		cmocka_unit_test(a_checkpoint_of_a_foreign_key_is_told),
		cmocka_unit_test(a_checkpoint_that_goes_back_is_told),
		cmocka_unit_test(a_ledger_without_checkpoints_is_all_unsigned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
