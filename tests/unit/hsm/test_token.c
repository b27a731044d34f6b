#include "unit/cmocka_prelude.h"

#include <fcntl.h>

#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "hsm/token.h"
#include "unit/hsm/token_fixture.h"

static void a_token_is_found_by_label_and_by_serial(void **state)
{
	const struct fixture *fixture = *state;
	struct token_options by_serial = {.module = MODULE};
	char serial[TOKEN_SERIAL_SIZE];
	struct token *token = NULL;
	struct error err = {0};

	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_string_equal(token_label(token), TOKEN_LABEL);
	snprintf(serial, sizeof(serial), "%s", token_serial(token));
	token_free(token);
	by_serial.serial = serial;
	assert_ok(token_open(&by_serial, &token, &err), &err);
	assert_string_equal(token_label(token), TOKEN_LABEL);
	token_free(token);
	by_serial.serial = "0123";
	assert_fails(token_open(&by_serial, &token, &err), &err, ERROR_UNAVAILABLE,
		     "no token with serial '0123'");
	by_serial.label = TOKEN_LABEL;
	assert_fails(token_open(&by_serial, &token, &err), &err, ERROR_UNAVAILABLE,
		     "no token '" TOKEN_LABEL "' with serial '0123'");
}

static void a_blank_token_is_initialised_and_no_other(void **state)
{
	const struct token_options options = {.module = MODULE, .label = "made by us"};
	char long_label[TOKEN_LABEL_SIZE + 1];
	struct token *token = NULL;
	struct error err = {0};
	struct secret pin;

	(void)state;
	make_secret(PIN, &pin);
	assert_ok(token_initialize(MODULE, options.label, &pin, &err), &err);
	assert_ok(token_open(&options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	token_free(token);
	memset(long_label, 'l', TOKEN_LABEL_SIZE);
	long_label[TOKEN_LABEL_SIZE] = '\0';
	assert_fails_discreetly(token_initialize(MODULE, long_label, &pin, &err), &err, ERROR_USAGE,
				"1 to 32 bytes");
	assert_fails_discreetly(token_initialize(MODULE, "", &pin, &err), &err, ERROR_USAGE,
				"1 to 32 bytes");
	assert_fails_discreetly(token_initialize("/none.so", "x", &pin, &err), &err, ERROR_USAGE,
				"/none.so");
	/* What was there before is as it was. */
	assert_ok(token_open(&((const struct fixture *)*state)->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	token_free(token);
	secret_release(&pin);
}

static void an_unknown_token_lists_the_labels_that_there_are(void **state)
{
	struct token_options options = {.module = MODULE, .label = "vault02"};
	struct token *token = NULL;
	struct error err = {0};

	(void)state;
	fixture_add_token("another\ttoken");
	assert_fails(token_open(&options, &token, &err), &err, ERROR_UNAVAILABLE,
		     "no token 'vault02'");
	assert_non_null(strstr(err.message, "'" TOKEN_LABEL "'"));
	assert_non_null(strstr(err.message, "'another?token'"));
	options.label = "vault"; /* the beginning of a label is not the label */
	assert_fails(token_open(&options, &token, &err), &err, ERROR_UNAVAILABLE,
		     "no token 'vault'");
}

static void two_tokens_with_one_label_ask_for_the_serial(void **state)
{
	struct fixture *fixture = *state;
	struct token *token = NULL;
	struct error err = {0};
	char serial[TOKEN_SERIAL_SIZE];

	assert_ok(token_open(&fixture->options, &token, &err), &err);
	snprintf(serial, sizeof(serial), "%s", token_serial(token));
	token_free(token);
	fixture_add_token(TOKEN_LABEL);
	assert_fails(token_open(&fixture->options, &token, &err), &err, ERROR_USAGE,
		     "say which one with token-serial");
	assert_non_null(strstr(err.message, serial));
	fixture->options.serial = serial;
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	token_free(token);
}

static void a_token_that_is_not_initialised_is_said_so(void **state)
{
	struct fixture *fixture = fixture_new();
	struct token *token = NULL;
	struct error err = {0};

	(void)state;
	assert_fails(token_open(&fixture->options, &token, &err), &err, ERROR_UNAVAILABLE,
		     "not initialised; initialise it");
	fixture_free(fixture);
}

static void a_module_that_cannot_be_loaded_is_a_sentence(void **state)
{
	struct token_options options = {.module = "/nonexistent/libhsm.so", .label = "x"};
	struct token *token = NULL;
	struct error err = {0};

	(void)state;
	assert_fails(token_open(&options, &token, &err), &err, ERROR_USAGE,
		     "cannot load the PKCS#11 module '/nonexistent/libhsm.so'");
	assert_non_null(strstr(err.message, "No such file"));
	options.module = "libcmocka.so.0";
	assert_fails(token_open(&options, &token, &err), &err, ERROR_USAGE,
		     "not a PKCS#11 module: it has no C_GetFunctionList");
	options.module = "";
	assert_fails(token_open(&options, &token, &err), &err, ERROR_USAGE, "no PKCS#11 module");
	options = (struct token_options){.module = MODULE};
	assert_fails(token_open(&options, &token, &err), &err, ERROR_USAGE, "set token-label");
}

static void the_right_pin_logs_in(void **state)
{
	const struct fixture *fixture = *state;
	enum token_pin_state pin_state = TOKEN_PIN_LOCKED;
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};

	make_secret(PIN, &pin);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	assert_ok(token_pin_state(token, &pin_state, &err), &err);
	assert_int_equal(pin_state, TOKEN_PIN_CLEAR);
	assert_ok(token_check_keys(token, &err), &err);
	token_free(token);
	secret_release(&pin);
}

static void a_wrong_pin_is_refused_and_the_token_is_not_asked_again(void **state)
{
	const struct fixture *fixture = *state;
	enum token_pin_state pin_state = TOKEN_PIN_CLEAR;
	struct secret pin = {0}, wrong = {0};
	struct token *token = NULL;
	struct error err = {0};

	make_secret(PIN, &pin);
	make_secret(WRONG_PIN, &wrong);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_fails_discreetly(token_login(token, &wrong, &err), &err, ERROR_REFUSED,
				"says that the PIN is wrong");
	assert_ok(token_pin_state(token, &pin_state, &err), &err);
	assert_int_equal(pin_state, TOKEN_PIN_COUNT_LOW);
	/* Even the right PIN: had the token been asked, it would have logged in. */
	assert_fails_discreetly(token_login(token, &pin, &err), &err, ERROR_REFUSED,
				"not tried again");
	token_free(token);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	assert_ok(token_pin_state(token, &pin_state, &err), &err);
	assert_int_equal(pin_state, TOKEN_PIN_CLEAR);
	token_free(token);
	secret_release(&pin);
	secret_release(&wrong);
}

static void a_pin_of_impossible_length_costs_no_try(void **state)
{
	const struct fixture *fixture = *state;
	enum token_pin_state pin_state = TOKEN_PIN_LOCKED;
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};

	make_secret("123", &pin); /* SoftHSM takes 4 to 255 */
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_fails(token_login(token, &pin, &err), &err, ERROR_USAGE, "of a length");
	assert_ok(token_pin_state(token, &pin_state, &err), &err);
	assert_int_equal(pin_state, TOKEN_PIN_CLEAR);
	token_free(token);
	secret_release(&pin);
}

static void a_token_with_an_edwards_key_is_refused_by_the_keys_label(void **state)
{
	static const uint8_t ed25519[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
					  'd',	's',  '2', '5', '5', '1', '9'};
	const struct fixture *fixture = *state;
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};

	assert_int_equal(raw_generate(CKM_EC_EDWARDS_KEY_PAIR_GEN, ed25519, sizeof(ed25519),
				      "somebody's ed25519", "1", true),
			 CKR_OK);
	make_secret(PIN, &pin);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	assert_fails_discreetly(token_check_keys(token, &err), &err, ERROR_USAGE,
				"the key 'somebody's ed25519'");
	assert_non_null(strstr(err.message, "another token or partition"));
	token_free(token);
	secret_release(&pin);
}

/* Small, as good parameters take long to find. */
static void write_dsa_key(const char *path)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, NULL);
	EVP_PKEY *parameters = NULL, *key = NULL;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(EVP_PKEY_paramgen_init(context) > 0);
	assert_true(EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 1024) > 0);
	assert_true(EVP_PKEY_paramgen(context, &parameters) > 0);
	EVP_PKEY_CTX_free(context);
	context = EVP_PKEY_CTX_new(parameters, NULL);
	assert_true(EVP_PKEY_keygen_init(context) > 0);
	assert_true(EVP_PKEY_keygen(context, &key) > 0);
	assert_true(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	assert_int_equal(fclose(file), 0);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(parameters);
	EVP_PKEY_free(key);
}

