/*
 * The token's keys in use: unwrapping and signing through OpenSSL's pkcs11 engine (the package
 * libengine-pkcs11-openssl). Opened after hsm/token.h has found the token, tried the PIN and
 * closed the module again.
 *
 * When the token vanishes (module, network, partition), nothing recovers inside the process: the
 * engine keeps dead handles through finish and init. Such a failure is ERROR_UNAVAILABLE; the
 * caller answers what it can, exits, and is started again by its supervisor with back-off.
 *
 * Owns: the engine, its PKCS#11 session, loaded keys. The engine holds its own copy of the PIN in
 * ordinary memory for as long as it is open, to log in again after a fork. One engine at a time.
 * Threads: one. The engine prints nothing and never asks anybody for a PIN.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "hsm/token.h"

#define ENGINE_DIGEST_SIZE   32	  /* SHA-256 */
#define ENGINE_SIGNATURE_MAX 160  /* ECDSA in DER: P-256 72, P-384 104 */
#define ENGINE_WRAP_MAX	     1024 /* RSA of 8192 bits */

struct engine;
struct engine_key;

/* Does not yet talk to the token. ERROR_USAGE: the engine is not installed, or @pin is no text. */
int engine_open(const struct token_options *options, const struct secret *pin,
		struct engine **ret_engine, struct error *err) MUST_CHECK;

/* After all its keys. */
void engine_free(struct engine *engine);
DEFINE_CLEANUP(engine_free, struct engine *);

/*
 * The private key with this label; the first one logs in. ERROR_REFUSED: the token said that the
 * PIN is wrong (the engine then does not ask it again). ERROR_UNAVAILABLE: token or key not there.
 * ERROR_FAILED: a key of another kind.
 */
int engine_key_load(struct engine *engine, enum token_key_kind kind, const char *label,
		    struct engine_key **ret_key, struct error *err) MUST_CHECK;
void engine_key_free(struct engine_key *key);
DEFINE_CLEANUP(engine_key_free, struct engine_key *);

/* Its public half as the engine sees it; the caller compares it with the one that is pinned. */
void engine_key_public(const struct engine_key *key, struct token_public_key *ret_key);

/*
 * That private and public half are one pair and that the token can do what we need of it: a wrap
 * made in software is unwrapped, or a signature verified in software. `init` does it for new keys.
 */
int engine_key_prove(struct engine_key *key, struct error *err) MUST_CHECK;

/*
 * RSA-OAEP, SHA-256 and MGF1-SHA-256, no label. ERROR_DEFECT, always with the same sentence and
 * nothing more, for whatever is wrong with @wrap: no oracle. To tell that from a token that is
 * away (ERROR_UNAVAILABLE) the key must then pass engine_key_prove().
 */
int engine_unwrap(struct engine_key *key, const void *wrap, size_t size, struct secret *ret_plain,
		  struct error *err) MUST_CHECK;

/*
 * ECDSA over a SHA-256 digest; returns the size of the signature, in DER. It has been verified in
 * software before it is returned: a faulty signature never leaves (it could give the key away).
 */
int engine_sign_sha256(struct engine_key *key, const uint8_t digest[static ENGINE_DIGEST_SIZE],
		       uint8_t ret_signature[static ENGINE_SIGNATURE_MAX],
		       struct error *err) MUST_CHECK;
