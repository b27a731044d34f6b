#include "unit/cmocka_prelude.h"

#include <fcntl.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "hsm/engine.h"
#include "unit/hsm/token_fixture.h"

#define MASTER "BinvaultMasterKey_6f0c_1"
#define SIGNER "BinvaultCheckpointKey_6f0c_1"

/*
 * OpenSSL keeps an engine for as long as the process lives, and so does the program that uses it:
 * each case is a process of its own. There, check() takes the place of cmocka's assertions.
 */
#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);       \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

#define check_ok(call, err)                                                                        \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (err)->message);      \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

#define check_fails(call, err, expected_code, words)                                               \
	do {                                                                                       \
		int fails_result_ = (call);                                                        \
		if (fails_result_ != (expected_code) || (err)->code != (expected_code) ||          \
		    !strstr((err)->message, words) || strstr((err)->message, PIN) ||               \
		    strstr((err)->message, WRONG_PIN)) {                                           \
			printf("%s:%d: %d, '%s'\n", __FILE__, __LINE__, fails_result_,             \
			       (err)->message);                                                    \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* Run @body as a process. It must succeed, and nothing may have been written to its stderr. */
static void run_case(const struct fixture *fixture, void (*body)(const struct fixture *fixture))
{
	struct stat status;
	char path[128];
	int result = -1;
	pid_t child;

	fixture_path(fixture, "stderr", path, sizeof(path));
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

		check(fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
		body(fixture);
		exit(0); /* not _exit(): engine, module and OpenSSL must survive their own end */
	}
	assert_int_equal(waitpid(child, &result, 0), child);
	if (result != 0) {
		FILE *file = fopen(path, "r");

		for (int c; file && (c = fgetc(file)) != EOF;)
			putchar(c);
		if (file)
			fclose(file);
	}
	assert_int_equal(result, 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 0);
}

static void make_pin(const char *text, struct secret *ret_secret)
{
	struct error err = {0};

	check_ok(secret_init(ret_secret, strlen(text), &err), &err);
	memcpy(ret_secret->bytes, text, strlen(text));
}

/* As `init` does it: both pairs, through PKCS#11 directly, and the module closed again. */
static void make_keys(const struct fixture *fixture, struct token_public_key *ret_master,
		      struct token_public_key *ret_signer)
{
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};

	make_pin(PIN, &pin);
	check_ok(token_open(&fixture->options, &token, &err), &err);
	check_ok(token_login(token, &pin, &err), &err);
	check_ok(token_check_keys(token, &err), &err);
	check_ok(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, ret_master, &err), &err);
	check_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, ret_signer, &err), &err);
	token_free(token);
	secret_release(&pin);
}

static struct engine *open_engine(const struct fixture *fixture, const char *pin_text)
{
	struct engine *engine = NULL;
	struct secret pin = {0};
	struct error err = {0};

	make_pin(pin_text, &pin);
	check_ok(engine_open(&fixture->options, &pin, &engine, &err), &err);
	secret_release(&pin);
	return engine;
}

static EVP_PKEY *decode(const struct token_public_key *key)
{
	const unsigned char *end = key->der;
	EVP_PKEY *decoded = d2i_PUBKEY(NULL, &end, (long)key->size);

	check(decoded);
	return decoded;
}

/* In software, with the public half alone. */
static size_t wrap_in_software(const struct token_public_key *key, const void *bytes, size_t size,
			       uint8_t *wrap, size_t wrap_size)
{
	EVP_PKEY *decoded = decode(key);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(decoded, NULL);

	check(EVP_PKEY_encrypt_init(context) > 0);
	check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0);
	check(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0);
	check(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0);
	check(EVP_PKEY_encrypt(context, wrap, &wrap_size, bytes, size) > 0);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(decoded);
	return wrap_size;
}

static void unwrap_case(const struct fixture *fixture)
{
	struct token_public_key master, signer, seen;
	uint8_t period_key[64], wrap[ENGINE_WRAP_MAX];
	struct engine_key *key = NULL;
	struct secret plain = {0};
	struct error err = {0};
	struct engine *engine;
	size_t size;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, PIN);
	check_ok(engine_key_load(engine, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err);
	engine_key_public(key, &seen);
	check(seen.size == master.size && memcmp(seen.der, master.der, seen.size) == 0);
	check_ok(engine_key_prove(key, &err), &err);
	for (size_t i = 0; i < sizeof(period_key); i++)
		period_key[i] = (uint8_t)(i * 7);
	size = wrap_in_software(&master, period_key, sizeof(period_key), wrap, sizeof(wrap));
	check(size == 384);
	check_ok(engine_unwrap(key, wrap, size, &plain, &err), &err);
	check(plain.size == sizeof(period_key));
	check(memcmp(plain.bytes, period_key, sizeof(period_key)) == 0);
	secret_release(&plain);
	engine_key_free(key);
	engine_free(engine);
}