static void so_is_a_token_with_a_dsa_key(void **state)
{
	const struct fixture *fixture = *state;
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};
	char path[128];
	const char *const arguments[] = {
		TOOL,	   "--import", path, "--token", TOKEN_LABEL, "--label",
		"old dsa", "--id",     "07", "--pin",	PIN,	     NULL,
	};

	fixture_path(fixture, "dsa.pem", path, sizeof(path));
	write_dsa_key(path);
	fixture_run(arguments);
	make_secret(PIN, &pin);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	assert_fails_discreetly(token_check_keys(token, &err), &err, ERROR_USAGE,
				"the key 'old dsa' of a type (DSA)");
	token_free(token);
	secret_release(&pin);
}

static void random_bytes_come_from_the_token(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t one[32] = {0}, two[32] = {0};
	struct token *token = NULL;
	struct error err = {0};

	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_random(token, one, sizeof(one), &err), &err);
	assert_ok(token_random(token, two, sizeof(two), &err), &err);
	assert_memory_not_equal(one, two, sizeof(one));
	token_free(token);
}

#define TOKEN_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOKEN_TEST(a_token_is_found_by_label_and_by_serial),
		TOKEN_TEST(a_blank_token_is_initialised_and_no_other),
		TOKEN_TEST(an_unknown_token_lists_the_labels_that_there_are),
		TOKEN_TEST(two_tokens_with_one_label_ask_for_the_serial),
		cmocka_unit_test(a_token_that_is_not_initialised_is_said_so),
		cmocka_unit_test(a_module_that_cannot_be_loaded_is_a_sentence),
		TOKEN_TEST(the_right_pin_logs_in),
		TOKEN_TEST(a_wrong_pin_is_refused_and_the_token_is_not_asked_again),
		TOKEN_TEST(a_pin_of_impossible_length_costs_no_try),
		TOKEN_TEST(a_token_with_an_edwards_key_is_refused_by_the_keys_label),
		TOKEN_TEST(so_is_a_token_with_a_dsa_key),
		TOKEN_TEST(random_bytes_come_from_the_token),
	};

	if (fixture_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
