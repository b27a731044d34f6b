#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/public_key.h"

struct keys {
	EVP_PKEY *rsa;
	EVP_PKEY *p256;
	EVP_PKEY *p384;
};

static int setup(void **state)
{
	struct keys *keys = calloc(1, sizeof(*keys));

	assert_non_null(keys);
	keys->rsa = EVP_RSA_gen(3072);
	keys->p256 = EVP_EC_gen("P-256");
	keys->p384 = EVP_EC_gen("P-384");
	assert_true(keys->rsa && keys->p256 && keys->p384);
	*state = keys;
	return 0;
}

static int teardown(void **state)
{
	struct keys *keys = *state;

	EVP_PKEY_free(keys->rsa);
	EVP_PKEY_free(keys->p256);
	EVP_PKEY_free(keys->p384);
	free(keys);
	return 0;
}

/* The DER of the public half into @der (2 KiB). */
static size_t der_of(EVP_PKEY *key, uint8_t *der)
{
	unsigned char *made = NULL;
	int size = i2d_PUBKEY(key, &made);

	assert_in_range(size, 1, 2048);
	memcpy(der, made, (size_t)size);
	OPENSSL_free(made);
	return (size_t)size;
}

static struct public_key *decode(EVP_PKEY *key)
{
	uint8_t der[2048];
	size_t size = der_of(key, der);
	struct public_key *decoded = NULL;
	struct error err = {0};

	assert_ok(public_key_decode(der, size, &decoded, &err), &err);
	return decoded;
}

static void accepted_kinds_are_known_by_kind_and_fingerprint(void **state)
{
	struct keys *keys = *state;
	EVP_PKEY *all[] = {keys->rsa, keys->p256, keys->p384};

	for (int i = 0; i < 3; i++) {
		CLEANUP(public_key_freep)
		struct public_key *key = decode(all[i]);
		struct hash expected;
		struct hash fingerprint;
		uint8_t der[2048];

		hash_bytes(der, der_of(all[i], der), &expected);
		public_key_fingerprint(key, &fingerprint);
		assert_memory_equal(&fingerprint, &expected, sizeof(expected));
		assert_int_equal(public_key_kind(key), i == 0 ? PUBLIC_KEY_RSA : PUBLIC_KEY_EC);
	}
	public_key_free(NULL);
}

static void assert_refused(EVP_PKEY *key, const char *words)
{
	uint8_t der[2048];
	size_t size = der_of(key, der);
	struct public_key *decoded = NULL;
	struct error err = {0};

	assert_fails(public_key_decode(der, size, &decoded, &err), &err, ERROR_DEFECT, words);
	assert_null(decoded);
	EVP_PKEY_free(key);
}

static EVP_PKEY *explicit_p256(void)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1), 1);
	assert_int_equal(EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE), 1);
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *rsa_pss(void)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 1024), 1);
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

static void other_keys_are_refused(void **state)
{
	(void)state;
	assert_refused(EVP_RSA_gen(2048), "an RSA key of 2048 bits: 3072 to 8192 are accepted");
	assert_refused(EVP_EC_gen("P-521"), "not on P-256 or P-384");
	assert_refused(EVP_EC_gen("secp256k1"), "not on P-256 or P-384");
	assert_refused(explicit_p256(), "not on P-256 or P-384");
	assert_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "neither an RSA nor");
	assert_refused(rsa_pss(), "neither an RSA nor");
}

static void only_one_whole_der_encoding_is_a_key(void **state)
{
	struct keys *keys = *state;
	uint8_t der[2048];
	uint8_t bad[2048];
	size_t size = der_of(keys->p256, der);
	struct public_key *key;
	struct error err = {0};

	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(public_key_decode(der, cut, &key, &err), ERROR_DEFECT);
	memcpy(bad, der, size);
	bad[size] = 0;
	assert_fails(public_key_decode(bad, size + 1, &key, &err), &err, ERROR_DEFECT,
		     "bytes behind a public key");
	/* the same key with a length in the long form */
	assert_int_equal(der[1], size - 2);
	bad[0] = der[0];
	bad[1] = 0x81;
	memcpy(bad + 2, der + 1, size - 1);
	assert_fails(public_key_decode(bad, size + 1, &key, &err), &err, ERROR_DEFECT,
		     "not in DER");
	/* a point that is not on the curve */
	memcpy(bad, der, size);
	bad[size - 1] ^= 1;
	assert_fails(public_key_decode(bad, size, &key, &err), &err, ERROR_DEFECT,
		     "not a public key");
	memset(bad, 0x30, sizeof(bad));
	assert_fails(public_key_decode(bad, sizeof(bad), &key, &err), &err, ERROR_DEFECT,
		     "a public key of 2048 bytes: 1 to 1152");
}

/* A random odd number without a small factor passes for a modulus. */
static EVP_PKEY *rsa_with_random_modulus(int bits)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *modulus = BN_new();
	BIGNUM *exponent = BN_new();
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	BN_rand(modulus, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_set_word(exponent, 65537);
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus);
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
	params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_fromdata_init(context);
	assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

