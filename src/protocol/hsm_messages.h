/*
 * Keeper (and `init`) and binvault-hsm. After the HELLOs each request has one answer, in order, or
 * a FAILURE. binvault-hsm builds what it signs itself: nobody can have it sign other bytes.
 *
 *   PROVISION        -> KEYS           only when started by `init`: finds or makes the keys
 *   KEYS (empty)     -> KEYS           public halves
 *   UNWRAP           -> UNWRAPPED      RSA-OAEP plaintext, bound to the record by the keeper
 *   LAST_SIGNED      -> SIGNED_STATE   the tree of the last checkpoint it has signed
 *   SIGN_CHECKPOINT  -> SIGNATURE      extends that tree by the leaf hashes given, stores, signs
 *   SIGN_MANIFEST    -> SIGNATURE      over the SHA-256 of a manifest body
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"
#include "ledger/tree.h"
#include "protocol/message.h"

#define HSM_LEAVES_MAX	1024 /* leaf hashes in one SIGN_CHECKPOINT */
#define HSM_ORIGIN_SIZE 64   /* "binvault/<archive uuid>" */

struct hsm_provision {
	uint8_t archive_id[16];
	uint8_t make_keys; /* 0: only find them (a lost state is replaced) */
};

struct hsm_key {
	char label[96]; /* in the token, e.g. BinvaultMasterKey_<uuid>_1 */
	uint16_t der_size;
	uint8_t der[PUBLIC_KEY_DER_MAX]; /* SubjectPublicKeyInfo */
};

struct hsm_keys {
	struct hsm_key master;
	struct hsm_key checkpoint;
	struct hsm_key manifest;
};

struct hsm_unwrap {
	uint8_t archive_id[16];
	uint32_t master_sequence;
	uint16_t wrap_size;
	uint8_t wrap[WRAP_SIZE_MAX];
};

/* The plaintext is 64 bytes: period key and SHA-256 of its record. Wiped by both sides. */
struct hsm_unwrapped {
	uint8_t bytes[64];
};

/* size 0 and stored false: nothing was ever signed here ("hsm state lost" if the archive has
 * checkpoints). */
struct hsm_signed_state {
	uint8_t stored;
	struct tree tree;
};

struct hsm_sign_checkpoint {
	char origin[HSM_ORIGIN_SIZE];
	uint64_t from_size; /* must be the size and root that were signed last */
	struct hash from_root;
	uint16_t leaf_count; /* new leaves, 0 to sign the same (size, root) again */
	struct hash leaves[HSM_LEAVES_MAX];
};

/* The body's media type is part of what is signed (DSSE's PAE): see restore/manifest.h. */
struct hsm_sign_manifest {
	struct hash pae; /* SHA-256 of the pre-authentication encoding */
};

struct hsm_signature {
	uint64_t size; /* of the checkpoint: tree size and root as signed; 0 for a manifest */
	struct hash root;
	uint16_t signature_size;
	uint8_t signature[SIGNATURE_SIZE_MAX]; /* DER */
};

int hsm_provision_send(int fd, const struct hsm_provision *m, struct error *err) MUST_CHECK;
int hsm_provision_decode(const struct message *message, struct hsm_provision *ret,
			 struct error *err) MUST_CHECK;
int hsm_keys_request_send(int fd, struct error *err) MUST_CHECK;
int hsm_keys_send(int fd, const struct hsm_keys *m, struct error *err) MUST_CHECK;
int hsm_keys_decode(const struct message *message, struct hsm_keys *ret,
		    struct error *err) MUST_CHECK;
int hsm_unwrap_send(int fd, const struct hsm_unwrap *m, struct error *err) MUST_CHECK;
int hsm_unwrap_decode(const struct message *message, struct hsm_unwrap *ret,
		      struct error *err) MUST_CHECK;
int hsm_unwrapped_send(int fd, const struct hsm_unwrapped *m, struct error *err) MUST_CHECK;
int hsm_unwrapped_decode(const struct message *message, struct hsm_unwrapped *ret,
			 struct error *err) MUST_CHECK;
int hsm_last_signed_request_send(int fd, struct error *err) MUST_CHECK;
int hsm_signed_state_send(int fd, const struct hsm_signed_state *m, struct error *err) MUST_CHECK;
int hsm_signed_state_decode(const struct message *message, struct hsm_signed_state *ret,
			    struct error *err) MUST_CHECK;
int hsm_sign_checkpoint_send(int fd, const struct hsm_sign_checkpoint *m,
			     struct error *err) MUST_CHECK;
int hsm_sign_checkpoint_decode(const struct message *message, struct hsm_sign_checkpoint *ret,
			       struct error *err) MUST_CHECK;
int hsm_sign_manifest_send(int fd, const struct hsm_sign_manifest *m, struct error *err) MUST_CHECK;
int hsm_sign_manifest_decode(const struct message *message, struct hsm_sign_manifest *ret,
			     struct error *err) MUST_CHECK;
int hsm_signature_send(int fd, const struct hsm_signature *m, struct error *err) MUST_CHECK;
int hsm_signature_decode(const struct message *message, struct hsm_signature *ret,
			 struct error *err) MUST_CHECK;
