#include "unit/ledger/ledger_fixture.h"

static struct tree tree_of(size_t count)
{
	struct tree tree;
	struct hash leaf;

	tree_init(&tree);
	for (size_t i = 0; i < count; i++) {
		tree_leaf_hash(&i, sizeof(i), &leaf);
		tree_append(&tree, &leaf);
	}
	return tree;
}

static void a_checkpoint_comes_back_and_verifies(void **state)
{
	char note[CHECKPOINT_NOTE_SIZE + 1];
	struct tree tree = tree_of(12345);
	struct tree other = tree_of(12345);
	struct checkpoint checkpoint;
	struct checkpoint_keys keys;
	struct fixture f;
	struct error err;
	int length;

	(void)state;
	fixture_init(&f);
	keys = (struct checkpoint_keys){.count = 1, .keys = {f.public_key}};
	length = fixture_sign(&f, FIXTURE_ORIGIN, &tree, note, &err);
	assert_ok(length, &err);
	assert_int_equal(length, strlen(note));
	assert_memory_equal(note, FIXTURE_ORIGIN "\n12345\n", strlen(FIXTURE_ORIGIN) + 7);
	assert_non_null(strstr(note, "\n\n\xe2\x80\x94 " FIXTURE_ORIGIN " "));
	assert_ok(checkpoint_decode(note, (size_t)length, &checkpoint, &err), &err);
	assert_int_equal(checkpoint.size, 12345);
	assert_ok(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), &err);
	assert_ok(checkpoint_compare(&checkpoint, &tree, &err), &err);
	other.nodes[0].bytes[0] ^= 1;
	assert_fails(checkpoint_compare(&checkpoint, &other, &err), &err, ERROR_DEFECT,
		     "the checkpoint says");
	assert_fails(checkpoint_verify(&checkpoint, "binvault/other", &keys, &err), &err,
		     ERROR_DEFECT, "not of 'binvault/other'");
	keys.count = 0;
	assert_fails(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), &err,
		     ERROR_DEFECT, "no key that this archive knows");
	fixture_release(&f);
}

static void every_flipped_bit_of_a_checkpoint_is_found(void **state)
{
	char note[CHECKPOINT_NOTE_SIZE + 1];
	struct tree tree = tree_of(7);
	struct checkpoint checkpoint;
	struct checkpoint_keys keys;
	struct fixture f;
	struct error err;
	int length;

	(void)state;
	fixture_init(&f);
	keys = (struct checkpoint_keys){.count = 1, .keys = {f.public_key}};
	length = fixture_sign(&f, FIXTURE_ORIGIN, &tree, note, &err);
	assert_ok(length, &err);
	for (int bit = 0; bit < 8 * length; bit++) {
		note[bit / 8] ^= (char)(1 << bit % 8);
		if (checkpoint_decode(note, (size_t)length, &checkpoint, &err) == 0)
			assert_int_equal(
				checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err),
				ERROR_DEFECT);
		note[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (int cut = 0; cut < length; cut++)
		assert_int_equal(checkpoint_decode(note, (size_t)cut, &checkpoint, &err),
				 ERROR_DEFECT);
	fixture_release(&f);
}

static void a_signature_of_an_unknown_key_is_passed_over(void **state)
{
	static const char witness[] = "\xe2\x80\x94 witness.example AAAAAAAAAAAAAAAAAAAAAAAA\n";
	char note[CHECKPOINT_NOTE_SIZE + 1];
	struct tree tree = tree_of(7);
	struct checkpoint checkpoint;
	struct checkpoint_keys keys;
	struct fixture f;
	struct fixture next;
	struct error err;
	char *line;
	int length;

	(void)state;
	fixture_init(&f);
	fixture_init(&next);
	length = fixture_sign(&f, FIXTURE_ORIGIN, &tree, note, &err);
	assert_ok(length, &err);
	memcpy(note + length, witness, sizeof(witness));
	assert_ok(checkpoint_decode(note, strlen(note), &checkpoint, &err), &err);
	assert_int_equal(checkpoint.signature_count, 2);
	keys = (struct checkpoint_keys){.count = 2, .keys = {next.public_key, f.public_key}};
	assert_ok(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), &err);
	keys.keys[1] = next.public_key;
	assert_int_equal(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), ERROR_DEFECT);
	/* during a rotation both sign, and a known key that does not verify is not excused */
	fixture_sign(&next, FIXTURE_ORIGIN, &tree, note, &err);
	line = strdup(strstr(note, "\n\n") + 2);
	length = fixture_sign(&f, FIXTURE_ORIGIN, &tree, note, &err);
	memcpy(note + length, line, strlen(line) + 1);
	assert_ok(checkpoint_decode(note, strlen(note), &checkpoint, &err), &err);
	keys = (struct checkpoint_keys){.count = 2, .keys = {next.public_key, f.public_key}};
	assert_ok(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), &err);
	checkpoint.signatures[1].bytes[20] ^= 1;
	assert_int_equal(checkpoint_verify(&checkpoint, FIXTURE_ORIGIN, &keys, &err), ERROR_DEFECT);
	free(line);
	fixture_release(&f);
	fixture_release(&next);
}

