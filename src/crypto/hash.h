/* SHA-256, the one hash of the archive. Failures of the library are bugs here, and ASSERTed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define HASH_SIZE 32

struct hash {
	uint8_t bytes[HASH_SIZE];
};

void hash_bytes(const void *bytes, size_t size, struct hash *ret_hash);

/* Streaming; one object serves many hashes, one after the other. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_free(struct hasher *hasher);
DEFINE_CLEANUP(hasher_free, struct hasher *);
void hasher_start(struct hasher *hasher);
void hasher_update(struct hasher *hasher, const void *bytes, size_t size);
void hasher_finish(struct hasher *hasher, struct hash *ret_hash);

/* HKDF-SHA256 (RFC 5869) with an empty salt: @ret_size bytes for @info under @key. */
void hash_derive(const void *key, size_t key_size, const void *info, size_t info_size,
		 void *ret_bytes, size_t ret_size);
