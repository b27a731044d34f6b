#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/hex.h"
#include "crypto/aead.h"

static size_t allocation_count;

static void *counting_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocation_count++;
	return malloc(size);
}

static void *counting_realloc(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocation_count++;
	return realloc(memory, size);
}

static void counting_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* The McGrew and Viega test cases 13, 14 and 16, which the NIST took over. */
static const struct {
	const char *key, *nonce, *associated, *plaintext, *ciphertext, *tag;
} known[] = {
	{"0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static size_t unhex(const char *text, uint8_t *bytes)
{
	struct error err;

	assert_ok(hex_decode(text, bytes, strlen(text) / 2, &err), &err);
	return strlen(text) / 2;
}

static struct aead *aead_of(const uint8_t bytes[static AEAD_KEY_SIZE])
{
	struct secret key = {0};
	struct aead *aead;
	struct error err;

	assert_ok(secret_init(&key, AEAD_KEY_SIZE, &err), &err);
	memcpy(key.bytes, bytes, AEAD_KEY_SIZE);
	assert_ok(aead_new(&key, &aead, &err), &err);
	/* the key lives on in the cipher only */
	secret_release(&key);
	return aead;
}

static void known_answers_of_aes_256_gcm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t key[32], nonce[12], associated[32], plaintext[64], expected[64], tag[16];
		uint8_t out[64], out_tag[16];
		struct error err = {0};
		size_t size, associated_size;

		unhex(known[i].key, key);
		unhex(known[i].nonce, nonce);
		unhex(known[i].tag, tag);
		associated_size = unhex(known[i].associated, associated);
		size = unhex(known[i].plaintext, plaintext);
		unhex(known[i].ciphertext, expected);
		CLEANUP(aead_freep)
		struct aead *aead = aead_of(key);
		aead_seal(aead, nonce, associated, associated_size, plaintext, size, out, out_tag);
		assert_memory_equal(out, expected, size);
		assert_memory_equal(out_tag, tag, 16);
		assert_ok(aead_open(aead, nonce, associated, associated_size, expected, size, out,
				    tag, &err),
			  &err);
		assert_memory_equal(out, plaintext, size);
	}
}

struct box {
	uint8_t nonce[AEAD_NONCE_SIZE];
	uint8_t associated[20];
	uint8_t bytes[100];
	uint8_t tag[AEAD_TAG_SIZE];
};

static void any_flipped_bit_is_found_and_nothing_is_shown(void **state)
{
	static const uint8_t zeros[100];
	uint8_t key[AEAD_KEY_SIZE] = {1};
	CLEANUP(aead_freep)
	struct aead *aead = aead_of(key);
	struct box good;
	struct error err = {0};
	uint8_t out[100];

	(void)state;
	memset(&good, 7, sizeof(good));
	aead_seal(aead, good.nonce, good.associated, sizeof(good.associated), good.bytes,
		  sizeof(good.bytes), good.bytes, good.tag);
	for (size_t bit = 0; bit < sizeof(good) * 8; bit++) {
		struct box bad = good;

		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 0xff, sizeof(out));
		assert_fails(aead_open(aead, bad.nonce, bad.associated, sizeof(bad.associated),
				       bad.bytes, sizeof(bad.bytes), out, bad.tag, &err),
			     &err, ERROR_DEFECT, "authentication tag does not match");
		assert_memory_equal(out, zeros, sizeof(out));
	}
	/* in place, and the object is none the worse for it */
	assert_ok(aead_open(aead, good.nonce, good.associated, sizeof(good.associated), good.bytes,
			    sizeof(good.bytes), good.bytes, good.tag, &err),
		  &err);
	for (size_t i = 0; i < sizeof(good.bytes); i++)
		assert_int_equal(good.bytes[i], 7);
}

static void cut_bytes_or_another_key_do_not_open(void **state)
{
	uint8_t key[AEAD_KEY_SIZE] = {1};
	uint8_t other_key[AEAD_KEY_SIZE] = {2};
	CLEANUP(aead_freep)
	struct aead *aead = aead_of(key);
	CLEANUP(aead_freep)
	struct aead *other = aead_of(other_key);
	uint8_t nonce[AEAD_NONCE_SIZE] = {0};
	uint8_t bytes[64] = {0};
	uint8_t out[64];
	uint8_t tag[AEAD_TAG_SIZE];
	struct error err = {0};

	(void)state;
	aead_seal(aead, nonce, "a", 1, bytes, 64, bytes, tag);
	assert_fails(aead_open(aead, nonce, "a", 1, bytes, 63, out, tag, &err), &err, ERROR_DEFECT,
		     "does not match");
	assert_fails(aead_open(aead, nonce, NULL, 0, bytes, 64, out, tag, &err), &err, ERROR_DEFECT,
		     "does not match");
	assert_fails(aead_open(other, nonce, "a", 1, bytes, 64, out, tag, &err), &err, ERROR_DEFECT,
		     "does not match");
	assert_ok(aead_open(aead, nonce, "a", 1, bytes, 64, out, tag, &err), &err);
	aead_free(NULL);
}

static void no_call_allocates(void **state)
{
	uint8_t key[AEAD_KEY_SIZE] = {1};
	CLEANUP(aead_freep)
	struct aead *aead = aead_of(key);
	uint8_t nonce[AEAD_NONCE_SIZE] = {0};
	uint8_t bytes[4096] = {0};
	uint8_t tag[AEAD_TAG_SIZE];
	struct error err = {0};
	size_t before;

	(void)state;
	assert_true(allocation_count > 0);
	before = allocation_count;
	for (int i = 0; i < 100; i++) {
		nonce[0] = (uint8_t)i;
		aead_seal(aead, nonce, "a", 1, bytes, sizeof(bytes), bytes, tag);
		assert_ok(aead_open(aead, nonce, "a", 1, bytes, sizeof(bytes), bytes, tag, &err),
			  &err);
	}
	assert_int_equal(allocation_count, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_of_aes_256_gcm),
		cmocka_unit_test(any_flipped_bit_is_found_and_nothing_is_shown),
		cmocka_unit_test(cut_bytes_or_another_key_do_not_open),
		cmocka_unit_test(no_call_allocates),
	};

	CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
