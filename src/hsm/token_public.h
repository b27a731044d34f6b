/*
 * The public half of a token's key as SubjectPublicKeyInfo, from the attributes that PKCS#11 has
 * for it. Attributes are data from outside: ERROR_FAILED for what is not a key we use.
 */
#pragma once

#include "hsm/token.h"

/* CKA_MODULUS and CKA_PUBLIC_EXPONENT, big-endian. RSA of 3072 to 8192 bits. */
int token_public_rsa(const uint8_t *modulus, size_t modulus_size, const uint8_t *exponent,
		     size_t exponent_size, struct token_public_key *ret_key,
		     struct error *err) MUST_CHECK;

/* CKA_EC_POINT of a P-256 key: an OCTET STRING in DER; some modules give the point bare. */
int token_public_ec(const uint8_t *point, size_t size, struct token_public_key *ret_key,
		    struct error *err) MUST_CHECK;
