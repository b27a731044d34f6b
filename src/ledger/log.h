/*
 * Appending to one copy of the ledger, behind the end that a reader (log_reader.h) has reached.
 * FORMAT.md is normative.
 *
 * Owns: descriptor and buffer; the directory descriptor is borrowed. Threads: one per object.
 * Durable: when log_append() returns 0, the leaf is on stable storage, and its directory entry.
 * Crash: at most the one append in flight is torn. What is left of it stays where it is; the next
 * log_open() names it in a `void` leaf. An append that was whole but unacknowledged is kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ledger/leaf.h"
#include "ledger/log_reader.h"
#include "ledger/tree.h"

#define LOG_LEAVES_PER_FILE 65536u

struct log_operations {
	/*
	 * A new file begins (or began, and its head was torn): *ret_states becomes an array of
	 * objects, the whole state after the leaves so far, one `state` leaf each and at least one.
	 * The log puts "type", "part", "parts" and "tree" in.
	 */
	int (*state)(void *context, json_t **ret_states, struct error *err);
	/* The file is there and empty: protect it (+a). Called again after a crash; idempotent. */
	int (*file_created)(void *context, int fd, const char *name, struct error *err);
	/* Nothing follows in this file: protect it (+i). Called again after a crash; idempotent. */
	int (*file_full)(void *context, int fd, const char *name, struct error *err);
	/* Every leaf that is durable, in order, also `void` and `state`. May be NULL. */
	void (*appended)(void *context, const struct leaf *leaf);
};

struct log_options {
	uint64_t leaves_per_file; /* LOG_LEAVES_PER_FILE; as the archive leaf says */
	const char *volume;	  /* UUID of this copy, for void leaves */
	const struct log_operations *operations;
	void *context;
};

struct log;

/*
 * Go on where @reader ended (it has returned 0 and met no defect; its tree is taken over). If the
 * end is torn, its `void` leaf is written now, and a torn head of the last file is written anew
 * (the state operation is called), with @stamp.
 */
int log_open(int dir_fd, const struct log_options *options, const struct log_reader *reader,
	     const struct leaf_stamp *stamp, struct log **ret_log, struct error *err) MUST_CHECK;
void log_free(struct log *log);
DEFINE_CLEANUP(log_free, struct log *);

/*
 * Append one leaf of @fields (see leaf_encode()); *ret_index may be NULL. If the file is full, a
 * new one with its `state` leaves comes first. ERROR_USAGE and ERROR_NO_SPACE: nothing was written
 * and the next try may succeed. Any other error is final for this log: open it anew.
 */
int log_append(struct log *log, const json_t *fields, const struct leaf_stamp *stamp,
	       uint64_t *ret_index, struct error *err) MUST_CHECK;

/* The tree of all durable leaves; its size is the next index. */
const struct tree *log_tree(const struct log *log);
