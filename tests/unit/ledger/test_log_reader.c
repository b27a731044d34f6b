#include "unit/ledger/ledger_fixture.h"

#include "base/hex.h"

#define BLOCK  4096
#define FILE_0 "00000000000000000000.jsonl"
#define FILE_1 "00000000000000000004.jsonl"
#define FILE_2 "00000000000000000008.jsonl"

/* Three files of four leaves, the later ones with one state leaf each. */
static void make_ledger(struct fixture *f)
{
	struct error err;

	fixture_init(f);
	f->leaves_per_file = 4;
	assert_ok(fixture_open(f, &err), &err);
	for (size_t i = 0; i < 10; i++)
		assert_ok(fixture_append(f, 10, &err), &err);
	assert_int_equal(log_tree(f->log)->size, 12);
}

/* Read all with defects told; returns how many leaves came. */
static uint64_t read_all(struct fixture *f, const struct log_torn **torn)
{
	static struct log_torn end;
	struct log_reader_options options = {
		.volume = FIXTURE_VOLUME,
		.on_defect = fixture_defect,
		.context = f,
	};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	struct error err;
	uint64_t count = 0;
	int r;

	f->defect_count = 0;
	f->defect_sentence[0] = '\0';
	assert_ok(log_reader_new(f->dir_fd, &options, &reader, &err), &err);
	while ((r = log_reader_next(reader, &leaf, &err)) > 0)
		count++;
	assert_ok(r, &err);
	end = *log_reader_torn(reader);
	if (torn)
		*torn = &end;
	return count;
}

/* With one defect told, at this place and with these words. The stopping reader says the same. */
static void assert_defect(struct fixture *f, const char *file, uint64_t offset, const char *words)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	char place[128];
	struct error err;
	const struct leaf *leaf;

	read_all(f, NULL);
	assert_true(f->defect_count >= 1);
	if (!strstr(f->defect_sentence, words))
		fail_msg("'%s' does not contain '%s'", f->defect_sentence, words);
	assert_string_equal(f->defect_file, file);
	assert_int_equal(f->defect_offset, offset);
	assert_fails(fixture_reader_end(f, false, &reader, &err), &err, ERROR_DEFECT, words);
	snprintf(place, sizeof(place), "ledger/%s: offset %ju: ", file, (uintmax_t)offset);
	assert_non_null(strstr(err.message, place));
	if (reader)
		assert_fails(log_reader_next(reader, &leaf, &err), &err, ERROR_DEFECT, words);
}

static void a_ledger_without_files_has_no_leaves(void **state)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_reader_end(&f, false, &reader, &err), &err);
	assert_true(log_reader_end(reader)->empty);
	assert_int_equal(log_reader_tree(reader)->size, 0);
	fixture_release(&f);
}

static void a_damaged_leaf_is_told_and_reading_goes_on(void **state)
{
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_1);
	bytes.data[2 * BLOCK + 7] = '#';
	fixture_store(&f, FILE_1, bytes.data, bytes.size);
	assert_defect(&f, FILE_1, 2 * BLOCK, "no void leaf behind them names them");
	assert_int_equal(read_all(&f, NULL), 11);
	/* the range, and the leaf that is missing */
	assert_int_equal(f.defect_count, 2);
	free(bytes.data);
	fixture_release(&f);
}

static void filler_that_is_not_lf_is_told(void **state)
{
	static const char fillers[] = {'\0', ' ', '\r', 'x', '{', (char)0x8a};
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_0);
	for (size_t i = 0; i < sizeof(fillers); i++) {
		bytes.data[BLOCK - 100] = fillers[i];
		fixture_store(&f, FILE_0, bytes.data, bytes.size);
		assert_defect(&f, FILE_0, BLOCK - 100, "1 bytes are no leaf");
		assert_int_equal(read_all(&f, NULL), 12);
		assert_int_equal(f.defect_count, 1);
	}
	free(bytes.data);
	fixture_release(&f);
}

static void a_missing_file_is_told(void **state)
{
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_1);
	unlinkat(f.dir_fd, FILE_1, 0);
	assert_defect(&f, FILE_2, 0, "leaves 4 to 7 before it are missing");
	assert_int_equal(read_all(&f, NULL), 8);
	assert_int_equal(f.defect_count, 1);
	fixture_store(&f, FILE_1, bytes.data, bytes.size);
	unlinkat(f.dir_fd, FILE_0, 0);
	assert_defect(&f, FILE_1, 0, "leaves 0 to 3 before it are missing");
	free(bytes.data);
	fixture_release(&f);
}

