/* Release keys and signatures, made for a test. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "crypto/public_key.h"

static inline EVP_PKEY *release_key_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static inline size_t release_key_sign(EVP_PKEY *key, const void *message, size_t size,
				      uint8_t signature[SIGNATURE_SIZE_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_SIZE_MAX;

	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &length, message, size), 1);
	EVP_MD_CTX_free(context);
	return length;
}

/* {"keys":[…],"threshold":"K"} */
static inline size_t release_key_list(EVP_PKEY *const *keys, size_t count, int threshold,
				      char *text, size_t size)
{
	size_t length = (size_t)snprintf(text, size, "{\"keys\":[");

	for (size_t i = 0; i < count; i++) {
		char base64[BASE64_SIZE(PUBLIC_KEY_DER_MAX)];
		uint8_t *der = NULL;
		int der_size = i2d_PUBKEY(keys[i], &der);

		assert_true(der_size > 0);
		base64_encode(der, (size_t)der_size, base64);
		OPENSSL_free(der);
		length += (size_t)snprintf(text + length, size - length, "%s\"%s\"", i ? "," : "",
					   base64);
	}
	return length +
	       (size_t)snprintf(text + length, size - length, "],\"threshold\":\"%d\"}", threshold);
}
