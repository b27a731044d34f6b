#include "unit/cmocka_prelude.h"

#include "signer/last_signed.h"
#include "signer/login_record.h"
#include "unit/signer/signer_fixture.h"

/* --- checkpoints ----------------------------------------------------------------------------- */

static void provisioning_makes_three_keys_and_finds_them_again(void **state)
{
	struct lab *lab = *state;
	struct hsm_keys first;
	struct error err = {0};

	assert_starts(lab, true);
	assert_ok(lab_provision(lab, true, &err), &err);
	first = lab->keys;
	assert_string_equal(first.master.label,
			    "BinvaultMasterKey_000102ff-0405-0607-0809-0a0b0c0d0e0f_1");
	assert_string_equal(first.checkpoint.label,
			    "BinvaultCheckpointKey_000102ff-0405-0607-0809-0a0b0c0d0e0f");
	assert_string_equal(first.manifest.label,
			    "BinvaultManifestKey_000102ff-0405-0607-0809-0a0b0c0d0e0f");
	assert_ends(lab, 0, "");
	assert_starts(lab, true);
	assert_ok(lab_provision(lab, true, &err), &err);
	assert_memory_equal(&first, &lab->keys, sizeof(first));
	assert_ok(lab_provision(lab, true, &err), &err);
}

static void a_growing_ledger_is_signed_also_after_a_restart(void **state)
{
	struct lab *lab = *state;

	lab_begin(lab);
	lab_extend(lab, 1);
	lab_extend(lab, HSM_LEAVES_MAX);
	assert_ends(lab, 0, "");
	assert_starts(lab, false);
	lab_extend(lab, 3);
}

static void the_last_checkpoint_is_signed_again(void **state)
{
	struct lab *lab = *state;
	struct hsm_signed_state last;
	struct error err = {0};

	lab_begin(lab);
	lab_extend(lab, 2);
	lab_extend(lab, 0);
	assert_ok(lab_last_signed(lab, &last, &err), &err);
	assert_true(last.stored);
	assert_true(tree_equal(&last.tree, &lab->tree));
}

static void a_fork_is_refused_and_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct tree forked;
	struct hsm_signature signature;
	struct error err = {0};

	lab_begin(lab);
	tree_init(&forked);
	for (uint64_t i = 0; i < lab->tree.size; i++) {
		struct hash leaf = lab_leaf(i, i == 2 ? "other" : "main");

		tree_append(&forked, &leaf);
	}
	assert_fails(lab_sign_from(lab, &forked, ORIGIN, 1, "main", &signature, &err), &err,
		     ERROR_REFUSED, "rolled back or forked");
	assert_fails(lab_sign_from(lab, &forked, ORIGIN, 0, "main", &signature, &err), &err,
		     ERROR_REFUSED, "rolled back or forked");
	lab_extend(lab, 1);
}

static void a_rollback_is_refused_and_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct tree before, none;
	struct hsm_signature signature;
	struct error err = {0};

	lab_begin(lab);
	before = lab->tree;
	tree_init(&none);
	lab_extend(lab, 2);
	/* Even the very same next leaf: it is another try at a size that was passed. */
	assert_fails(lab_sign_from(lab, &before, ORIGIN, 1, "main", &signature, &err), &err,
		     ERROR_REFUSED, "size 7, the request begins at size 5");
	assert_fails(lab_sign_from(lab, &none, ORIGIN, 5, "main", &signature, &err), &err,
		     ERROR_REFUSED, "begins at size 0");
	lab_extend(lab, 1);
}

static void another_archive_is_refused(void **state)
{
	struct lab *lab = *state;
	struct hsm_unwrap unwrap = {.master_sequence = 1, .wrap_size = 384};
	struct hsm_unwrapped unwrapped;
	struct hsm_signature signature;
	struct error err = {0};

	lab_begin(lab);
	assert_fails(lab_sign_from(lab, &lab->tree, OTHER_ORIGIN, 1, "main", &signature, &err),
		     &err, ERROR_REFUSED, "no checkpoint of '" OTHER_ORIGIN "' is signed");
	assert_fails(lab_unwrap(lab, &unwrap, &unwrapped, &err), &err, ERROR_REFUSED,
		     "of another archive");
	assert_ends(lab, 0, "");
	/* And no second archive begins with the state of the first. */
	assert_starts(lab, true);
	{
		struct hsm_provision request = {.make_keys = 1};

		request.archive_id[0] = 0x77;
		assert_ok(lab_answer(lab, hsm_provision_send(lab->fd, &request, &err), &err), &err);
		assert_fails(hsm_keys_decode(&lab->message, &lab->keys, &err), &err, ERROR_REFUSED,
			     "belongs to archive 000102ff-0405-0607-0809-0a0b0c0d0e0f");
	}
}

