/*
 * Checkpoints: the root of the ledger at a size, signed by the HSM, as C2SP signed notes
 * (signature type 0x02: ECDSA over SHA-256 of the text, DER; key id = first 4 bytes of SHA-256 of
 * the SubjectPublicKeyInfo). Anybody who keeps one can prove any later change before its size.
 * FORMAT.md, "Checkpoints".
 *
 * Owns: structs are plain values; keys in a ring are borrowed. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"
#include "ledger/tree.h"

#define CHECKPOINT_ORIGIN_SIZE	  64   /* "binvault/<archive uuid>" and NUL */
#define CHECKPOINT_BODY_SIZE	  192  /* text and NUL */
#define CHECKPOINT_NOTE_SIZE	  4096 /* body, blank line, signature lines; no NUL counted */
#define CHECKPOINT_SIGNATURES_MAX 8

struct checkpoint_signature {
	char name[CHECKPOINT_ORIGIN_SIZE];
	uint8_t key_id[4];
	uint16_t size;
	uint8_t bytes[SIGNATURE_SIZE_MAX];
};

struct checkpoint {
	char origin[CHECKPOINT_ORIGIN_SIZE];
	uint64_t size;
	struct hash root;
	char body[CHECKPOINT_BODY_SIZE]; /* what is signed: three lines, each with LF */
	size_t body_length;
	size_t signature_count; /* at least 1 */
	struct checkpoint_signature signatures[CHECKPOINT_SIGNATURES_MAX];
};

/* Keys that may have signed; more than one after a rotation. */
#define CHECKPOINT_KEYS_MAX 16
struct checkpoint_keys {
	size_t count;
	const struct public_key *keys[CHECKPOINT_KEYS_MAX]; /* EC */
};

/* The text that the HSM signs. Returns its length; ERROR_USAGE if @origin is no good origin. */
int checkpoint_body(const char *origin, uint64_t size, const struct hash *root,
		    char text[static CHECKPOINT_BODY_SIZE], struct error *err) MUST_CHECK;

/*
 * The signed note: @body, a blank line and one signature line, whose key name is the origin.
 * @fingerprint is SHA-256 of the signing key's SubjectPublicKeyInfo. Returns the length (a NUL
 * stands behind it).
 */
int checkpoint_compose(const char *body, const struct hash *fingerprint, const void *signature,
		       size_t signature_size, char note[static CHECKPOINT_NOTE_SIZE + 1],
		       struct error *err) MUST_CHECK;

/* ERROR_DEFECT with a sentence unless @note is exactly one note. Signatures are not verified. */
int checkpoint_decode(const char *note, size_t length, struct checkpoint *ret_checkpoint,
		      struct error *err) MUST_CHECK;

/*
 * Is it of @origin, and signed by one of @keys? Signatures of unknown keys (witnesses) are passed
 * over; one of a known key that does not verify, or no known key at all, is ERROR_DEFECT.
 */
int checkpoint_verify(const struct checkpoint *checkpoint, const char *origin,
		      const struct checkpoint_keys *keys, struct error *err) MUST_CHECK;

/* Is @tree what it says? ERROR_DEFECT if the size is the same and the root is not; ASSERTs that
 * the size is the same. */
int checkpoint_compare(const struct checkpoint *checkpoint, const struct tree *tree,
		       struct error *err) MUST_CHECK;
