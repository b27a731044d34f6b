/* The second implementation of FORMAT.md must come to the same root, and find the same defects. */
#include "unit/ledger/ledger_fixture.h"

#include <sys/wait.h>

#include "base/base64.h"
#include "base/hex.h"

#define BLOCK  4096
#define FILE_0 "00000000000000000000.jsonl"

static void append_fields(struct fixture *f, const char *text, const char *key)
{
	json_t *object;
	struct error err;

	assert_ok(json_parse(text, strlen(text), &object, &err), &err);
	if (key)
		json_put_string(object, "key", key);
	assert_ok(log_append(f->log, object, &f->stamp, NULL, &err), &err);
	json_decref(object);
}

/* As `init` begins a ledger; then files, torn leaves, torn checkpoints. */
static void make_ledger(struct fixture *f)
{
	unsigned char *der = NULL;
	char key[512];
	struct bytes bytes;
	struct error err;
	int size;

	fixture_init(f);
	f->leaves_per_file = 6;
	f->state_parts = 2;
	assert_ok(fixture_open(f, &err), &err);
	append_fields(f, "{\"type\":\"archive\",\"origin\":\"" FIXTURE_ORIGIN "\"}", NULL);
	size = i2d_PUBKEY(f->signing_key, &der);
	base64_encode(der, (size_t)size, key);
	OPENSSL_free(der);
	append_fields(f, "{\"type\":\"signing-key\",\"role\":\"checkpoint\"}", key);
	fixture_checkpoint(f);
	assert_ok(fixture_append(f, 5000, &err), &err);
	bytes = fixture_load(f, FILE_0);
	fixture_store(f, FILE_0, bytes.data, bytes.size - BLOCK - 9);
	free(bytes.data);
	assert_ok(fixture_open(f, &err), &err);
	fixture_checkpoint(f);
	bytes = fixture_load(f, "checkpoints");
	memset(bytes.data + BLOCK + 200, 0, 100);
	fixture_store(f, "checkpoints", bytes.data, bytes.size);
	free(bytes.data);
	for (size_t i = 0; i < 20; i++) {
		assert_ok(fixture_append(f, i, &err), &err);
		if (i % 3 == 0)
			fixture_checkpoint(f);
	}
	assert_clean(f);
}

/* Run the reader; its exit status, and what it printed (both streams). */
static int run_reader(struct fixture *f, const char *fingerprint, char *output, size_t size)
{
	char command[512];
	FILE *pipe;
	size_t used;
	int status;

	snprintf(command, sizeof(command), "/usr/bin/python3 tools/read_ledger.py --key %s %s 2>&1",
		 fingerprint, f->path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	used = fread(output, 1, size - 1, pipe);
	output[used] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void both_readers_come_to_the_same_root(void **state)
{
	char fingerprint[HEX_SIZE(HASH_SIZE)];
	char root_text[HEX_SIZE(HASH_SIZE)];
	char expected[256];
	char output[4096];
	struct ledger_summary summary;
	struct fixture f;

	(void)state;
	make_ledger(&f);
	fixture_verify(&f, &summary);
	hex_encode(f.fingerprint.bytes, HASH_SIZE, fingerprint);
	hex_encode(summary.root.bytes, HASH_SIZE, root_text);
	snprintf(expected, sizeof(expected),
		 "{\"leaves\": %ju, \"signed\": %ju, \"root\": \"%s\"}\n",
		 (uintmax_t)summary.leaf_count, (uintmax_t)summary.signed_size, root_text);
	assert_int_equal(run_reader(&f, fingerprint, output, sizeof(output)), 0);
	assert_string_equal(output, expected);
	/* a key that nobody vouches for */
	fingerprint[0] = fingerprint[0] == '0' ? '1' : '0';
	assert_int_equal(run_reader(&f, fingerprint, output, sizeof(output)), 3);
	assert_non_null(strstr(output, "not pinned"));
	fixture_release(&f);
}

static void both_readers_find_the_same_damage(void **state)
{
	static const struct {
		const char *file;
		size_t offset;
		const char *words;
	} cases[] = {
		{FILE_0, 12, "offset 0: "},
		{FILE_0, BLOCK - 1, "offset 4095: "},
		{FILE_0, 2 * BLOCK + 100, "offset 8192: "},
		{"checkpoints", 46, "checkpoints: offset 0: the signature does not match"},
		{"checkpoints", BLOCK + 1, "checkpoints: offset 8192: torn bytes before it"},
		{"checkpoints", 3 * BLOCK - 1, "checkpoints: offset 12288: torn bytes before it"},
	};
	char fingerprint[HEX_SIZE(HASH_SIZE)];
	char output[4096];
	struct ledger_summary summary;
	struct fixture f;

	(void)state;
	make_ledger(&f);
	hex_encode(f.fingerprint.bytes, HASH_SIZE, fingerprint);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes bytes = fixture_load(&f, cases[i].file);

		bytes.data[cases[i].offset] ^= 1;
		fixture_store(&f, cases[i].file, bytes.data, bytes.size);
		fixture_verify(&f, &summary);
		assert_true(summary.defect_count > 0);
		assert_int_equal(run_reader(&f, fingerprint, output, sizeof(output)), 3);
		if (!strstr(output, cases[i].words))
			fail_msg("'%s' does not contain '%s'", output, cases[i].words);
		bytes.data[cases[i].offset] ^= 1;
		fixture_store(&f, cases[i].file, bytes.data, bytes.size);
		free(bytes.data);
	}
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_readers_come_to_the_same_root),
		cmocka_unit_test(both_readers_find_the_same_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