static void an_empty_ledger_is_not_signed(void **state)
{
	struct lab *lab = *state;
	struct hsm_signature signature;
	struct error err = {0};

	assert_starts(lab, true);
	assert_ok(lab_provision(lab, true, &err), &err);
	assert_fails(lab_sign_from(lab, &lab->tree, ORIGIN, 0, "main", &signature, &err), &err,
		     ERROR_REFUSED, "an empty ledger is not signed");
}

static void without_provisioning_no_key_is_made(void **state)
{
	struct lab *lab = *state;
	struct hsm_signature signature;
	struct error err = {0};

	assert_starts(lab, false);
	assert_fails(lab_provision(lab, true, &err), &err, ERROR_REFUSED,
		     "only for `binvault init`");
	assert_ends(lab, 0, "");
	assert_starts(lab, true);
	assert_fails(lab_sign_from(lab, &lab->tree, ORIGIN, 1, "main", &signature, &err), &err,
		     ERROR_USAGE, "PROVISION comes before anything else");
	assert_fails(lab_provision(lab, false, &err), &err, ERROR_USAGE, "does not hold the key");
	assert_ends(lab, 2, "does not hold the key");
}

/* --- state ----------------------------------------------------------------------------------- */

static void a_lost_state_signs_nothing_and_says_what_to_do(void **state)
{
	struct lab *lab = *state;
	struct tree none;
	struct hsm_signed_state last;
	struct hsm_signature signature;
	struct hash pae = {{1}};
	struct error err = {0};
	char path[192];

	lab_begin(lab);
	assert_ends(lab, 0, "");
	lab_state_path(lab, LAST_SIGNED_FILE, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_starts(lab, false);
	assert_ok(lab_last_signed(lab, &last, &err), &err);
	assert_false(last.stored);
	tree_init(&none);
	assert_fails(lab_sign_from(lab, &lab->tree, ORIGIN, 1, "main", &signature, &err), &err,
		     ERROR_REFUSED, "hsm state lost");
	assert_fails(lab_sign_from(lab, &none, ORIGIN, 5, "main", &signature, &err), &err,
		     ERROR_REFUSED, "binvault init --accept-state SIZE:ROOT");
	assert_fails(lab_manifest(lab, &pae, &signature, &err), &err, ERROR_REFUSED,
		     "hsm state lost");
	assert_ends(lab, 0, "");
	/* What init --accept-state does: the same keys, the whole tree again. */
	assert_starts(lab, true);
	assert_ok(lab_provision(lab, false, &err), &err);
	lab->tree = none;
	lab_extend(lab, 5);
	assert_ends(lab, 0, "");
	assert_starts(lab, false);
	lab_extend(lab, 1);
}

static void a_damaged_state_is_no_lost_one(void **state)
{
	struct lab *lab = *state;
	char path[192];
	int fd;

	lab_begin(lab);
	assert_ends(lab, 0, "");
	lab_state_path(lab, LAST_SIGNED_FILE, path, sizeof(path));
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "f", 1, 20), 1);
	close(fd);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 3, "'last-signed' is damaged");
}

static void a_state_is_used_by_one_process(void **state)
{
	struct lab *lab = *state;
	struct lab second = *lab;

	assert_starts(lab, false);
	assert_false(lab_start(&second, false));
	assert_ends(&second, 5, "in use by another binvault-hsm");
}

static void a_state_directory_that_others_write_to_is_refused(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(chmod(lab->state, 0770), 0);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 2, "nobody else may write to it");
	assert_int_equal(rmdir(lab->state), 0);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 2, "does not exist; binvault init makes it");
}

