#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "ledger/leaf.h"

#define GOOD                                                                                       \
	"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\","                      \
	"\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}"

static const struct leaf_stamp stamp = {
	.time_usec = UINT64_C(1787455266918123),
	.boot_id = "6f1c1fd2-6f5e-4b0e-9f8e-00000000b007",
	.uptime_usec = 12,
};

static void a_leaf_comes_back_as_it_was_written(void **state)
{
	char line[LEAF_SIZE_MAX];
	json_t *object = json_object();
	struct leaf leaf;
	struct hash hash;
	struct error err;
	int length;

	(void)state;
	json_put_string(object, "type", "test");
	length = leaf_encode(object, 7, &stamp, line, &err);
	assert_ok(length, &err);
	assert_string_equal(line, GOOD);
	assert_int_equal(json_object_size(object), 1);
	assert_ok(leaf_decode(line, (size_t)length, &leaf, &err), &err);
	assert_int_equal(leaf.index, 7);
	assert_true(leaf_is(&leaf, "test"));
	assert_memory_equal(&leaf.stamp, &stamp, sizeof(stamp));
	tree_leaf_hash(GOOD, strlen(GOOD), &hash);
	assert_memory_equal(&leaf.hash, &hash, sizeof(hash));
	leaf_release(&leaf);
	leaf_release(&leaf);
	json_decref(object);
}

static void a_line_that_is_not_canonical_is_refused(void **state)
{
	static const struct {
		const char *line;
		const char *words;
	} cases[] = {
		{"", "JSON"},
		{"{}", "'type' is missing"},
		{"[]", "JSON"},
		{" " GOOD, "canonical"},
		{GOOD " ", "canonical"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\",\"index\":"
		 "\"7\",\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":"
		 "\"12\"}",
		 "duplicate"},
		{"{\"index\":\"7\",\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "canonical"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":7,"
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "'index' is not a string"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"07\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "'index' is not a 64-bit number"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\","
		 "\"index\":\"18446744073709551615\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "beyond every limit"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\","
		 "\"time\":\"2026-08-23 03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "is not written as"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\","
		 "\"time\":\"yesterday\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "no time"},
		{"{\"boot\":\"6f1c\",\"index\":\"7\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\",\"uptime\":\"12\"}",
		 "no boot id"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"Test\",\"uptime\":\"12\"}",
		 "no type"},
		{"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"7\","
		 "\"time\":\"2026-08-23T03:21:06.918123Z\",\"type\":\"test\"}",
		 "'uptime' is missing"},
	};
	struct leaf leaf;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(leaf_decode(cases[i].line, strlen(cases[i].line), &leaf, &err), &err,
			     ERROR_DEFECT, cases[i].words);
}

static void every_flipped_bit_changes_the_hash_or_is_refused(void **state)
{
	char line[] = GOOD;
	struct leaf good;
	struct leaf leaf;
	struct error err;

	(void)state;
	assert_ok(leaf_decode(GOOD, strlen(GOOD), &good, &err), &err);
	for (size_t bit = 0; bit < 8 * strlen(GOOD); bit++) {
		line[bit / 8] ^= (char)(1 << bit % 8);
		if (leaf_decode(line, strlen(GOOD), &leaf, &err) == 0) {
			assert_memory_not_equal(&leaf.hash, &good.hash, sizeof(leaf.hash));
			leaf_release(&leaf);
		}
		line[bit / 8] ^= (char)(1 << bit % 8);
	}
	leaf_release(&good);
}

static void a_leaf_may_fill_its_limit_but_not_exceed_it(void **state)
{
	char line[LEAF_SIZE_MAX];
	size_t rest = LEAF_SIZE_MAX - 1 - strlen(GOOD) - strlen("\"body\":\"\",");
	char *body = malloc(rest + 2);
	json_t *object = json_object();
	struct leaf leaf;
	struct error err;
	int length;

	(void)state;
	memset(body, 'x', rest + 1);
	body[rest] = '\0';
	json_put_string(object, "type", "test");
	json_put_string(object, "body", body);
	length = leaf_encode(object, 7, &stamp, line, &err);
	assert_ok(length, &err);
	assert_int_equal(length, LEAF_SIZE_MAX - 1);
	assert_ok(leaf_decode(line, (size_t)length, &leaf, &err), &err);
	leaf_release(&leaf);
	body[rest] = 'x';
	body[rest + 1] = '\0';
	json_put_string(object, "body", body);
	assert_fails(leaf_encode(object, 7, &stamp, line, &err), &err, ERROR_USAGE, "limit");
	line[0] = 'x';
	assert_fails(leaf_decode(line, LEAF_SIZE_MAX, &leaf, &err), &err, ERROR_DEFECT, "longer");
	json_decref(object);
	free(body);
}

static void fields_of_every_leaf_cannot_be_brought_along(void **state)
{
	static const char *const keys[] = {"index", "time", "boot", "uptime"};
	char line[LEAF_SIZE_MAX];
	struct error err;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		json_t *object = json_object();

		assert_fails(leaf_encode(object, 7, &stamp, line, &err), &err, ERROR_USAGE,
			     "without a type");
		json_put_string(object, "type", "test");
		json_put_string(object, keys[i], "1");
		assert_fails(leaf_encode(object, 7, &stamp, line, &err), &err, ERROR_USAGE,
			     "brings its own");
		json_decref(object);
	}
}

static void a_void_leaf_comes_back_as_it_was_written(void **state)
{
	char line[LEAF_SIZE_MAX];
	struct leaf_void fields = {
		.file = "00000000000000000000.jsonl",
		.volume = "8d0c1fd2-6f5e-4b0e-9f8e-000000000001",
		.offset = 4096,
		.size = UINT64_MAX,
	};
	json_t *object;
	struct leaf_void again;
	struct leaf leaf;
	struct error err;
	int length;

	(void)state;
	memset(fields.hash.bytes, 0xab, HASH_SIZE);
	object = leaf_void_new(&fields);
	length = leaf_encode(object, 3, &stamp, line, &err);
	assert_ok(length, &err);
	assert_ok(leaf_decode(line, (size_t)length, &leaf, &err), &err);
	assert_ok(leaf_void_get(&leaf, &again, &err), &err);
	assert_memory_equal(&fields, &again, sizeof(again));
	leaf_release(&leaf);
	json_decref(object);
	assert_ok(leaf_decode(GOOD, strlen(GOOD), &leaf, &err), &err);
	assert_fails(leaf_void_get(&leaf, &again, &err), &err, ERROR_USAGE, "no void leaf");
	leaf_release(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_comes_back_as_it_was_written),
		cmocka_unit_test(a_line_that_is_not_canonical_is_refused),
		cmocka_unit_test(every_flipped_bit_changes_the_hash_or_is_refused),
		cmocka_unit_test(a_leaf_may_fill_its_limit_but_not_exceed_it),
		cmocka_unit_test(fields_of_every_leaf_cannot_be_brought_along),
		cmocka_unit_test(a_void_leaf_comes_back_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