static void the_largest_rsa_key_fits(void **state)
{
	int r = ERROR_DEFECT;

	(void)state;
	for (int i = 0; i < 300 && r < 0; i++) {
		struct public_key *key = NULL;
		struct error err = {0};
		uint8_t wrap[WRAP_SIZE_MAX];
		uint8_t der[2048];
		EVP_PKEY *made = rsa_with_random_modulus(8192);
		size_t size = der_of(made, der);

		assert_true(size <= PUBLIC_KEY_DER_MAX);
		r = public_key_decode(der, size, &key, &err);
		if (r == 0)
			assert_int_equal(public_key_wrap(key, "x", 1, wrap, &err), WRAP_SIZE_MAX);
		public_key_free(key);
		EVP_PKEY_free(made);
	}
	assert_int_equal(r, 0);
}

static int unwrap(EVP_PKEY *private_key, const char *digest, const uint8_t *wrap, size_t wrap_size,
		  uint8_t *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(private_key, NULL);
	size_t size = WRAP_SIZE_MAX;
	int r;

	assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
	EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md_name(context, digest, NULL);
	EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, digest, NULL);
	r = EVP_PKEY_decrypt(context, out, &size, wrap, wrap_size);
	EVP_PKEY_CTX_free(context);
	return r == 1 ? (int)size : -1;
}

static void only_the_private_half_unwraps(void **state)
{
	struct keys *keys = *state;
	CLEANUP(public_key_freep)
	struct public_key *rsa = decode(keys->rsa);
	CLEANUP(public_key_freep)
	struct public_key *ec = decode(keys->p256);
	uint8_t first[WRAP_SIZE_MAX];
	uint8_t second[WRAP_SIZE_MAX];
	uint8_t out[WRAP_SIZE_MAX];
	struct error err = {0};

	assert_int_equal(public_key_wrap(rsa, "thirty-two bytes of a period key", 32, first, &err),
			 384);
	assert_int_equal(public_key_wrap(rsa, "thirty-two bytes of a period key", 32, second, &err),
			 384);
	assert_memory_not_equal(first, second, 384);
	assert_int_equal(unwrap(keys->rsa, "SHA2-256", first, 384, out), 32);
	assert_memory_equal(out, "thirty-two bytes of a period key", 32);
	assert_int_equal(unwrap(keys->rsa, "SHA1", first, 384, out), -1);
	first[100] ^= 1;
	assert_int_equal(unwrap(keys->rsa, "SHA2-256", first, 384, out), -1);
	assert_fails(public_key_wrap(rsa, out, 384, first, &err), &err, ERROR_FAILED,
		     "wrapping 384 bytes with RSA-OAEP: ");
	assert_fails(public_key_wrap(ec, "x", 1, first, &err), &err, ERROR_USAGE,
		     "this is an elliptic curve key");
}

static size_t sign(EVP_PKEY *key, const char *digest, const char *message, uint8_t *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = SIGNATURE_SIZE_MAX;

	assert_int_equal(EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, (const uint8_t *)message,
					strlen(message)),
			 1);
	EVP_MD_CTX_free(context);
	return size;
}

static void a_signature_holds_for_its_message_and_key_only(void **state)
{
	struct keys *keys = *state;
	EVP_PKEY *both[] = {keys->p256, keys->p384};

	for (int i = 0; i < 2; i++) {
		CLEANUP(public_key_freep)
		struct public_key *key = decode(both[i]);
		CLEANUP(public_key_freep)
		struct public_key *other = decode(both[1 - i]);
		uint8_t signature[SIGNATURE_SIZE_MAX];
		struct error err = {0};
		size_t size = sign(both[i], "SHA2-256", "size and root", signature);

		assert_ok(public_key_verify(key, "size and root", 13, signature, size, &err), &err);
		assert_fails(public_key_verify(key, "size and rope", 13, signature, size, &err),
			     &err, ERROR_DEFECT, "signature does not match");
		assert_fails(public_key_verify(other, "size and root", 13, signature, size, &err),
			     &err, ERROR_DEFECT, "signature does not match");
		assert_fails(public_key_verify(key, "size and root", 13, signature, size - 1, &err),
			     &err, ERROR_DEFECT, "signature does not match");
		for (size_t at = 0; at < size; at++) {
			signature[at] ^= 1;
			assert_int_equal(
				public_key_verify(key, "size and root", 13, signature, size, &err),
				ERROR_DEFECT);
			signature[at] ^= 1;
		}
		/* a longer hash is another signature type */
		size = sign(both[i], "SHA2-384", "size and root", signature);
		assert_fails(public_key_verify(key, "size and root", 13, signature, size, &err),
			     &err, ERROR_DEFECT, "signature does not match");
		assert_fails(public_key_verify(key, "", 0, signature, 0, &err), &err, ERROR_DEFECT,
			     "a signature of 0 bytes");
	}
}

static void an_rsa_key_verifies_nothing(void **state)
{
	struct keys *keys = *state;
	CLEANUP(public_key_freep)
	struct public_key *rsa = decode(keys->rsa);
	struct error err = {0};

	assert_fails(public_key_verify(rsa, "m", 1, "s", 1, &err), &err, ERROR_USAGE,
		     "this is an RSA key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_kinds_are_known_by_kind_and_fingerprint),
		cmocka_unit_test(other_keys_are_refused),
		cmocka_unit_test(only_one_whole_der_encoding_is_a_key),
		cmocka_unit_test(the_largest_rsa_key_fits),
		cmocka_unit_test(only_the_private_half_unwraps),
		cmocka_unit_test(a_signature_holds_for_its_message_and_key_only),
		cmocka_unit_test(an_rsa_key_verifies_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
