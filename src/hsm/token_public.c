#include "hsm/token_public.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "hsm/openssl_queue.h"

#define RSA_BITS_MIN	3072
#define P256_POINT_SIZE 65 /* 0x04, x, y */

DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *);
DEFINE_CLEANUP(EVP_PKEY_CTX_free, EVP_PKEY_CTX *);
DEFINE_CLEANUP(OSSL_PARAM_BLD_free, OSSL_PARAM_BLD *);
DEFINE_CLEANUP(OSSL_PARAM_free, OSSL_PARAM *);
DEFINE_CLEANUP(BN_free, BIGNUM *);

/* The key that @parameters describe, checked (an EC point must lie on its curve), as DER. */
static int public_to_der(const char *algorithm, OSSL_PARAM *parameters,
			 struct token_public_key *ret_key, struct error *err)
{
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *maker = NULL;
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *checker = NULL;
	CLEANUP(EVP_PKEY_freep)
	EVP_PKEY *key = NULL;
	unsigned char *end;
	int size;

	maker = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	if (!maker || EVP_PKEY_fromdata_init(maker) <= 0 ||
	    EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
		return openssl_queue_error(err, ERROR_FAILED, "the public half is not a key");
	checker = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!checker || EVP_PKEY_public_check(checker) <= 0)
		return openssl_queue_error(err, ERROR_FAILED, "the public half is not a good key");
	size = i2d_PUBKEY(key, NULL);
	if (size <= 0 || (size_t)size > sizeof(ret_key->der))
		return openssl_queue_error(err, ERROR_FAILED, "the public half is too large");
	end = ret_key->der;
	size = i2d_PUBKEY(key, &end);
	ASSERT(size > 0 && end == ret_key->der + size);
	ret_key->size = (size_t)size;
	return 0;
}

int token_public_rsa(const uint8_t *modulus, size_t modulus_size, const uint8_t *exponent,
		     size_t exponent_size, struct token_public_key *ret_key, struct error *err)
{
	CLEANUP(OSSL_PARAM_BLD_freep)
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	CLEANUP(OSSL_PARAM_freep)
	OSSL_PARAM *parameters = NULL;
	CLEANUP(BN_freep)
	BIGNUM *n = NULL;
	CLEANUP(BN_freep)
	BIGNUM *e = NULL;

	if (modulus_size > TOKEN_RSA_MODULUS_MAX || exponent_size > 8)
		return error_set(err, ERROR_FAILED, "the RSA key is larger than 8192 bits");
	n = BN_bin2bn(modulus, (int)modulus_size, NULL);
	e = BN_bin2bn(exponent, (int)exponent_size, NULL);
	if (!builder || !n || !e)
		return error_set(err, ERROR_FAILED, "out of memory");
	if (BN_num_bits(n) < RSA_BITS_MIN)
		return error_set(err, ERROR_FAILED, "the RSA key has %d bits, fewer than %d",
				 BN_num_bits(n), RSA_BITS_MIN);
	if (!OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) ||
	    !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
		return openssl_queue_error(err, ERROR_FAILED, "the RSA key");
	parameters = OSSL_PARAM_BLD_to_param(builder);
	if (!parameters)
		return openssl_queue_error(err, ERROR_FAILED, "the RSA key");
	return public_to_der("RSA", parameters, ret_key, err);
}

int token_public_ec(const uint8_t *point, size_t size, struct token_public_key *ret_key,
		    struct error *err)
{
	uint8_t bytes[P256_POINT_SIZE];
	char group[] = "P-256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes)),
		OSSL_PARAM_END,
	};

	/* OCTET STRING of 65 bytes. Sizes differ, so the tag 0x04 is not taken for the point's. */
	if (size == P256_POINT_SIZE + 2 && point[0] == 0x04 && point[1] == P256_POINT_SIZE) {
		point += 2;
		size -= 2;
	}
	if (size != P256_POINT_SIZE || point[0] != 0x04)
		return error_set(err, ERROR_FAILED,
				 "its point is not an uncompressed P-256 point (%zu bytes)", size);
	memcpy(bytes, point, sizeof(bytes));
	return public_to_der("EC", parameters, ret_key, err);
}