static void a_file_cut_short_is_told(void **state)
{
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_1);
	fixture_store(&f, FILE_1, bytes.data, 3 * BLOCK);
	assert_defect(&f, FILE_2, 0, "leaves 7 to 7 before it are missing");
	/* in the middle of a line */
	fixture_store(&f, FILE_1, bytes.data, 3 * BLOCK + 50);
	assert_defect(&f, FILE_1, 3 * BLOCK, "50 bytes are no leaf");
	free(bytes.data);
	fixture_release(&f);
}

static void swapped_files_are_told(void **state)
{
	struct fixture f;
	struct bytes one;
	struct bytes two;

	(void)state;
	make_ledger(&f);
	one = fixture_load(&f, FILE_1);
	two = fixture_load(&f, FILE_2);
	fixture_store(&f, FILE_1, two.data, two.size);
	fixture_store(&f, FILE_2, one.data, one.size);
	assert_defect(&f, FILE_1, 0, "leaves 4 to 7 are missing");
	free(one.data);
	free(two.data);
	fixture_release(&f);
}

static void swapped_leaves_are_told(void **state)
{
	char block[BLOCK];
	struct fixture f;
	struct bytes bytes;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_0);
	memcpy(block, bytes.data + BLOCK, BLOCK);
	memcpy(bytes.data + BLOCK, bytes.data + 2 * BLOCK, BLOCK);
	memcpy(bytes.data + 2 * BLOCK, block, BLOCK);
	fixture_store(&f, FILE_0, bytes.data, bytes.size);
	assert_defect(&f, FILE_0, BLOCK, "leaves 1 to 1 are missing");
	free(bytes.data);
	fixture_release(&f);
}

static void a_repeated_leaf_is_told(void **state)
{
	struct fixture f;
	struct bytes bytes;
	char *twice;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_0);
	twice = malloc(bytes.size + BLOCK);
	memcpy(twice, bytes.data, bytes.size);
	memcpy(twice + bytes.size, bytes.data + BLOCK, BLOCK);
	fixture_store(&f, FILE_0, twice, bytes.size + BLOCK);
	assert_defect(&f, FILE_0, bytes.size, "leaf 1 stands where leaf 4 must");
	free(twice);
	free(bytes.data);
	fixture_release(&f);
}

static void a_strange_file_is_told(void **state)
{
	static const char *const names[] = {
		"notes.txt",
		"0000000000000000004.jsonl",
		"00000000000000000004.jsonl.bak",
		"99999999999999999999.jsonl",
	};
	struct fixture f;

	(void)state;
	make_ledger(&f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fixture_store(&f, names[i], "x", 1);
		assert_defect(&f, names[i], 0, "not a file of a ledger");
		unlinkat(f.dir_fd, names[i], 0);
	}
	fixture_release(&f);
}

static void a_line_without_an_end_is_garbage_of_any_length(void **state)
{
	const struct log_torn *torn;
	struct fixture f;
	struct bytes bytes;
	size_t long_size = 5 * LEAF_SIZE_MAX + 17;
	char *data;

	(void)state;
	make_ledger(&f);
	bytes = fixture_load(&f, FILE_2);
	data = malloc(bytes.size + 2 * long_size);
	memcpy(data, bytes.data, bytes.size);
	for (size_t size = LEAF_SIZE_MAX - 2; size < long_size;
	     size = size < LEAF_SIZE_MAX + 2 ? size + 1 : size + 50021) {
		memset(data + bytes.size, 'x', size);
		fixture_store(&f, FILE_2, data, bytes.size + size);
		assert_int_equal(read_all(&f, &torn), 12);
		assert_int_equal(f.defect_count, 0);
		assert_int_equal(torn->file_first, 8);
		assert_int_equal(torn->offset, bytes.size);
		assert_int_equal(torn->size, size);
		/* a good leaf behind it makes it a defect, not part of it */
		memset(data + bytes.size + size, '\n', 1);
		fixture_store(&f, FILE_2, data, bytes.size + size + 1);
		assert_int_equal(read_all(&f, &torn), 12);
		assert_int_equal(torn->size, size);
	}
	free(data);
	free(bytes.data);
	fixture_release(&f);
}

/* Tear the end, recover: the last but one leaf is then the void leaf. */
static struct bytes make_voided(struct fixture *f)
{
	struct bytes bytes;
	struct error err;

	make_ledger(f);
	bytes = fixture_load(f, FILE_2);
	fixture_store(f, FILE_2, bytes.data, 3 * BLOCK + 100);
	free(bytes.data);
	assert_ok(fixture_open(f, &err), &err);
	assert_ok(fixture_append(f, 10, &err), &err);
	assert_clean(f);
	return fixture_load(f, FILE_2);
}

