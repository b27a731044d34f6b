/*
 * One leaf of the ledger: one line of canonical JSON (base/json.h), printable ASCII, at most
 * LEAF_SIZE_MAX bytes with its LF. Every leaf has "type", "index", "time" (UTC, microseconds),
 * "boot" (id of the boot) and "uptime" (CLOCK_BOOTTIME in microseconds); all other fields are the
 * type's, and defined where the type is written (store/). FORMAT.md, "Leaf".
 *
 * The two types that the ledger itself writes and reads are here: `void` and `state`.
 *
 * Owns: a struct leaf owns its object; leaf_release() gives it back. Line and texts in it are
 * borrowed, from the buffer that was decoded and from the object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "io/clock.h"
#include "ledger/tree.h"

#define LEAF_SIZE_MAX	   65536u /* with LF */
#define LEAF_TYPE_MAX	   32	  /* [a-z][a-z-]* */
#define LEAF_FILE_NAME_MAX 63

/* When a leaf was written, by all clocks. The caller takes it, so that tests can. */
struct leaf_stamp {
	uint64_t time_usec; /* system time since 1970 */
	char boot_id[BOOT_ID_SIZE];
	uint64_t uptime_usec; /* CLOCK_BOOTTIME */
};

struct leaf {
	uint64_t index;
	struct leaf_stamp stamp;
	const char *type;
	json_t *object;	  /* all fields */
	const char *line; /* @length bytes, no LF, no NUL */
	size_t length;
	struct hash hash;
	uint64_t file_first; /* names the file: log_file_name() */
	uint64_t offset;     /* of the line's first byte in it */
};

/*
 * Check and parse one line without its LF: ERROR_DEFECT with a sentence for anything that is not
 * canonical or lacks a field that every leaf has. file_first and offset are left 0.
 */
int leaf_decode(const char *line, size_t length, struct leaf *ret_leaf,
		struct error *err) MUST_CHECK;
void leaf_release(struct leaf *leaf); /* may be called twice, and on zeros */

/*
 * The line (no LF) of @fields ("type" and what is the type's own) as leaf @index. Returns its
 * length. ERROR_USAGE if @fields has one of the other common fields, no good type, or does not fit.
 */
int leaf_encode(const json_t *fields, uint64_t index, const struct leaf_stamp *stamp,
		char line[static LEAF_SIZE_MAX], struct error *err) MUST_CHECK;

/*
 * `void`: "the @size bytes at @offset of @file, with this hash, are the rest of a torn append and
 * mean nothing". Only such a leaf makes a reader skip bytes that are not filler.
 */
struct leaf_void {
	char file[LEAF_FILE_NAME_MAX + 1]; /* "00000000000000065536.jsonl" or "checkpoints" */
	char volume[37]; /* UUID of the copy that was torn; other copies are whole */
	uint64_t offset;
	uint64_t size;
	struct hash hash; /* SHA-256 of the bytes */
};
json_t *leaf_void_new(const struct leaf_void *fields); /* for log_append() */
int leaf_void_get(const struct leaf *leaf, struct leaf_void *ret_void,
		  struct error *err) MUST_CHECK;

/* Is it a leaf of this type? */
bool leaf_is(const struct leaf *leaf, const char *type);
