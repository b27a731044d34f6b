/*
 * A configuration bundle: the configuration file and the files that it names, for one vault, with a
 * version that only grows. BUNDLE.md is normative. How it is signed and encrypted on its way is
 * crypto/cms.h's business, how it gets into a directory command/applied.h's.
 *
 * Pure: but for bundle_identify() nothing here reads or writes a file.
 *
 * Owns: the files' bytes, wiped when released. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "config/config.h"

#define BUNDLE_CONFIG	     "binvault.conf" /* the file that every bundle has */
#define BUNDLE_FILES_MAX     32
#define BUNDLE_FILE_SIZE_MAX (256u << 10)
#define BUNDLE_TEXT_SIZE_MAX (1u << 20)

struct bundle_file {
	char name[BUNDLE_NAME_MAX + 1];
	uint8_t *bytes;
	size_t size;
};

struct bundle {
	char vault[SOURCE_NAME_MAX + 1]; /* the [archive] name of its configuration */
	uint64_t version;		 /* 1 and more */
	uint64_t created_usec;		 /* by the owner's clock, for people only */
	struct bundle_file files[BUNDLE_FILES_MAX];
	size_t file_count;
};

/* A zeroed bundle is an empty one. */
void bundle_release(struct bundle *bundle);

/* Copies @bytes. ERROR_USAGE: its name, its size, one too many, or one that is there already. */
int bundle_add(struct bundle *bundle, const char *name, const void *bytes, size_t size,
	       struct error *err) MUST_CHECK;

/* NULL if it has no such file. */
const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name);

/* Its configuration, as the daemons would read it. ERROR_USAGE with binvault.conf:LINE, or that it
 * is for another vault than the bundle says. */
int bundle_config(const struct bundle *bundle, struct config **ret_config,
		  struct error *err) MUST_CHECK;

/* The canonical text; the caller wipes and frees it. ERROR_USAGE if it would be too long. */
int bundle_encode(const struct bundle *bundle, char **ret_text, size_t *ret_size,
		  struct error *err) MUST_CHECK;

/* @ret_bundle is released by the caller on success. ERROR_DEFECT for anything else than what
 * bundle_encode() gives. */
int bundle_decode(const char *text, size_t size, struct bundle *ret_bundle,
		  struct error *err) MUST_CHECK;

/*
 * The mark beside an applied configuration: from which bundle it comes, and that nobody has edited
 * it since. Hashes are SHA-256.
 */
#define BUNDLE_MARK	      "bundle.json"
#define BUNDLE_MARK_SIZE_MAX  512
#define BUNDLE_MARK_HASH_SIZE 32

struct bundle_mark {
	char vault[SOURCE_NAME_MAX + 1];
	uint64_t version;
	uint8_t bundle[BUNDLE_MARK_HASH_SIZE]; /* of the sealed bundle */
	uint8_t config[BUNDLE_MARK_HASH_SIZE]; /* of binvault.conf */
};

/* Returns the length; the text ends with LF. */
size_t bundle_mark_encode(const struct bundle_mark *mark, char text[static BUNDLE_MARK_SIZE_MAX]);
int bundle_mark_decode(const char *text, size_t size, struct bundle_mark *ret_mark,
		       struct error *err) MUST_CHECK;

/*
 * Give @config the SHA-256 of its text, which this folder cannot compute. Where a mark lies beside
 * the file, it comes from a bundle, and says so from now on. ERROR_USAGE if the mark is not one, or
 * the file is not what was applied any more.
 */
int bundle_identify(struct config *config, const uint8_t hash[static BUNDLE_MARK_HASH_SIZE],
		    struct error *err) MUST_CHECK;
