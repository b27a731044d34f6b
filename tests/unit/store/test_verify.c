#include "unit/store/store_fixture.h"

#include <inttypes.h>

/* Two sealed segments, one of more than a chunk, and one that is open. */
static void build(struct fixture *f, size_t size)
{
	struct fixture_segment segment;
	uint64_t end;

	fixture_create(f, WORM_ADVISORY, 16);
	end = fixture_segment(f, "orders", "binlog.000001", 4, size, SEGMENT_ENDED_SIZE, NULL);
	end = fixture_segment(f, "orders", "binlog.000001", end, 600, SEGMENT_ENDED_ROTATE,
			      "binlog.000002");
	fixture_open_segment(f, "orders", "binlog.000002", 0, 4, &segment);
	fixture_event(f, &segment, 700);
	fixture_abandon(&segment);
	fixture_checkpoint(f);
	fixture_close(f);
	assert_clean(f);
}

static void counts_are_those_of_the_archive(void **state)
{
	struct fixture f;
	struct covered_record covered = {.source = "orders"};
	struct verify_result result;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	fixture_reopen(&f);
	assert_ok(store_append(f.store, covered_record_encode(&covered), NULL, &err), &err);
	fixture_close(&f);
	assert_ok(fixture_audit(&f, false, &result, &err), &err);
	assert_int_equal(result.defect_count, 0);
	assert_string_equal(result.name, "vault01");
	assert_int_equal(result.segment_count, 2);
	assert_int_equal(result.open_count, 1);
	assert_int_equal(result.checkpoint_count, 2);
	assert_int_equal(result.unsigned_count, 1);
	assert_int_equal(result.signed_count + 1, result.leaf_count);
	fixture_release(&f);
}

#ifdef BINVAULT_SANITIZED
#define SLOWER 8
#else
#define SLOWER 1
#endif
#define EVERY	     SLOWER
#define SAMPLE	     (29 * SLOWER) /* of the ledger: tests/unit/ledger tries every byte */
#define PADDING_STEP 61

/* Of bytes that are like both neighbours, padding, a sample is enough; of all others each one. */
static size_t next_flip(const struct bytes *file, size_t at, size_t step)
{
	size_t padding = 0;

	for (at += step; at > 0 && at + 1 < file->size; at++) {
		if (file->data[at] != file->data[at - 1] || file->data[at] != file->data[at + 1] ||
		    ++padding == PADDING_STEP)
			break;
	}
	return at;
}

/* File and offset; a leaf whose line is still one is found by the checkpoint over it. */
static bool names(const char *sentence, const char *file)
{
	bool leaf = strncmp(file, "ledger/0", 8) == 0 && strstr(sentence, "the first ") &&
		    strstr(sentence, "ledger/checkpoints: offset ");

	return leaf || (strstr(sentence, file) &&
			(strstr(sentence, "offset ") || strstr(sentence, "bytes ")));
}

/* A file's bytes before @end, one after the other, each found with its file's name. */
static void flip_all(struct fixture *f, const char *name, size_t end, size_t step)
{
	struct bytes file = fixture_load(f, name);
	struct verify_result result;
	char path[512];
	struct error err;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < MIN(end, file.size); i = next_flip(&file, i, step)) {
		char byte = (char)(file.data[i] ^ (1 << (i % 8)));
		bool named = false;

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
		assert_ok(fixture_audit(f, true, &result, &err), &err);
		if (result.defect_count == 0)
			fail_msg("%s: a flipped bit of byte %zu was not found", name, i);
		for (unsigned j = 0; j < MIN(f->defect_count, ARRAY_LENGTH(f->sentences)); j++)
			named = named || names(f->sentences[j], name);
		if (!named)
			fail_msg("%s: byte %zu: no sentence names file and offset: %s", name, i,
				 f->sentences[0]);
		assert_int_equal(pwrite(fd, &file.data[i], 1, (off_t)i), 1);
	}
	close(fd);
	free(file.data);
	assert_clean(f);
}

static void flip_file(struct fixture *f, const char *name, size_t step)
{
	struct bytes file = fixture_load(f, name);

	flip_all(f, name, file.size, step);
	free(file.data);
}

static void a_flipped_byte_anywhere_in_a_sealed_segment_is_found(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	assert_ok(store_open(f.volumes, 1, STORE_READ, &f.store, &err), &err);
	flip_file(&f, state_sealed(store_state(f.store), "orders", NULL)->path, EVERY);
	fixture_release(&f);
}

static void a_flipped_byte_anywhere_in_the_signed_ledger_is_found(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	/* the first file, which is full, and that of the last leaves, padding included */
	flip_file(&f, "ledger/00000000000000000000.jsonl", SAMPLE);
	fixture_release(&f);
}

static void a_flipped_byte_of_the_identity_or_the_checkpoints_is_found(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	flip_file(&f, "archive.id", EVERY);
	flip_file(&f, "ledger/checkpoints", EVERY);
	fixture_release(&f);
}

static void a_flipped_byte_in_an_open_segments_header_is_found(void **state)
{
	struct fixture f;
	struct state_open open;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	assert_ok(store_open(f.volumes, 1, STORE_READ, &f.store, &err), &err);
	open = state_open_at(store_state(f.store), "orders", 0);
	flip_all(&f, open.record->path, SEGMENT_HEADER_SIZE, EVERY);
	fixture_release(&f);
}

