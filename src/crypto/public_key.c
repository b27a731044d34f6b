#include "crypto/public_key.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/openssl_error.h"

#define RSA_BITS_MIN 3072
#define RSA_BITS_MAX (WRAP_SIZE_MAX * 8)

struct public_key {
	EVP_PKEY *key;
	enum public_key_kind kind;
	struct hash fingerprint;
};

/* One accepted kind, with the sizes and curves that real HSMs have? */
static int check_kind(const EVP_PKEY *key, enum public_key_kind *ret_kind, struct error *err)
{
	char curve[64] = "";
	int is_explicit = 0;

	if (EVP_PKEY_is_a(key, "RSA")) {
		int bits = EVP_PKEY_get_bits(key);

		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return error_set(err, ERROR_DEFECT,
					 "an RSA key of %d bits: %d to %d are accepted", bits,
					 RSA_BITS_MIN, RSA_BITS_MAX);
		*ret_kind = PUBLIC_KEY_RSA;
		return 0;
	}
	if (!EVP_PKEY_is_a(key, "EC"))
		return error_set(err, ERROR_DEFECT,
				 "neither an RSA nor an elliptic curve public key");
	/* explicit parameters can look like a known curve and have another generator */
	if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				   &is_explicit) != 1 ||
	    is_explicit ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve),
					   NULL) != 1 ||
	    (strcmp(curve, "prime256v1") != 0 && strcmp(curve, "secp384r1") != 0))
		return openssl_error(err, ERROR_DEFECT,
				     "an elliptic curve key that is not on P-256 or P-384");
	*ret_kind = PUBLIC_KEY_EC;
	return 0;
}

/* The number is a possible key: a point on the curve, a modulus that is composite and odd. */
static int check_value(EVP_PKEY *key, struct error *err)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	int r;

	ASSERT(context);
	r = EVP_PKEY_public_check(context);
	EVP_PKEY_CTX_free(context);
	return r == 1 ? 0 : openssl_error(err, ERROR_DEFECT, "a public key that cannot be one");
}

/* One key has one encoding, else it would have several fingerprints. */
static int check_encoding(const EVP_PKEY *key, const void *der, size_t size, struct error *err)
{
	unsigned char *again = NULL;
	int length = i2d_PUBKEY(key, &again);
	bool same = length >= 0 && (size_t)length == size && memcmp(again, der, size) == 0;

	OPENSSL_free(again);
	return same ? 0 : openssl_error(err, ERROR_DEFECT, "a public key that is not in DER");
}

int public_key_decode(const void *der, size_t size, struct public_key **ret_key, struct error *err)
{
	const unsigned char *at = der;
	struct public_key *key;
	int r;

	if (size == 0 || size > PUBLIC_KEY_DER_MAX)
		return error_set(err, ERROR_DEFECT,
				 "a public key of %zu bytes: 1 to %d are possible", size,
				 PUBLIC_KEY_DER_MAX);
	key = calloc(1, sizeof(*key));
	ASSERT(key);
	key->key = d2i_PUBKEY(NULL, &at, (long)size);
	if (!key->key)
		r = openssl_error(err, ERROR_DEFECT, "not a public key (SubjectPublicKeyInfo)");
	else if (at != (const unsigned char *)der + size)
		r = error_set(err, ERROR_DEFECT, "bytes behind a public key");
	else
		r = check_kind(key->key, &key->kind, err);
	if (r == 0)
		r = check_encoding(key->key, der, size, err);
	if (r == 0)
		r = check_value(key->key, err);
	if (r < 0) {
		public_key_free(key);
		return r;
	}
	hash_bytes(der, size, &key->fingerprint);
	*ret_key = key;
	return 0;
}

void public_key_free(struct public_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

enum public_key_kind public_key_kind(const struct public_key *key)
{
	return key->kind;
}

void public_key_fingerprint(const struct public_key *key, struct hash *ret_fingerprint)
{
	*ret_fingerprint = key->fingerprint;
}

int public_key_wrap(const struct public_key *key, const void *bytes, size_t size,
		    uint8_t wrap[static WRAP_SIZE_MAX], struct error *err)
{
	EVP_PKEY_CTX *context;
	size_t wrap_size = WRAP_SIZE_MAX;
	int r;

	if (key->kind != PUBLIC_KEY_RSA)
		return error_set(err, ERROR_USAGE,
				 "keys are wrapped by an RSA key, and this is an elliptic curve "
				 "key");
	context = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
	ASSERT(context);
	r = EVP_PKEY_encrypt_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md_name(context, "SHA2-256", NULL) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, "SHA2-256", NULL) == 1 &&
	    EVP_PKEY_encrypt(context, wrap, &wrap_size, bytes, size) == 1;
	EVP_PKEY_CTX_free(context);
	if (!r)
		return openssl_error(err, ERROR_FAILED, "wrapping %zu bytes with RSA-OAEP", size);
	return (int)wrap_size;
}

int public_key_verify(const struct public_key *key, const void *message, size_t message_size,
		      const void *signature, size_t signature_size, struct error *err)
{
	EVP_MD_CTX *context;
	int r;

	if (key->kind != PUBLIC_KEY_EC)
		return error_set(err, ERROR_USAGE,
				 "signatures are checked with an elliptic curve key, and this is "
				 "an RSA key");
	if (signature_size == 0 || signature_size > SIGNATURE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT,
				 "a signature of %zu bytes: 1 to %d are possible", signature_size,
				 SIGNATURE_SIZE_MAX);
	context = EVP_MD_CTX_new();
	ASSERT(context);
	r = EVP_DigestVerifyInit_ex(context, NULL, "SHA2-256", NULL, NULL, key->key, NULL);
	ASSERT(r == 1);
	r = EVP_DigestVerify(context, signature, signature_size, message, message_size);
	EVP_MD_CTX_free(context);
	return r == 1 ? 0 : openssl_error(err, ERROR_DEFECT, "signature does not match");
}
