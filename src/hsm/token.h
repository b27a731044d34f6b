/*
 * The token, spoken to directly through its PKCS#11 module: finding it, checking it, logging in,
 * and making the key pairs that `init` needs. Keys are used through hsm/engine.h, not here.
 *
 * One process does both in this order: token_open, token_login, checks and keys, token_free, and
 * only then engine_open. So the PIN is tried once, where a wrong one has a code of its own, and the
 * module is never initialised twice.
 *
 * The token is found by label or serial number, never by slot number: slots are renumbered.
 *
 * Owns: the module's initialisation and one session (its code stays mapped). Borrows the PIN.
 * Threads: one. Durable: what a function made is in the token when it returns. Crash: a key pair
 * may be left with one half; token_key_ensure finishes it or says which half is in the way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

#define TOKEN_LABEL_SIZE      33 /* 32 bytes and a NUL */
#define TOKEN_SERIAL_SIZE     17
#define TOKEN_KEY_LABEL_SIZE  96   /* of a key's label, with its NUL */
#define TOKEN_PUBLIC_DER_MAX  1152 /* RSA of 8192 bits takes 1062 */
#define TOKEN_RSA_MODULUS_MAX 1024 /* bytes: RSA of 8192 bits */

struct token_options {
	const char *module; /* path of the PKCS#11 module */
	const char *label;  /* label or serial may be NULL, not both; if both, both must match */
	const char *serial;
};

struct token;

/*
 * Load the module, find the token, open a read-only session, check the mechanisms: each that is
 * missing is named. ERROR_USAGE: module, options or token must be changed by a person.
 * ERROR_UNAVAILABLE: no such token now; the sentence lists the labels that there are.
 */
int token_open(const struct token_options *options, struct token **ret_token,
	       struct error *err) MUST_CHECK;

/*
 * Make the first token of a module that was never initialised ours: @label, and @pin for its user
 * and for its security officer. For a token in software; one in hardware has a ceremony.
 * ERROR_NOT_FOUND: each token of the module holds something already, and is left alone.
 */
int token_initialize(const char *module, const char *label, const struct secret *pin,
		     struct error *err) MUST_CHECK;

/* Log out, close every session, finalise the module: another may then open it. */
void token_free(struct token *token);
DEFINE_CLEANUP(token_free, struct token *);

/* As the token itself says them. */
const char *token_label(const struct token *token);
const char *token_serial(const struct token *token);

/* The token's own counter of wrong PINs, as far as it tells. */
enum token_pin_state {
	TOKEN_PIN_CLEAR,     /* no wrong PIN since the last right one */
	TOKEN_PIN_COUNT_LOW, /* at least one wrong PIN */
	TOKEN_PIN_FINAL_TRY, /* one more wrong PIN locks it */
	TOKEN_PIN_LOCKED,
};

int token_pin_state(struct token *token, enum token_pin_state *ret_state,
		    struct error *err) MUST_CHECK;

/*
 * Log in as the user, with one try.
 *   ERROR_REFUSED      the token said that this PIN is wrong: never try it again. Nothing else has
 *                      this code, and after it this object does not ask the token a second time.
 *   ERROR_USAGE        the PIN was not counted: locked, not set, expired, or of a length that the
 *                      token does not take (that one is found out without asking the token)
 *   ERROR_UNAVAILABLE  the token is away
 */
int token_login(struct token *token, const struct secret *pin, struct error *err) MUST_CHECK;

/*
 * After login: ERROR_USAGE, with the label of the key, if the token holds a public or private key
 * that is neither RSA nor EC. At the first such key (Edwards, Montgomery, DSA) libp11 0.4.12, which
 * is OpenSSL's pkcs11 engine, gives up on every key of the token, and may crash later.
 */
int token_check_keys(struct token *token, struct error *err) MUST_CHECK;

/* @size bytes of the token's own random generator. */
int token_random(struct token *token, void *ret_bytes, size_t size, struct error *err) MUST_CHECK;

enum token_key_kind {
	TOKEN_KEY_UNWRAP, /* RSA-3072, decrypts and nothing else */
	TOKEN_KEY_SIGN,	  /* EC P-256, signs and nothing else */
};

struct token_public_key {
	uint8_t der[TOKEN_PUBLIC_DER_MAX]; /* SubjectPublicKeyInfo */
	size_t size;
};

/*
 * The public half of the pair with this label, after login. Both halves must be there once, with
 * one CKA_ID, the private one sensitive, not extractable and of this kind (RSA may be longer).
 * ERROR_NOT_FOUND: neither half is there. ERROR_FAILED: one half, or several, or another kind.
 * That the halves belong together is proved by engine_key_prove() (RSA: here as well).
 */
int token_key_find(struct token *token, enum token_key_kind kind, const char *label,
		   struct token_public_key *ret_key, struct error *err) MUST_CHECK;

/*
 * The same, but what is missing is made: the whole pair inside the token (1), or the public half
 * where the private one tells enough (1). 0: it was there. Never removes or changes anything.
 */
int token_key_ensure(struct token *token, enum token_key_kind kind, const char *label,
		     struct token_public_key *ret_key, struct error *err) MUST_CHECK;
