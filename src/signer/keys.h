/*
 * The token as binvault-hsm uses it, from the PIN to a signature: hsm/ in the one order that works.
 *
 *     keys_open     PIN, token, login record, login, no foreign keys in the token
 *     keys_find     the three pairs of an archive, found or made; any number of times
 *     keys_start    the module is closed, OpenSSL's engine opened, private halves loaded
 *     keys_unwrap, keys_sign
 *
 * Owns: the PIN (the engine holds a copy anyway), then the engine. Threads: one, and one object a
 * process. ERROR_UNAVAILABLE of anything after keys_start() is final: the process must end and be
 * started again, since nothing recovers inside it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "crypto/hash.h"
#include "protocol/hsm_messages.h"

struct keys;

enum key_role { KEY_MASTER, KEY_CHECKPOINT, KEY_MANIFEST, KEY_ROLE_COUNT };

#define KEY_LABEL_SIZE 96
#define KEY_UUID_SIZE  37

/* "6f1c2a7e-…", and "BinvaultMasterKey_6f1c2a7e-…_1" (only master keys have a sequence). */
void key_uuid(const uint8_t archive_id[static 16], char text[static KEY_UUID_SIZE]);
void key_label(enum key_role role, const uint8_t archive_id[static 16], uint32_t sequence,
	       char label[static KEY_LABEL_SIZE]);

/*
 * ERROR_REFUSED: the PIN is wrong, or was refused before. ERROR_USAGE: PIN file, module or token
 * must be changed by a person. ERROR_UNAVAILABLE: the token is not there now.
 */
int keys_open(const struct config *config, int state_fd, struct keys **ret_keys,
	      struct error *err) MUST_CHECK;
void keys_free(struct keys *keys);
DEFINE_CLEANUP(keys_free, struct keys *);

/* The three pairs of this archive; with @make what is missing is made, else ERROR_USAGE. */
int keys_find(struct keys *keys, const uint8_t archive_id[static 16], bool make,
	      struct hsm_keys *ret, struct error *err) MUST_CHECK;

/* Load the private halves of @archive_id's @expected; both NULL: none is known. The engine must
 * show the same public halves. With @prove each pair is proved to be one. */
int keys_start(struct keys *keys, const uint8_t *archive_id, const struct hsm_keys *expected,
	       bool prove, struct error *err) MUST_CHECK;

/* ERROR_DEFECT if @wrap is not one for this key; the sentence says nothing more. */
int keys_unwrap(struct keys *keys, const struct hsm_unwrap *request, struct hsm_unwrapped *ret,
		struct error *err) MUST_CHECK;

/* Fills in signature and its size. @role is not KEY_MASTER. */
int keys_sign(struct keys *keys, enum key_role role, const struct hash *digest,
	      struct hsm_signature *ret, struct error *err) MUST_CHECK;
