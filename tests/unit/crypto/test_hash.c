#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"
#include "crypto/hash.h"

static void assert_hex(const void *bytes, size_t size, const char *expected)
{
	char text[512];

	assert_true(HEX_SIZE(size) <= sizeof(text));
	hex_encode(bytes, size, text);
	assert_string_equal(text, expected);
}

static void known_answers_of_sha256(void **state)
{
	struct hash hash;

	(void)state;
	hash_bytes("", 0, &hash);
	assert_hex(&hash, HASH_SIZE,
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_bytes("abc", 3, &hash);
	assert_hex(&hash, HASH_SIZE,
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_hasher_serves_many_hashes_in_any_pieces(void **state)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	uint8_t bytes[300];
	struct hash whole;
	struct hash pieces;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		size_t cut = size * 2 / 3;

		hash_bytes(bytes, size, &whole);
		hasher_start(hasher);
		hasher_update(hasher, bytes, cut);
		hasher_update(hasher, bytes + cut, size - cut);
		hasher_finish(hasher, &pieces);
		assert_memory_equal(&whole, &pieces, sizeof(whole));
	}
	/* begun and given up */
	hasher_start(hasher);
	hasher_update(hasher, "waste", 5);
	hasher_start(hasher);
	hasher_update(hasher, bytes, sizeof(bytes));
	hasher_finish(hasher, &pieces);
	assert_memory_equal(&whole, &pieces, sizeof(whole));
	hasher_free(NULL);
}

static void rfc_5869_test_case_3(void **state)
{
	uint8_t key[22];
	uint8_t out[42];

	(void)state;
	memset(key, 0x0b, sizeof(key));
	hash_derive(key, sizeof(key), "", 0, out, sizeof(out));
	assert_hex(out, sizeof(out),
		   "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		   "9d201395faa4b61a96c8");
}

/* RFC 5869 written down again, with HMAC as the only thing in common. */
static void derive_again(const void *key, size_t key_size, const uint8_t *info, size_t info_size,
			 uint8_t *out, size_t size)
{
	uint8_t salt[HASH_SIZE] = {0};
	uint8_t prk[HASH_SIZE];
	uint8_t block[HASH_SIZE + 256 + 1];
	size_t before = 0;

	HMAC(EVP_sha256(), salt, sizeof(salt), key, key_size, prk, NULL);
	for (uint8_t counter = 1; size > 0; counter++) {
		uint8_t t[HASH_SIZE];
		size_t take = size < HASH_SIZE ? size : HASH_SIZE;

		memcpy(block + before, info, info_size);
		block[before + info_size] = counter;
		HMAC(EVP_sha256(), prk, sizeof(prk), block, before + info_size + 1, t, NULL);
		memcpy(out, t, take);
		memcpy(block, t, HASH_SIZE);
		before = HASH_SIZE;
		out += take;
		size -= take;
	}
}

static void derivation_follows_the_rfc_for_every_info_and_size(void **state)
{
	uint8_t key[32];
	uint8_t info[200];
	uint8_t first[200];
	uint8_t second[200];

	(void)state;
	memset(key, 0x42, sizeof(key));
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = (uint8_t)i;
	for (size_t size = 1; size <= sizeof(info); size += 13) {
		hash_derive(key, sizeof(key), info, size, first, size);
		derive_again(key, sizeof(key), info, size, second, size);
		assert_memory_equal(first, second, size);
	}
	/* one bit of info, and everything is other */
	hash_derive(key, sizeof(key), info, 10, first, 32);
	info[9] ^= 1;
	hash_derive(key, sizeof(key), info, 10, second, 32);
	assert_memory_not_equal(first, second, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_of_sha256),
		cmocka_unit_test(a_hasher_serves_many_hashes_in_any_pieces),
		cmocka_unit_test(rfc_5869_test_case_3),
		cmocka_unit_test(derivation_follows_the_rfc_for_every_info_and_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
