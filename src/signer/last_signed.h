/*
 * What binvault-hsm remembers of what it has signed: whose archive it is, the tree of the last
 * checkpoint, and the keys that signed. It is the anchor against a rollback or fork of the archive,
 * so it is no cache: without it nothing is signed ("hsm state lost").
 *
 * Durable: last_signed_write() before the signature is made: (size, root) durable → sign.
 * Crash: at most one signature is missing; it is made again over the same (size, root).
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "ledger/tree.h"

#define LAST_SIGNED_FILE "last-signed"

struct last_signed {
	uint8_t archive_id[16];
	struct tree tree;
	struct hash master; /* fingerprints: SHA-256 of the SubjectPublicKeyInfo; of sequence 1 */
	struct hash checkpoint;
	struct hash manifest;
};

/* ERROR_NOT_FOUND: nothing was ever signed here, or it is lost. */
int last_signed_read(int directory_fd, struct last_signed *ret, struct error *err) MUST_CHECK;
int last_signed_write(int directory_fd, const struct last_signed *state,
		      struct error *err) MUST_CHECK;
