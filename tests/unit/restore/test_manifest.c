#include "unit/restore/restore_fixture.h"

#include "protocol/manifest.h"

static const struct export_begin begin = {
	.source = "orders",
	.request = "R-ABCDEF",
	.archive = "6f1c2a7e-0000-4000-8000-000000000000",
	.worm = "required",
};

static struct manifest *two_files(void)
{
	struct manifest *manifest = manifest_new();
	struct output_file file = {.name = "bin.000001", .size = 1000};
	struct manifest_range range = {.binlog_file = "bin.000001",
				       .leaf_index = 7,
				       .start_position = 4,
				       .good_end = 1000};

	memset(file.hash.bytes, 0xab, HASH_SIZE);
	memset(range.segment_id, 0xcd, SEGMENT_ID_SIZE);
	manifest_add_file(manifest, &file);
	manifest_add_range(manifest, &range);
	file.name[9] = '2';
	file.size = 500;
	manifest_add_file(manifest, &file);
	return manifest;
}

static void the_body_is_canonical_and_says_what_was_read(void **state)
{
	static const char expected[] =
		"{\"archive\":\"6f1c2a7e-0000-4000-8000-000000000000\","
		"\"created\":\"2023-11-14T22:13:20.000000Z\",\"files\":["
		"{\"name\":\"bin.000001\",\"sha256\":"
		"\"abababababababababababababababababababababababababababababababab\","
		"\"size\":\"1000\"},{\"name\":\"bin.000002\",\"sha256\":"
		"\"abababababababababababababababababababababababababababababababab\","
		"\"size\":\"500\"}],\"ranges\":[{\"file\":\"bin.000001\",\"good_end\":\"1000\","
		"\"leaf\":\"7\",\"segment\":\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\",\"start\":\"4\"}],"
		"\"request\":\"R-ABCDEF\",\"schema\":1,\"source\":\"orders\","
		"\"type\":\"binvault-restore\",\"until\":{\"file\":\"bin.000002\","
		"\"position\":\"500\",\"time\":\"\"},\"worm\":\"required\"}";
	const struct export_result result = {.until_file = "bin.000002", .until_position = 500};
	struct manifest *manifest = two_files();
	char *body = NULL;
	size_t size;
	struct error err = {0};

	(void)state;
	assert_int_equal(manifest_file_count(manifest), 2);
	assert_int_equal(manifest_byte_count(manifest), 1500);
	assert_ok(manifest_body(manifest, &begin, &result, UINT64_C(1700000000000000), &body, &size,
				&err),
		  &err);
	assert_string_equal(body, expected);
	assert_int_equal(size, strlen(expected));
	free(body);
	manifest_free(manifest);
}

static void sums_are_what_sha256sum_reads(void **state)
{
	struct manifest *manifest = two_files();
	char *sums = manifest_sums(manifest);

	(void)state;
	assert_string_equal(sums,
			    "abababababababababababababababababababababababababababababababab  "
			    "bin.000001\n"
			    "abababababababababababababababababababababababababababababababab  "
			    "bin.000002\n");
	free(sums);
	manifest_free(manifest);
}

static void many_entries_with_the_longest_names_fit(void **state)
{
	const struct export_result result = {.until_position = UINT64_MAX};
	struct manifest *manifest = manifest_new();
	struct output_file file = {.size = UINT64_MAX / 4096};
	struct manifest_range range = {
		.leaf_index = UINT64_MAX, .start_position = UINT64_MAX, .good_end = UINT64_MAX};
	char *body = NULL, *sums;
	size_t size;
	struct error err = {0};

	(void)state;
	memset(file.name, 'n', BINLOG_NAME_MAX);
	memset(range.binlog_file, 'n', BINLOG_NAME_MAX);
	for (int i = 0; i < 1000; i++) {
		manifest_add_file(manifest, &file);
		manifest_add_range(manifest, &range);
	}
	assert_ok(manifest_body(manifest, &begin, &result, 1, &body, &size, &err), &err);
	sums = manifest_sums(manifest);
	assert_int_equal(strlen(sums), 1000 * (64 + 2 + BINLOG_NAME_MAX + 1));
	free(sums);
	free(body);
	manifest_free(manifest);
}

/* DSSE's own example, with our media type. */
static void what_is_signed_is_dsse(void **state)
{
	size_t size;
	uint8_t *pae = manifest_pae("hello", 5, &size);
	static const char expected[] =
		"DSSEv1 46 application/vnd.binvault.restore-manifest+json 5 hello";

	(void)state;
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(pae, expected, size);
	free(pae);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_body_is_canonical_and_says_what_was_read),
		cmocka_unit_test(sums_are_what_sha256sum_reads),
		cmocka_unit_test(many_entries_with_the_longest_names_fit),
		cmocka_unit_test(what_is_signed_is_dsse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