static void another_tokens_keys_are_refused(void **state)
{
	struct lab *lab = *state;
	struct error err = {0};

	lab_begin(lab);
	assert_ends(lab, 0, "");
	raw_destroy(CKO_PRIVATE_KEY, lab->keys.checkpoint.label);
	raw_destroy(CKO_PUBLIC_KEY, lab->keys.checkpoint.label);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 2, "does not hold the key 'BinvaultCheckpointKey_");
	/* Made again, it has the name of the old one and is another. */
	assert_starts(lab, true);
	assert_fails(lab_provision(lab, true, &err), &err, ERROR_DEFECT,
		     "not the one that this archive began with");
	assert_ends(lab, 3, "not the one that this archive began with");
	assert_false(lab_start(lab, false));
	assert_ends(lab, 3, "not the one that this archive began with");
}

/* --- the token goes away --------------------------------------------------------------------- */

static void hide_token(const struct lab *lab, bool hide)
{
	char here[128], there[128];

	fixture_path(lab->fixture, "tokens", here, sizeof(here));
	fixture_path(lab->fixture, "tokens.hidden", there, sizeof(there));
	if (hide) {
		assert_int_equal(rename(here, there), 0);
		assert_int_equal(mkdir(here, 0700), 0);
	} else {
		assert_int_equal(rmdir(here), 0);
		assert_int_equal(rename(there, here), 0);
	}
}

/* The state of a process that was killed between "stored" and "signed". */
static void what_was_stored_and_not_signed_is_signed_after_the_restart(void **state)
{
	struct lab *lab = *state;
	struct hsm_signed_state last;
	struct hsm_signature signature;
	struct tree before;
	struct error err = {0};

	lab_begin(lab);
	before = lab->tree;
	hide_token(lab, true);
	assert_fails(lab_sign_from(lab, &before, ORIGIN, 2, "main", &signature, &err), &err,
		     ERROR_UNAVAILABLE, "");
	assert_ends(lab, 5, "");
	hide_token(lab, false);
	assert_starts(lab, false);
	assert_ok(lab_last_signed(lab, &last, &err), &err);
	assert_int_equal(last.tree.size, before.size + 2);
	/* Never another history of that size; the same one, and a larger one. */
	assert_fails(lab_sign_from(lab, &before, ORIGIN, 2, "other", &signature, &err), &err,
		     ERROR_REFUSED, "rolled back or forked");
	lab->tree = last.tree;
	lab_extend(lab, 0);
	lab_extend(lab, 4);
}

static void a_token_that_is_away_ends_the_process_and_clears_the_login(void **state)
{
	struct lab *lab = *state;
	char path[192];

	hide_token(lab, true);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 5, TOKEN_LABEL);
	lab_state_path(lab, LOGIN_RECORD_FILE, path, sizeof(path));
	assert_int_equal(access(path, F_OK), -1);
	hide_token(lab, false);
	assert_starts(lab, false);
	assert_int_equal(access(path, F_OK), -1);
}

/* --- the PIN --------------------------------------------------------------------------------- */

static enum token_pin_state pin_state(const struct lab *lab)
{
	enum token_pin_state result;
	struct token *token = NULL;
	struct error err = {0};

	assert_ok(token_open(&lab->fixture->options, &token, &err), &err);
	assert_ok(token_pin_state(token, &result, &err), &err);
	token_free(token);
	return result;
}

static void a_wrong_pin_reaches_the_token_once(void **state)
{
	struct lab *lab = *state;
	struct raw raw;

	lab_pin(lab, WRONG_PIN);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 4, "PIN");
	assert_int_equal(pin_state(lab), TOKEN_PIN_COUNT_LOW);
	/* Somebody logs in elsewhere, which clears the token's counter: a second try would show. */
	raw = raw_open(TOKEN_LABEL);
	raw_close(&raw);
	assert_int_equal(pin_state(lab), TOKEN_PIN_CLEAR);
	for (int i = 0; i < 3; i++) {
		assert_false(lab_start(lab, i == 1));
		assert_ends(lab, 4, "has refused this PIN before: it is not tried again");
		assert_int_equal(pin_state(lab), TOKEN_PIN_CLEAR);
	}
	/* A corrected one is tried, and all is forgotten. */
	lab_pin(lab, PIN);
	assert_starts(lab, false);
	assert_ends(lab, 0, "");
}

static void a_pin_file_with_a_newline_never_reaches_the_token(void **state)
{
	struct lab *lab = *state;

	lab_pin(lab, PIN "\n");
	assert_false(lab_start(lab, false));
	assert_ends(lab, 2, "contains a newline");
	assert_int_equal(pin_state(lab), TOKEN_PIN_CLEAR);
	assert_int_equal(unlink(lab->pin_file), 0);
	assert_false(lab_start(lab, false));
	assert_ends(lab, 2, "No such file");
}

