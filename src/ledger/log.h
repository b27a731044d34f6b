/*
 * One copy of the ledger: the files <first leaf index, 20 digits>.jsonl of a directory.
 * FORMAT.md is normative. A reader is a cursor over the leaves; a log appends behind the end that
 * a reader has reached.
 *
 * Owns: reader and log own their descriptors and buffers; the directory descriptor is borrowed.
 * Threads: one per object. Memory: bounded (under 1 MiB), whatever the size of the ledger.
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
#include "ledger/tree.h"

#define LOG_LEAVES_PER_FILE 65536u
#define LOG_FILE_NAME_SIZE  sizeof("00000000000000000000.jsonl")
#define LOG_FILES_MAX	    1048576u

void log_file_name(uint64_t first_index, char name[static LOG_FILE_NAME_SIZE]);

/* --- reading -------------------------------------------------------------------------------- */

/* A byte range that is not what it must be. @file is a name below the ledger's directory. */
typedef void ledger_defect(void *context, const char *file, uint64_t offset, const char *sentence);

struct log_reader_options {
	bool from_state;	  /* begin at the newest whole group of `state` leaves, not at 0 */
	bool direct;		  /* from the device, past every cache */
	const char *volume;	  /* UUID; void leaves of other copies excuse nothing. NULL: any */
	ledger_defect *on_defect; /* told of each, and reading goes on; NULL: the first one stops */
	void *context;
};

struct log_reader;

/* Bytes at the end that are no leaf: a torn append (or damage: the last checkpoint tells). */
struct log_torn {
	uint64_t file_first;
	uint64_t offset;
	uint64_t size; /* 0: the end is clean */
	struct hash hash;
};

/* A directory without files is a ledger without leaves. ERROR_DEFECT for other names in it. */
int log_reader_new(int dir_fd, const struct log_reader_options *options,
		   struct log_reader **ret_reader, struct error *err) MUST_CHECK;
void log_reader_free(struct log_reader *reader);
DEFINE_CLEANUP(log_reader_free, struct log_reader *);

/*
 * The next leaf: 1, and *ret_leaf is borrowed until the next call; 0 at the end. ERROR_DEFECT, with
 * file and offset in the sentence, at the first defect if nobody is told of them; the reader then
 * stays there. The first leaf of a reader from_state is part 0 of a `state` group, or leaf 0.
 */
int log_reader_next(struct log_reader *reader, const struct leaf **ret_leaf,
		    struct error *err) MUST_CHECK;

/* The tree of all leaves so far, the last one returned included; NULL while it cannot be known
 * because a leaf before is missing (a later `state` leaf makes it known again). */
const struct tree *log_reader_tree(const struct log_reader *reader);

/* After the end: what is torn there. */
const struct log_torn *log_reader_torn(const struct log_reader *reader);
uint64_t log_reader_bytes(const struct log_reader *reader);	   /* read so far */
uint64_t log_reader_defect_count(const struct log_reader *reader); /* told so far */

/* --- writing -------------------------------------------------------------------------------- */

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
