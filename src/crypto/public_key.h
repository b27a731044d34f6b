/*
 * Public halves of the HSM's keys, in software: wrapping and verifying never need the HSM.
 *
 * A key travels as SubjectPublicKeyInfo in DER. Only RSA of 3072 bits and more, and EC P-256 and
 * P-384, are accepted: what real HSMs share.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define PUBLIC_KEY_DER_MAX 1152 /* RSA of 8192 bits takes 1062 */
#define WRAP_SIZE_MAX	   1024 /* RSA of 8192 bits */
#define SIGNATURE_SIZE_MAX 160	/* ECDSA P-384 in DER is at most 104 */

enum public_key_kind { PUBLIC_KEY_RSA, PUBLIC_KEY_EC };

struct public_key;

/* ERROR_DEFECT for anything that is not one whole key of an accepted kind. */
int public_key_decode(const void *der, size_t size, struct public_key **ret_key,
		      struct error *err) MUST_CHECK;
void public_key_free(struct public_key *key);
DEFINE_CLEANUP(public_key_free, struct public_key *);
enum public_key_kind public_key_kind(const struct public_key *key);

/* SHA-256 of the DER: how a key is named in leaves; its first 4 bytes are the C2SP key id 0x02. */
void public_key_fingerprint(const struct public_key *key, struct hash *ret_fingerprint);

/* RSA-OAEP, SHA-256 and MGF1-SHA-256, no label. Returns the size of the wrap. */
int public_key_wrap(const struct public_key *key, const void *bytes, size_t size,
		    uint8_t wrap[static WRAP_SIZE_MAX], struct error *err) MUST_CHECK;

/* ECDSA over SHA-256 of the message (for P-384 as well: C2SP signature type 0x02), DER. */
int public_key_verify(const struct public_key *key, const void *message, size_t message_size,
		      const void *signature, size_t signature_size, struct error *err) MUST_CHECK;
