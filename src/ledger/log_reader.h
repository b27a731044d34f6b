/*
 * A cursor over the leaves of one copy of the ledger: the files <first leaf index, 20 digits>.jsonl
 * of a directory. Checks everything that can be checked without a key: canonical lines, indexes
 * without a gap, filler, `void` leaves, the `state` leaves at the head of each file and the tree in
 * them. FORMAT.md is normative.
 *
 * Owns: descriptor, buffer and current leaf; the directory descriptor is borrowed.
 * Threads: one per object. Memory: bounded (about 1 MiB), whatever the size of the ledger.
 * A ledger that is being appended to may be read; its end may then look torn. A reader that is
 * `growing` also reads what is appended after it was made, for who knows (from a checkpoint) that
 * the next leaf is durable; but not files that came later: it ends, and another begins there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ledger/leaf.h"
#include "ledger/tree.h"

#define LOG_FILE_NAME_SIZE sizeof("00000000000000000000.jsonl")
#define LOG_FILES_MAX	   65536u

void log_file_name(uint64_t first_index, char name[static LOG_FILE_NAME_SIZE]);

/* A byte range that is not what it must be. @file is a name below the ledger's directory. */
typedef void ledger_defect(void *context, const char *file, uint64_t offset, const char *sentence);

struct log_reader_options {
	bool from_state;	  /* begin at the newest whole group of `state` leaves, not at 0 */
	uint64_t first_index;	  /* else: at this leaf, and only files that it may be in */
	bool growing;		  /* not direct; see below */
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

/* After the end (0 was returned). */
struct log_end {
	bool reached;
	bool empty;	     /* there is no file */
	uint64_t file_first; /* the last file */
	uint64_t next_index; /* of the leaf to come */
	bool head_missing;   /* the last file's group of `state` leaves is not whole */
	struct log_torn torn;
};
const struct log_end *log_reader_end(const struct log_reader *reader);
const struct log_torn *log_reader_torn(const struct log_reader *reader);
uint64_t log_reader_bytes(const struct log_reader *reader);	   /* read so far */
uint64_t log_reader_defect_count(const struct log_reader *reader); /* told so far */
