#include "unit/cmocka_prelude.h"

#include <fcntl.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "hsm/token.h"
#include "unit/hsm/token_fixture.h"

#define MASTER "BinvaultMasterKey_6f0c_1"
#define SIGNER "BinvaultCheckpointKey_6f0c_1"

static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

static struct token *logged_in(const struct fixture *fixture)
{
	struct token *token = NULL;
	struct secret pin = {0};
	struct error err = {0};

	make_secret(PIN, &pin);
	assert_ok(token_open(&fixture->options, &token, &err), &err);
	assert_ok(token_login(token, &pin, &err), &err);
	secret_release(&pin);
	return token;
}

static EVP_PKEY *decode(const struct token_public_key *key)
{
	const unsigned char *end = key->der;
	EVP_PKEY *decoded = d2i_PUBKEY(NULL, &end, (long)key->size);

	assert_non_null(decoded);
	assert_ptr_equal(end, key->der + key->size);
	return decoded;
}

static void assert_same_key(const struct token_public_key *one, const struct token_public_key *two)
{
	assert_int_equal(one->size, two->size);
	assert_memory_equal(one->der, two->der, one->size);
}

static void assert_flag(const struct raw *raw, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
			CK_BBOOL expected)
{
	CK_BBOOL value = 2;
	CK_ATTRIBUTE attribute = {type, &value, sizeof(value)};

	assert_int_equal(raw->functions->C_GetAttributeValue(raw->session, object, &attribute, 1),
			 CKR_OK);
	assert_int_equal(value, expected);
}

static void a_pair_is_made_once_and_found_ever_after(void **state)
{
	struct token_public_key made = {0}, again = {0}, found = {0};
	struct token *token = logged_in(*state);
	struct error err = {0};
	EVP_PKEY *key;

	assert_fails(token_key_find(token, TOKEN_KEY_UNWRAP, MASTER, &made, &err), &err,
		     ERROR_NOT_FOUND, "holds no key pair '" MASTER "'");
	assert_int_equal(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &made, &err), 1);
	assert_int_equal(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &again, &err), 0);
	assert_same_key(&made, &again);
	token_free(token);
	token = logged_in(*state);
	assert_ok(token_key_find(token, TOKEN_KEY_UNWRAP, MASTER, &found, &err), &err);
	assert_same_key(&made, &found);
	assert_int_equal(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &made, &err), 1);
	assert_ok(token_key_find(token, TOKEN_KEY_SIGN, SIGNER, &again, &err), &err);
	assert_same_key(&made, &again);
	assert_ok(token_check_keys(token, &err), &err);
	token_free(token);

	key = decode(&found);
	assert_int_equal(EVP_PKEY_get_base_id(key), EVP_PKEY_RSA);
	assert_int_equal(EVP_PKEY_get_bits(key), 3072);
	EVP_PKEY_free(key);
	key = decode(&made);
	assert_int_equal(EVP_PKEY_get_base_id(key), EVP_PKEY_EC);
	assert_int_equal(EVP_PKEY_get_bits(key), 256);
	EVP_PKEY_free(key);
}

static void a_private_key_does_one_thing_and_never_leaves(void **state)
{
	struct token_public_key key;
	struct token *token = logged_in(*state);
	struct error err = {0};
	CK_OBJECT_HANDLE object;
	struct raw raw;

	assert_ok(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err);
	assert_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	token_free(token);
	raw = raw_open(TOKEN_LABEL);
	object = raw_find(&raw, CKO_PRIVATE_KEY, MASTER);
	assert_flag(&raw, object, CKA_SENSITIVE, CK_TRUE);
	assert_flag(&raw, object, CKA_ALWAYS_SENSITIVE, CK_TRUE);
	assert_flag(&raw, object, CKA_EXTRACTABLE, CK_FALSE);
	assert_flag(&raw, object, CKA_NEVER_EXTRACTABLE, CK_TRUE);
	assert_flag(&raw, object, CKA_DECRYPT, CK_TRUE);
	assert_flag(&raw, object, CKA_SIGN, CK_FALSE);
	assert_flag(&raw, object, CKA_UNWRAP, CK_FALSE);
	object = raw_find(&raw, CKO_PRIVATE_KEY, SIGNER);
	assert_flag(&raw, object, CKA_SENSITIVE, CK_TRUE);
	assert_flag(&raw, object, CKA_NEVER_EXTRACTABLE, CK_TRUE);
	assert_flag(&raw, object, CKA_SIGN, CK_TRUE);
	assert_flag(&raw, object, CKA_DERIVE, CK_FALSE);
	raw_close(&raw);
}

static void each_pair_has_an_id_of_its_own(void **state)
{
	struct token *token = logged_in(*state);
	struct token_public_key key;
	struct error err = {0};
	uint8_t ids[2][64] = {{0}};
	CK_ATTRIBUTE attribute = {CKA_ID, ids[0], sizeof(ids[0])};
	struct raw raw;

	assert_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	assert_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER "b", &key, &err), &err);
	token_free(token);
	raw = raw_open(TOKEN_LABEL);
	for (int i = 0; i < 2; i++) {
		attribute = (CK_ATTRIBUTE){CKA_ID, ids[i], sizeof(ids[i])};
		assert_int_equal(raw.functions->C_GetAttributeValue(
					 raw.session,
					 raw_find(&raw, CKO_PRIVATE_KEY, i ? SIGNER "b" : SIGNER),
					 &attribute, 1),
				 CKR_OK);
		assert_int_equal(attribute.ulValueLen, 16);
	}
	raw_close(&raw);
	assert_memory_not_equal(ids[0], ids[1], 16);
}