static void a_defect_is_named_by_its_chunk(void **state)
{
	struct fixture f;
	struct bytes file;
	char path[SEGMENT_PATH_SIZE];

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_segment(&f, "orders", "binlog.000001", 4, 9 << 20, SEGMENT_ENDED_SIZE, NULL);
	fixture_checkpoint(&f);
	memcpy(path, state_sealed(store_state(f.store), "orders", NULL)->path, sizeof(path));
	fixture_close(&f);
	assert_clean(&f);
	file = fixture_load(&f, path);
	file.data[5 << 20] ^= 1;
	fixture_save(&f, path, file.data, file.size);
	assert_defect(&f, "bytes 4194304–8388607: hash differs from leaf");
	file.data[5 << 20] ^= 1;
	fixture_save(&f, path, file.data, file.size - 4096);
	assert_defect(&f, "bytes 8388608–");
	fixture_save(&f, path, file.data, file.size);
	assert_clean(&f);
	free(file.data);
	fixture_release(&f);
}

static void a_segment_that_is_gone_and_one_that_nobody_knows_are_found(void **state)
{
	struct fixture f;
	char path[SEGMENT_PATH_SIZE], full[512];
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	assert_ok(store_open(f.volumes, 1, STORE_READ, &f.store, &err), &err);
	memcpy(path, state_sealed(store_state(f.store), "orders", NULL)->path, sizeof(path));
	fixture_close(&f);
	fixture_save(&f, "segments/orders/2026-11/stranger.seg", "x", 1);
	assert_defect(&f, "segments/orders/2026-11/stranger.seg: no leaf knows this file");
	snprintf(full, sizeof(full), "%s/segments/orders/2026-11/stranger.seg", f.path);
	unlink(full);
	snprintf(full, sizeof(full), "%s/%s", f.path, path);
	unlink(full);
	assert_defect(&f, path);
	assert_int_equal(f.defect_count, 1);
	fixture_release(&f);
}

static void an_orphan_with_its_leaf_is_no_defect(void **state)
{
	struct fixture f;
	struct orphan_record orphan = {.path = "segments/orders/2026-11/torn.seg",
				       .size = 100,
				       .reason = "shorter than a header"};
	struct verify_result result;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	fixture_save(&f, orphan.path, "torn", 4);
	fixture_reopen(&f);
	assert_ok(store_append(f.store, orphan_record_encode(&orphan), NULL, &err), &err);
	fixture_close(&f);
	assert_ok(fixture_audit(&f, false, &result, &err), &err);
	assert_int_equal(result.defect_count, 0);
	assert_int_equal(result.orphan_count, 1);
	fixture_release(&f);
}

static void every_defect_is_told_not_only_the_first(void **state)
{
	struct fixture f;
	struct verify_result result;
	struct bytes file;
	char paths[2][SEGMENT_PATH_SIZE];
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	for (unsigned i = 0; i < 2; i++) {
		fixture_segment(&f, i ? "crm" : "orders", "binlog.000001", 4, 500,
				SEGMENT_ENDED_SIZE, NULL);
		memcpy(paths[i],
		       state_sealed(store_state(f.store), i ? "crm" : "orders", NULL)->path,
		       sizeof(paths[i]));
	}
	fixture_checkpoint(&f);
	fixture_close(&f);
	for (unsigned i = 0; i < 2; i++) {
		file = fixture_load(&f, paths[i]);
		file.data[4096] ^= 1;
		fixture_save(&f, paths[i], file.data, file.size);
		free(file.data);
	}
	fixture_save(&f, "segments/stranger", "x", 1);
	assert_ok(fixture_audit(&f, false, &result, &err), &err);
	assert_int_equal(result.defect_count, 3);
	fixture_release(&f);
}

/* A ledger that somebody wrote anew, signed by a key of his own. */
static void a_ledger_signed_by_another_key_is_found(void **state)
{
	struct fixture f, forged;
	EVP_PKEY *saved = checkpoint_key;
	struct bytes notes;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_init(&forged, "/dev/shm");
	build(&f, 500);
	checkpoint_key = other_key;
	build(&forged, 500);
	checkpoint_key = saved;
	notes = fixture_load(&forged, "ledger/checkpoints");
	fixture_save(&f, "ledger/checkpoints", notes.data, notes.size);
	assert_defect(&f, "ledger/checkpoints");
	free(notes.data);
	fixture_release(&forged);
	fixture_release(&f);
}

static void a_checkpoint_that_is_gone_is_found(void **state)
{
	struct fixture f;
	char path[512];

	(void)state;
	fixture_init(&f, "/dev/shm");
	build(&f, 500);
	snprintf(path, sizeof(path), "%s/ledger/checkpoints", f.path);
	unlink(path);
	assert_defect(&f, "no checkpoint stands in it");
	fixture_release(&f);
}

static void a_directory_without_an_archive_cannot_be_verified(void **state)
{
	struct fixture f;
	struct verify_result result;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	assert_fails(fixture_audit(&f, true, &result, &err), &err, ERROR_NOT_FOUND,
		     "holds no archive");
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_those_of_the_archive),
		cmocka_unit_test(a_flipped_byte_anywhere_in_a_sealed_segment_is_found),
		cmocka_unit_test(a_flipped_byte_anywhere_in_the_signed_ledger_is_found),
		cmocka_unit_test(a_flipped_byte_of_the_identity_or_the_checkpoints_is_found),
		cmocka_unit_test(a_flipped_byte_in_an_open_segments_header_is_found),
		cmocka_unit_test(a_defect_is_named_by_its_chunk),
		cmocka_unit_test(a_segment_that_is_gone_and_one_that_nobody_knows_are_found),
		cmocka_unit_test(an_orphan_with_its_leaf_is_no_defect),
		cmocka_unit_test(every_defect_is_told_not_only_the_first),
		cmocka_unit_test(a_ledger_signed_by_another_key_is_found),
		cmocka_unit_test(a_checkpoint_that_is_gone_is_found),
		cmocka_unit_test(a_directory_without_an_archive_cannot_be_verified),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
