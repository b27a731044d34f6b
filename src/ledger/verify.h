/*
 * The whole ledger against itself and its checkpoints, without a secret: every line, the order of
 * the leaves, the tree, every checkpoint's root and signature, every void leaf. Every defect is
 * told, with file and offset; bytes behind the last good checkpoint are counted as unsigned.
 *
 * Owns: nothing between calls. Threads: one. Memory: bounded. Writes nothing.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "ledger/checkpoint.h"
#include "ledger/log.h"

struct ledger_verify_options {
	const char *origin; /* "binvault/<archive uuid>" */
	const char *volume; /* UUID of this copy, or NULL */
	/* Borrowed, and looked at anew for each checkpoint: on_leaf may add a key that a leaf
	 * names. If it is empty, leaves are read until it no longer is, then the first checkpoint.
	 * A key of a later leaf counts for the checkpoints behind the first that covers it
	 * (FORMAT.md). */
	const struct checkpoint_keys *keys;
	void (*on_leaf)(void *context, const struct leaf *leaf); /* may be NULL */
	ledger_defect *on_defect;
	void *context;
};

struct ledger_summary {
	uint64_t leaf_count;
	uint64_t checkpoint_count;
	uint64_t signed_size;  /* leaves below the last good checkpoint */
	uint64_t byte_count;   /* read */
	uint64_t defect_count; /* told */
	struct hash root;      /* of all leaves; zero if it cannot be known */
	/* Torn ends that no void leaf names yet: normal after a power cut until the keeper has
	 * started again, else damage. Not counted as defects unless a checkpoint covers them. */
	struct log_torn torn;
	uint64_t torn_checkpoint_offset;
	uint64_t torn_checkpoint_size;
};

/* 0 also with defects: see the summary. Negative only if the verification itself failed (I/O). */
int ledger_verify(int dir_fd, const struct ledger_verify_options *options,
		  struct ledger_summary *ret_summary, struct error *err) MUST_CHECK;