static void every_byte_of_torn_bytes_is_bound_by_their_void_leaf(void **state)
{
	struct fixture f;
	struct bytes bytes = make_voided(&f);

	(void)state;
	for (size_t i = 3 * BLOCK; i < 4 * BLOCK; i++) {
		for (unsigned kind = 0; kind < 2; kind++) {
			char good = bytes.data[i];

			bytes.data[i] = kind == 0 ? (char)(good ^ 0x20) : '\n';
			if (bytes.data[i] == good)
				continue;
			fixture_store(&f, FILE_2, bytes.data, bytes.size);
			read_all(&f, NULL);
			assert_int_equal(f.defect_count, 1);
			assert_string_equal(f.defect_file, FILE_2);
			assert_true(f.defect_offset / BLOCK == 3);
			bytes.data[i] = good;
		}
	}
	free(bytes.data);
	fixture_release(&f);
}

static void a_void_leaf_of_another_copy_excuses_nothing(void **state)
{
	struct log_reader_options options = {.volume = "8d0c1fd2-6f5e-4b0e-9f8e-000000000002"};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	struct fixture f;
	struct bytes bytes = make_voided(&f);
	struct error err;
	int r;

	(void)state;
	assert_ok(log_reader_new(f.dir_fd, &options, &reader, &err), &err);
	while ((r = log_reader_next(reader, &leaf, &err)) > 0)
		;
	assert_int_equal(r, ERROR_DEFECT);
	free(bytes.data);
	fixture_release(&f);
}

/* Write a file of one leaf with @fields behind file 0. */
static void store_head(struct fixture *f, const char *fields_text, bool with_tree)
{
	char line[LEAF_SIZE_MAX];
	json_t *fields;
	struct tree tree;
	struct error err;
	int length;

	unlinkat(f->dir_fd, FILE_2, 0);
	assert_ok(json_parse(fields_text, strlen(fields_text), &fields, &err), &err);
	if (with_tree) {
		tree_init(&tree);
		for (size_t i = 0; i < 4; i++)
			tree_append(&tree, &f->fingerprint);
		tree_put(fields, "tree", &tree);
	}
	length = leaf_encode(fields, 4, &f->stamp, line, &err);
	assert_ok(length, &err);
	line[length] = '\n';
	fixture_store(f, FILE_1, line, (size_t)length + 1);
	json_decref(fields);
}

static void a_file_must_begin_with_its_state(void **state)
{
	struct fixture f;

	(void)state;
	make_ledger(&f);
	store_head(&f, "{\"type\":\"test\"}", false);
	assert_defect(&f, FILE_1, 0, "does not begin with whole state leaves");
	store_head(&f, "{\"type\":\"state\"}", false);
	assert_defect(&f, FILE_1, 0, "'part' is missing");
	store_head(&f, "{\"type\":\"state\",\"part\":\"0\",\"parts\":\"0\"}", false);
	assert_defect(&f, FILE_1, 0, "out of order");
	store_head(&f, "{\"type\":\"state\",\"part\":\"1\",\"parts\":\"2\"}", false);
	assert_defect(&f, FILE_1, 0, "out of order");
	store_head(&f, "{\"type\":\"state\",\"part\":\"0\",\"parts\":\"1\"}", false);
	assert_defect(&f, FILE_1, 0, "'tree' is missing");
	store_head(&f, "{\"type\":\"state\",\"part\":\"0\",\"parts\":\"1\"}", true);
	assert_defect(&f, FILE_1, 0, "another tree");
	fixture_release(&f);
}

static void a_state_leaf_elsewhere_is_told(void **state)
{
	struct fixture f;
	struct error err;
	json_t *object = json_object();

	(void)state;
	make_ledger(&f);
	json_put_string(object, "type", "state");
	assert_ok(fixture_append(&f, 1, &err), &err);
	assert_ok(log_append(f.log, object, &f.stamp, NULL, &err), &err);
	assert_defect(&f, "00000000000000000012.jsonl", 2 * BLOCK, "not at the head of a file");
	json_decref(object);
	fixture_release(&f);
}

/* The two lines, the torn bytes and the root of FORMAT.md, "Worked example". */
static const char example_archive[] =
	"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"0\""
	",\"origin\":\"binvault/8d0c1fd2-6f5e-4b0e-9f8e-0000000000aa\",\"ti"
	"me\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"archive\",\"uptime"
	"\":\"93000000\"}";
