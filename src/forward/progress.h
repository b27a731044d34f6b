/*
 * How far the audit trail is forwarded: the one file of `[siem] state`, which the forwarder writes
 * and begins from, and `binvault status` reads. MESSAGES.md, "State".
 *
 * Owns: plain values. Threads: any.
 * Durable: progress_write() returns 0 when it is on stable storage. Crash: the old one or the new
 * one, whole.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"

#define PROGRESS_FILE	  "forwarded.json"
#define PROGRESS_TEXT_MAX 4096
#define ARCHIVE_TEXT_SIZE 64 /* a checkpoint's origin */

/* A place between two messages of the trail. */
struct place {
	char origin[ARCHIVE_TEXT_SIZE]; /* of the ledger's checkpoints; "": the beginning of any */
	uint64_t next_index;		/* of the leaf behind it */
	struct hash leaf;		/* hash of the leaf before it, if there is one */
	uint64_t leaf_usec;		/* that one's time */
	uint64_t checkpoint_offset;	/* of the slot behind the last checkpoint before it */
};

struct progress {
	struct place place;  /* all before it is confirmed */
	uint64_t leaf_count; /* under the ledger's last checkpoint */
	uint64_t until_usec; /* what the ledger had at this time is confirmed; 0: never yet */
	uint64_t written_usec;
	bool connected;
	bool rewound;			   /* the ledger is not the one that was forwarded before */
	char sentence[ERROR_MESSAGE_SIZE]; /* what is wrong; "": nothing */
};

/* ERROR_DEFECT with a sentence unless @text is one such file. */
int progress_decode(const char *text, size_t length, struct progress *ret_progress,
		    struct error *err) MUST_CHECK;
/* Returns the length. */
size_t progress_encode(const struct progress *progress, char text[static PROGRESS_TEXT_MAX]);

/* ERROR_NOT_FOUND: there is none yet. */
int progress_read(int dir_fd, struct progress *ret_progress, struct error *err) MUST_CHECK;
int progress_write(int dir_fd, const struct progress *progress, struct error *err) MUST_CHECK;
