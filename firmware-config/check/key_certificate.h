/*
 * A certificate as it lies in PK, KEK or db: whose it is, when it ends, and whether it is one that
 * a vault must not trust. The chain is not verified: Secure Boot does not do so either.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define KEY_NAME_SIZE	     256
#define KEY_FINGERPRINT_SIZE 32
#define KEY_BITS_MIN	     2048	/* RSA; what every firmware takes */
#define KEY_TEST_MARK	     "TEST KEY" /* secureboot/make-keys puts it into the common name */

struct key_certificate {
	char subject[KEY_NAME_SIZE];		   /* "CN=…,O=…", cut if it is longer */
	uint64_t end_usec;			   /* not valid from then on */
	uint8_t fingerprint[KEY_FINGERPRINT_SIZE]; /* SHA-256 of the DER */
	int bits;
	bool microsoft, test;
};

/* @der must be one certificate and nothing behind it; ERROR_DEFECT otherwise. */
int key_certificate_read(const uint8_t *der, size_t size, struct key_certificate *ret_certificate,
			 struct error *err) MUST_CHECK;