static void what_software_wrapped_the_token_unwraps(void **state)
{
	run_case(*state, unwrap_case);
}

static void tampered_case(const struct fixture *fixture)
{
	static const char sentence[] = "the wrapped key does not unwrap with key '" MASTER "'";
	struct token_public_key master, signer;
	uint8_t bytes[64] = {1}, wrap[ENGINE_WRAP_MAX], other[ENGINE_WRAP_MAX] = {0};
	struct engine_key *key = NULL;
	struct secret plain = {0};
	struct error err = {0};
	struct engine *engine;
	size_t size;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, PIN);
	check_ok(engine_key_load(engine, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err);
	size = wrap_in_software(&master, bytes, sizeof(bytes), wrap, sizeof(wrap));
	for (size_t i = 0; i < size; i += 61) {
		memcpy(other, wrap, size);
		other[i] ^= 0x10;
		check_fails(engine_unwrap(key, other, size, &plain, &err), &err, ERROR_DEFECT, "");
		check(strcmp(err.message, sentence) == 0);
		check(!plain.bytes);
	}
	memset(other, 0, sizeof(other));
	check_fails(engine_unwrap(key, other, size, &plain, &err), &err, ERROR_DEFECT, sentence);
	memset(other, 0xff, sizeof(other));
	check_fails(engine_unwrap(key, other, size, &plain, &err), &err, ERROR_DEFECT, sentence);
	check_fails(engine_unwrap(key, wrap, size - 1, &plain, &err), &err, ERROR_DEFECT, sentence);
	check_fails(engine_unwrap(key, wrap, size + 1, &plain, &err), &err, ERROR_DEFECT, sentence);
	check_fails(engine_unwrap(key, wrap, 0, &plain, &err), &err, ERROR_DEFECT, sentence);
	check_ok(engine_unwrap(key, wrap, size, &plain, &err), &err);
	secret_release(&plain);
	engine_key_free(key);
	engine_free(engine);
}

static void a_tampered_wrap_fails_with_one_sentence_whatever_is_wrong(void **state)
{
	run_case(*state, tampered_case);
}

static void sign_case(const struct fixture *fixture)
{
	static const char message[] = "binvault/archive\n42\n";
	uint8_t digest[ENGINE_DIGEST_SIZE], signature[ENGINE_SIGNATURE_MAX];
	struct token_public_key master, signer, seen;
	struct engine_key *key = NULL;
	struct error err = {0};
	struct engine *engine;
	EVP_MD_CTX *context;
	EVP_PKEY *public_key;
	int size;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, PIN);
	check_ok(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	engine_key_public(key, &seen);
	check(seen.size == signer.size && memcmp(seen.der, signer.der, seen.size) == 0);
	check_ok(engine_key_prove(key, &err), &err);
	check(EVP_Digest(message, sizeof(message), digest, NULL, EVP_sha256(), NULL) == 1);
	public_key = decode(&signer);
	for (int i = 0; i < 50; i++) {
		size = engine_sign_sha256(key, digest, signature, &err);
		check_ok(size, &err);
		check(size >= 68 && size <= 72);
		context = EVP_MD_CTX_new();
		check(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, public_key) == 1);
		check(EVP_DigestVerify(context, signature, (size_t)size, (const uint8_t *)message,
				       sizeof(message)) == 1);
		EVP_MD_CTX_free(context);
	}
	EVP_PKEY_free(public_key);
	engine_key_free(key);
	engine_free(engine);
}

static void what_the_token_signed_verifies_in_software(void **state)
{
	run_case(*state, sign_case);
}

static void missing_case(const struct fixture *fixture)
{
	struct token_public_key master, signer;
	struct fixture elsewhere = *fixture;
	struct engine_key *key = NULL;
	struct error err = {0};
	struct engine *engine;

	make_keys(fixture, &master, &signer);
	elsewhere.options.label = "vault02";
	engine = open_engine(&elsewhere, PIN);
	check_fails(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err,
		    ERROR_UNAVAILABLE, "from token 'vault02'");
	engine_free(engine);
}

static void a_token_that_is_not_there_is_unavailable(void **state)
{
	run_case(*state, missing_case);
}

