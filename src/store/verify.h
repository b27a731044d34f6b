/*
 * The keyless audit: is the archive whole, unchanged and consistent with its signed checkpoints?
 * It needs no key, no daemon and no configuration, and works on a copy.
 *
 * Checked, on every volume: each ledger line and what stands between lines, the tree, each
 * checkpoint's root and signature (by the keys in the leaves), state leaves (recomputed), each
 * sealed segment's size, SHA-256 and chunk hashes, its header against the opened leaf, files that
 * no leaf knows, periods, equality of the volumes, and where WORM is required the flags.
 *
 * Not defects, but counted: leaves after the last checkpoint (unsigned), open and pending
 * segments, orphans, missing flags on a copy.
 *
 * Owns: nothing after it returns. Threads: starts its own; callbacks come one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct verify_options {
	const char *const *volumes; /* archive directories, copies of each other */
	size_t volume_count;
	bool copy;	       /* a copy without flags: a missing +a or +i is only counted */
	unsigned thread_count; /* 0: one a processor, at most VERIFY_THREADS_MAX */
	/* Every defect, as "PATH: what is wrong". Ends the line with what to do where known. */
	void (*report_defect)(void *context, const char *volume, const char *sentence);
	/* About ten times a second; may be NULL. */
	void (*report_progress)(void *context, uint64_t byte_count, uint64_t byte_total);
	void *context;
};

#define VERIFY_THREADS_MAX 16

struct verify_result {
	uint8_t archive_id[16];
	char name[128];
	uint64_t defect_count;
	uint64_t segment_count; /* sealed, times volumes */
	uint64_t byte_count;	/* hashed in segments and ledgers */
	uint64_t duration_usec;
	uint64_t leaf_count; /* of the longest ledger */
	uint64_t checkpoint_count;
	uint64_t signed_count;	 /* leaves that the last checkpoint covers */
	uint64_t unsigned_count; /* leaves after it: not evident yet */
	uint64_t void_count;
	uint64_t open_count; /* opened and not sealed: open or pending */
	uint64_t orphan_count;
	uint64_t unprotected_count; /* files and directories without their flag, with `copy` */
};

/*
 * 0 when the audit was carried out, with any number of defects; negative only when it could not be:
 * no such directory, no archive.id.
 */
int store_verify(const struct verify_options *options, struct verify_result *ret_result,
		 struct error *err) MUST_CHECK;
