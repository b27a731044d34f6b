/*
 * AES-256-GCM with a 96-bit nonce and a 128-bit tag; one object per key, no allocation per call.
 *
 * Owns: the expanded key, in the library's memory; wiped by aead_free(). The nonce is the caller's
 * promise: never twice under one key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

#define AEAD_KEY_SIZE	32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE	16

struct aead;

int aead_new(const struct secret *key, struct aead **ret_aead, struct error *err) MUST_CHECK;
void aead_free(struct aead *aead);
DEFINE_CLEANUP(aead_free, struct aead *);

/* @ciphertext holds @size bytes and may be @plaintext. */
void aead_seal(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE],
	       const void *associated, size_t associated_size, const void *plaintext, size_t size,
	       void *ciphertext, uint8_t ret_tag[static AEAD_TAG_SIZE]);

/* ERROR_DEFECT "authentication tag does not match"; @plaintext is wiped then. */
int aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE],
	      const void *associated, size_t associated_size, const void *ciphertext, size_t size,
	      void *plaintext, const uint8_t tag[static AEAD_TAG_SIZE],
	      struct error *err) MUST_CHECK;