static void other_key_case(const struct fixture *fixture)
{
	struct token_public_key master, signer;
	struct engine_key *key = NULL;
	struct error err = {0};
	struct engine *engine;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, PIN);
	check_fails(engine_key_load(engine, TOKEN_KEY_SIGN, "nothing", &key, &err), &err,
		    ERROR_UNAVAILABLE, "key 'nothing' cannot be loaded");
	check_fails(engine_key_load(engine, TOKEN_KEY_SIGN, MASTER, &key, &err), &err, ERROR_FAILED,
		    "is not an elliptic curve key");
	check_fails(engine_key_load(engine, TOKEN_KEY_UNWRAP, SIGNER, &key, &err), &err,
		    ERROR_FAILED, "is not an RSA key");
	check_ok(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	engine_key_free(key);
	engine_free(engine);
}

static void a_key_that_is_not_there_or_of_another_kind_is_a_sentence(void **state)
{
	run_case(*state, other_key_case);
}

static void wrong_pin_case(const struct fixture *fixture)
{
	struct token_public_key master, signer;
	struct engine_key *key = NULL;
	struct error err = {0};
	struct engine *engine;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, WRONG_PIN);
	check_fails(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err,
		    ERROR_REFUSED, "says that the PIN is wrong");
	check_fails(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err,
		    ERROR_REFUSED, "not tried again");
	engine_free(engine);
}

static void a_wrong_pin_is_told_from_a_missing_token(void **state)
{
	run_case(*state, wrong_pin_case);
}

static void vanish_case(const struct fixture *fixture)
{
	uint8_t digest[ENGINE_DIGEST_SIZE] = {0}, signature[ENGINE_SIGNATURE_MAX];
	struct token_public_key master, signer;
	struct engine_key *master_key = NULL, *signer_key = NULL;
	uint8_t bytes[64] = {1}, wrap[ENGINE_WRAP_MAX];
	char tokens[128], gone[128];
	struct secret plain = {0};
	struct error err = {0};
	struct engine *engine;
	size_t size;

	make_keys(fixture, &master, &signer);
	engine = open_engine(fixture, PIN);
	check_ok(engine_key_load(engine, TOKEN_KEY_UNWRAP, MASTER, &master_key, &err), &err);
	check_ok(engine_key_load(engine, TOKEN_KEY_SIGN, SIGNER, &signer_key, &err), &err);
	size = wrap_in_software(&master, bytes, sizeof(bytes), wrap, sizeof(wrap));
	snprintf(tokens, sizeof(tokens), "%s/tokens", fixture->directory);
	snprintf(gone, sizeof(gone), "%s/gone", fixture->directory);
	check(rename(tokens, gone) == 0);
	check_fails(engine_sign_sha256(signer_key, digest, signature, &err), &err,
		    ERROR_UNAVAILABLE, "the token does not sign with key");
	check_fails(engine_unwrap(master_key, wrap, size, &plain, &err), &err, ERROR_UNAVAILABLE,
		    "the token does not unwrap with key");
	engine_key_free(master_key);
	engine_key_free(signer_key);
	engine_free(engine);
}

static void a_token_that_vanishes_is_unavailable_not_a_bad_wrap(void **state)
{
	run_case(*state, vanish_case);
}

static void no_engine_case(const struct fixture *fixture)
{
	struct engine *engine = NULL;
	struct secret pin = {0};
	struct error err = {0};

	check(setenv("OPENSSL_ENGINES", "/nonexistent", 1) == 0);
	make_pin(PIN, &pin);
	check_fails(engine_open(&fixture->options, &pin, &engine, &err), &err, ERROR_USAGE,
		    "install the package libengine-pkcs11-openssl");
	secret_release(&pin);
}

static void a_missing_engine_names_its_package(void **state)
{
	run_case(*state, no_engine_case);
}

/* OpenSSL unmaps the engine at the end, with the pointers that show that nothing has leaked. */
static void keep_engine_mapped(void)
{
	const char *directory = strchr(OpenSSL_version(OPENSSL_ENGINES_DIR), '"');
	char path[256];

	assert_non_null(directory);
	snprintf(path, sizeof(path), "%.*s/pkcs11.so", (int)strcspn(directory + 1, "\""),
		 directory + 1);
	assert_non_null(dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE));
}

#define TOKEN_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOKEN_TEST(what_software_wrapped_the_token_unwraps),
		TOKEN_TEST(a_tampered_wrap_fails_with_one_sentence_whatever_is_wrong),
		TOKEN_TEST(what_the_token_signed_verifies_in_software),
		TOKEN_TEST(a_token_that_is_not_there_is_unavailable),
		TOKEN_TEST(a_key_that_is_not_there_or_of_another_kind_is_a_sentence),
		TOKEN_TEST(a_wrong_pin_is_told_from_a_missing_token),
		TOKEN_TEST(a_token_that_vanishes_is_unavailable_not_a_bad_wrap),
		TOKEN_TEST(a_missing_engine_names_its_package),
	};

	if (fixture_missing())
		return 0;
	keep_engine_mapped();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