static void a_text_that_is_no_note_is_refused(void **state)
{
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define LINE "\xe2\x80\x94 a AAAAAAA="
	static const struct {
		const char *note;
		const char *words;
	} cases[] = {
		{"", "ends too early"},
		{"\n1\n" ROOT "\n\n" LINE "\n", "no origin"},
		{"a b\n1\n" ROOT "\n\n" LINE "\n", "no origin"},
		{"a+b\n1\n" ROOT "\n\n" LINE "\n", "no origin"},
		{"a\n01\n" ROOT "\n\n" LINE "\n", "no tree size"},
		{"a\n-1\n" ROOT "\n\n" LINE "\n", "no tree size"},
		{"a\n\n" ROOT "\n\n" LINE "\n", "no tree size"},
		{"a\n9223372036854775808\n" ROOT "\n\n" LINE "\n", "no tree size"},
		{"a\n99999999999999999999\n" ROOT "\n\n" LINE "\n", "no tree size"},
		{"a\n1\n" ROOT "=\n\n" LINE "\n", "no root"},
		{"a\n1\nAAAA\n\n" LINE "\n", "no root"},
		{"a\n1\n" ROOT "\nextension\n\n" LINE "\n", "fourth line"},
		{"a\n1\n" ROOT "\n\n", "without a signature"},
		{"a\n1\n" ROOT "\n\n" LINE, "ends too early"},
		{"a\n1\n" ROOT "\n\n" LINE "\n\n", "without its dash"},
		{"a\n1\n" ROOT "\n\n- a AAAAAAA=\n", "without its dash"},
		{"a\n1\n" ROOT "\n\n\xe2\x80\x94 aAAAAAAA=\n", "without a key name"},
		{"a\n1\n" ROOT "\n\n\xe2\x80\x94 a AAAA\n", "not in base64"},
		{"a\n1\n" ROOT "\n\n\xe2\x80\x94 a AAAA_AA=\n", "not in base64"},
	};
	struct checkpoint checkpoint;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(
			checkpoint_decode(cases[i].note, strlen(cases[i].note), &checkpoint, &err),
			&err, ERROR_DEFECT, cases[i].words);
	assert_ok(checkpoint_decode("a\n1\n" ROOT "\n\n" LINE "\n",
				    strlen("a\n1\n" ROOT "\n\n" LINE "\n"), &checkpoint, &err),
		  &err);
}

static void what_cannot_be_a_body_is_not_composed(void **state)
{
	char note[CHECKPOINT_NOTE_SIZE + 1];
	char body[CHECKPOINT_BODY_SIZE];
	uint8_t signature[SIGNATURE_SIZE_MAX + 1] = {0};
	struct hash hash = {{0}};
	struct error err;

	(void)state;
	assert_fails(checkpoint_body("two words", 1, &hash, body, &err), &err, ERROR_USAGE,
		     "no origin");
	assert_fails(checkpoint_compose("a\n1\n", &hash, signature, 70, note, &err), &err,
		     ERROR_USAGE, "not the body of a checkpoint");
	assert_fails(checkpoint_compose("a\n1\n", &hash, signature, sizeof(signature), note, &err),
		     &err, ERROR_USAGE, "a signature of");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_comes_back_and_verifies),
		cmocka_unit_test(every_flipped_bit_of_a_checkpoint_is_found),
		cmocka_unit_test(a_signature_of_an_unknown_key_is_passed_over),
		cmocka_unit_test(a_text_that_is_no_note_is_refused),
		cmocka_unit_test(what_cannot_be_a_body_is_not_composed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