/* --- other requests -------------------------------------------------------------------------- */

static void a_wrap_is_opened_and_a_foreign_one_is_a_defect(void **state)
{
	struct lab *lab = *state;
	struct hsm_unwrap request = {.master_sequence = 1};
	struct hsm_unwrapped answer;
	struct public_key *key = NULL;
	struct error err = {0};
	uint8_t secret[64];
	int size;

	lab_begin(lab);
	memset(secret, 0x5a, sizeof(secret));
	memcpy(request.archive_id, archive_id, sizeof(archive_id));
	assert_ok(public_key_decode(lab->keys.master.der, lab->keys.master.der_size, &key, &err),
		  &err);
	size = public_key_wrap(key, secret, sizeof(secret), request.wrap, &err);
	assert_ok(size, &err);
	request.wrap_size = (uint16_t)size;
	assert_ok(lab_unwrap(lab, &request, &answer, &err), &err);
	assert_memory_equal(answer.bytes, secret, sizeof(secret));
	request.wrap[7] ^= 1;
	assert_fails(lab_unwrap(lab, &request, &answer, &err), &err, ERROR_DEFECT, "");
	request.wrap[7] ^= 1;
	/* 32 bytes are no period key with its record's hash. */
	size = public_key_wrap(key, secret, 32, request.wrap, &err);
	assert_ok(size, &err);
	assert_fails(lab_unwrap(lab, &request, &answer, &err), &err, ERROR_DEFECT,
		     "holds 32 bytes, not 64");
	public_key_free(key);
	lab_extend(lab, 1);
}

static void a_master_key_that_is_not_there_ends_the_process(void **state)
{
	struct lab *lab = *state;
	struct hsm_unwrap request = {.master_sequence = 2, .wrap_size = 384};
	struct hsm_unwrapped answer;
	struct error err = {0};

	lab_begin(lab);
	memcpy(request.archive_id, archive_id, sizeof(archive_id));
	assert_fails(lab_unwrap(lab, &request, &answer, &err), &err, ERROR_UNAVAILABLE,
		     "BinvaultMasterKey_");
	assert_ends(lab, 5, "BinvaultMasterKey_");
}

static void a_manifest_is_signed_with_its_own_key(void **state)
{
	struct lab *lab = *state;
	struct hsm_signature signature;
	struct public_key *key = NULL;
	struct hash pae;
	struct error err = {0};

	lab_begin(lab);
	hash_bytes("body", 4, &pae);
	assert_ok(lab_manifest(lab, &pae, &signature, &err), &err);
	assert_int_equal(signature.size, 0);
	assert_ok(
		public_key_decode(lab->keys.manifest.der, lab->keys.manifest.der_size, &key, &err),
		&err);
	assert_ok(public_key_verify(key, "body", 4, signature.signature, signature.signature_size,
				    &err),
		  &err);
	public_key_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(provisioning_makes_three_keys_and_finds_them_again),
		TEST(a_growing_ledger_is_signed_also_after_a_restart),
		TEST(the_last_checkpoint_is_signed_again),
		TEST(a_fork_is_refused_and_changes_nothing),
		TEST(a_rollback_is_refused_and_changes_nothing),
		TEST(another_archive_is_refused),
		TEST(an_empty_ledger_is_not_signed),
		TEST(without_provisioning_no_key_is_made),
		TEST(a_lost_state_signs_nothing_and_says_what_to_do),
		TEST(a_damaged_state_is_no_lost_one),
		TEST(a_state_is_used_by_one_process),
		TEST(a_state_directory_that_others_write_to_is_refused),
		TEST(another_tokens_keys_are_refused),
		TEST(what_was_stored_and_not_signed_is_signed_after_the_restart),
		TEST(a_token_that_is_away_ends_the_process_and_clears_the_login),
		TEST(a_wrong_pin_reaches_the_token_once),
		TEST(a_pin_file_with_a_newline_never_reaches_the_token),
		TEST(a_wrap_is_opened_and_a_foreign_one_is_a_defect),
		TEST(a_master_key_that_is_not_there_ends_the_process),
		TEST(a_manifest_is_signed_with_its_own_key),
	};

	if (fixture_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
