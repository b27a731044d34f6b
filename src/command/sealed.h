/*
 * A bundle in a file, as `config show` and `config apply` meet it: read, its signature verified,
 * decrypted, decoded, its configuration parsed. Whatever is wrong with it is one refusal.
 *
 * Owns: the bundle with its secrets, and its configuration. Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "config/bundle.h"
#include "crypto/cms.h"
#include "crypto/hash.h"

struct sealed {
	bool hashed; /* false: there is too much to be a bundle */
	struct hash hash;
	struct bundle bundle;  /* version 0: it could not be opened */
	struct config *config; /* NULL until it was found in order */
};

/* From now on this process has secrets: none of its memory is dumped, what JSON leaves is wiped. */
void sealed_prepare(void);

/* At most @size_max bytes of the file at @path, and one more if there are more. ERROR_USAGE. */
int sealed_read_file(const char *path, size_t size_max, uint8_t **ret_bytes, size_t *ret_size,
		     struct error *err) MUST_CHECK;

/*
 * @sealed, zeroed before, is filled as far as the bundle is in order, and released by the caller
 * always. ERROR_REFUSED: it is no bundle that our owner made for us; ERROR_USAGE: there is no such
 * file. With an opener that has no key only the signature is checked.
 */
int sealed_read(struct sealed *sealed, const char *path, const struct cms_opener *opener,
		bool has_key, struct error *err) MUST_CHECK;
void sealed_release(struct sealed *sealed);