static const char example_void[] =
	"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"file\":\"0000"
	"0000000000000000.jsonl\",\"index\":\"1\",\"offset\":\"4096\",\"sha"
	"256\":\"db88581622dfbd393177a2a6f7df0e66dd783c5ab3f1889389062eb8bb"
	"16a987\",\"size\":\"50\",\"time\":\"2026-08-23T03:21:09.000000Z\","
	"\"type\":\"void\",\"uptime\":\"95080000\",\"volume\":\"8d0c1fd2-6f"
	"5e-4b0e-9f8e-000000000001\"}";

static void the_worked_example_of_the_format_holds(void **state)
{
	static const char torn[] = "{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"in";
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	char file[3 * BLOCK];
	char text[HEX_SIZE(HASH_SIZE)];
	struct hash root;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f);
	memset(file, '\n', sizeof(file));
	memcpy(file, example_archive, strlen(example_archive));
	memcpy(file + BLOCK, torn, strlen(torn));
	memcpy(file + 2 * BLOCK + 1, example_void, strlen(example_void));
	fixture_store(&f, FILE_0, file, sizeof(file));
	assert_ok(fixture_reader_end(&f, false, &reader, &err), &err);
	assert_int_equal(log_reader_end(reader)->next_index, 2);
	tree_root(log_reader_tree(reader), &root);
	hex_encode(root.bytes, HASH_SIZE, text);
	assert_string_equal(text,
			    "bc0fb3cc1d5ab6b71564813b594b36197db937721c2ba596f1b6fec9f6ff4897");
	fixture_release(&f);
}

/* The first leaf of a reader that begins at @index, and how many come. */
static uint64_t count_from(struct fixture *f, uint64_t index, struct error *err)
{
	const struct log_reader_options options = {.first_index = index};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	uint64_t count = 0;
	int r;

	assert_ok(log_reader_new(f->dir_fd, &options, &reader, err), err);
	while ((r = log_reader_next(reader, &leaf, err)) > 0)
		assert_int_equal(leaf->index, index + count++);
	assert_ok(r, err);
	return count;
}

static void a_reader_begins_at_any_leaf_and_opens_no_file_before_it(void **state)
{
	struct fixture f;
	struct error err;

	(void)state;
	make_ledger(&f);
	for (uint64_t index = 0; index <= 12; index++)
		assert_int_equal(count_from(&f, index, &err), 12 - index);
	/* damage before it is not seen */
	fixture_store(&f, FILE_0, "x\n", 2);
	assert_int_equal(count_from(&f, 10, &err), 2);
	fixture_release(&f);
}

static void a_growing_ledger_is_read_on(void **state)
{
	const struct log_reader_options options = {.growing = true};
	struct fixture f;
	struct log_reader *reader;
	const struct leaf *leaf;
	struct error err;

	(void)state;
	fixture_init(&f);
	assert_ok(fixture_open(&f, &err), &err);
	assert_ok(fixture_append(&f, 10, &err), &err);
	assert_ok(log_reader_new(f.dir_fd, &options, &reader, &err), &err);
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(log_reader_next(reader, &leaf, &err), 1);
		assert_int_equal(leaf->index, i);
		/* sometimes many of them, and some as large as can be */
		for (uint64_t k = log_tree(f.log)->size; k <= i + i % 4; k++)
			assert_ok(fixture_append(&f, i % 7 ? i : 60000, &err), &err);
		if (log_tree(f.log)->size == i + 1)
			assert_ok(fixture_append(&f, 5000, &err), &err);
	}
	log_reader_free(reader);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ledger_without_files_has_no_leaves),
		cmocka_unit_test(a_damaged_leaf_is_told_and_reading_goes_on),
		cmocka_unit_test(filler_that_is_not_lf_is_told),
		cmocka_unit_test(a_missing_file_is_told),
		cmocka_unit_test(a_file_cut_short_is_told),
		cmocka_unit_test(swapped_files_are_told),
		cmocka_unit_test(swapped_leaves_are_told),
		cmocka_unit_test(a_repeated_leaf_is_told),
		cmocka_unit_test(a_strange_file_is_told),
		cmocka_unit_test(a_line_without_an_end_is_garbage_of_any_length),
		cmocka_unit_test(every_byte_of_torn_bytes_is_bound_by_their_void_leaf),
		cmocka_unit_test(a_void_leaf_of_another_copy_excuses_nothing),
		cmocka_unit_test(a_file_must_begin_with_its_state),
		cmocka_unit_test(a_state_leaf_elsewhere_is_told),
		cmocka_unit_test(a_reader_begins_at_any_leaf_and_opens_no_file_before_it),
		cmocka_unit_test(a_growing_ledger_is_read_on),
		cmocka_unit_test(the_worked_example_of_the_format_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