static void a_lost_public_half_of_rsa_is_stored_again(void **state)
{
	struct token_public_key made = {0}, found = {0};
	struct token *token = logged_in(*state);
	struct error err = {0};

	assert_int_equal(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &made, &err), 1);
	token_free(token);
	raw_destroy(CKO_PUBLIC_KEY, MASTER);
	token = logged_in(*state);
	assert_fails_discreetly(token_key_find(token, TOKEN_KEY_UNWRAP, MASTER, &found, &err), &err,
				ERROR_FAILED, "holds only the private half");
	assert_int_equal(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &found, &err), 1);
	assert_same_key(&made, &found);
	assert_int_equal(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &found, &err), 0);
	token_free(token);
}

static void a_missing_half_that_cannot_be_made_again_is_a_sentence(void **state)
{
	struct token_public_key key = {0};
	struct token *token = logged_in(*state);
	struct error err = {0};

	assert_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	assert_ok(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err);
	token_free(token);
	raw_destroy(CKO_PUBLIC_KEY, SIGNER);
	raw_destroy(CKO_PRIVATE_KEY, MASTER);
	token = logged_in(*state);
	assert_fails_discreetly(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err,
				ERROR_FAILED, "holds only the private half of the key pair");
	assert_non_null(strstr(err.message, "--type privkey --label '" SIGNER "'"));
	assert_fails_discreetly(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err,
				ERROR_FAILED, "holds only the public half of the key pair");
	assert_non_null(strstr(err.message, "--type pubkey --label '" MASTER "'"));
	token_free(token);
}

static void two_keys_with_one_label_are_refused(void **state)
{
	struct token_public_key key = {0};
	struct token *token;
	struct error err = {0};

	assert_int_equal(raw_generate(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), SIGNER, "1", true),
			 CKR_OK);
	assert_int_equal(raw_generate(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), SIGNER, "1", true),
			 CKR_OK);
	token = logged_in(*state);
	assert_fails(token_key_find(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err, ERROR_FAILED,
		     "several private keys with the label '" SIGNER "'");
	token_free(token);
}

static void a_key_of_another_kind_is_refused(void **state)
{
	struct token_public_key key = {0};
	struct token *token = logged_in(*state);
	struct error err = {0};

	assert_ok(token_key_ensure(token, TOKEN_KEY_SIGN, SIGNER, &key, &err), &err);
	assert_fails(token_key_ensure(token, TOKEN_KEY_UNWRAP, SIGNER, &key, &err), &err,
		     ERROR_FAILED, "is not an RSA key");
	token_free(token);
	assert_int_equal(raw_generate(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), "no id", NULL, true),
			 CKR_OK);
	assert_int_equal(raw_generate(CKM_EC_KEY_PAIR_GEN, p384, sizeof(p384), "large", "1", true),
			 CKR_OK);
	assert_int_equal(raw_generate(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), "open", "2", false),
			 CKR_OK);
	token = logged_in(*state);
	assert_fails(token_key_find(token, TOKEN_KEY_SIGN, "no id", &key, &err), &err, ERROR_FAILED,
		     "has no CKA_ID");
	assert_fails(token_key_find(token, TOKEN_KEY_SIGN, "large", &key, &err), &err, ERROR_FAILED,
		     "is not on the curve P-256");
	assert_fails(token_key_find(token, TOKEN_KEY_SIGN, "open", &key, &err), &err, ERROR_FAILED,
		     "is not marked sensitive; it must not be used");
	token_free(token);
}

/* Somebody with the PIN swaps the public half for one whose private half he has. */
static void a_planted_public_half_is_refused(void **state)
{
	struct token_public_key key = {0};
	struct token *token = logged_in(*state);
	struct error err = {0};
	struct raw raw;
	uint8_t id[16], modulus[384], exponent[] = {1, 0, 1};
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		{CKA_ID, id, sizeof(id)},
		{CKA_MODULUS, modulus, sizeof(modulus)},
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_LABEL, (char *)MASTER, strlen(MASTER)},
		{CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)},
	};
	CK_OBJECT_HANDLE object;

	assert_ok(token_key_ensure(token, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err);
	token_free(token);
	raw = raw_open(TOKEN_LABEL);
	object = raw_find(&raw, CKO_PUBLIC_KEY, MASTER);
	assert_int_equal(raw.functions->C_GetAttributeValue(raw.session, object, template, 2),
			 CKR_OK);
	assert_int_equal(raw.functions->C_DestroyObject(raw.session, object), CKR_OK);
	modulus[100] ^= 1;
	assert_int_equal(raw.functions->C_CreateObject(raw.session, template, 7, &object), CKR_OK);
	raw_close(&raw);
	token = logged_in(*state);
	assert_fails(token_key_find(token, TOKEN_KEY_UNWRAP, MASTER, &key, &err), &err,
		     ERROR_FAILED, "different moduli");
	token_free(token);
}

#define TOKEN_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOKEN_TEST(a_pair_is_made_once_and_found_ever_after),
		TOKEN_TEST(a_private_key_does_one_thing_and_never_leaves),
		TOKEN_TEST(each_pair_has_an_id_of_its_own),
		TOKEN_TEST(a_lost_public_half_of_rsa_is_stored_again),
		TOKEN_TEST(a_missing_half_that_cannot_be_made_again_is_a_sentence),
		TOKEN_TEST(two_keys_with_one_label_are_refused),
		TOKEN_TEST(a_key_of_another_kind_is_refused),
		TOKEN_TEST(a_planted_public_half_is_refused),
	};

	if (fixture_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
