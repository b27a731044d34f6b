/*
 * Internal to ledger/: a file of text that grows by durable appends, each padded with LF to the
 * block size of direct I/O.
 *
 * Owns: descriptor and buffer; the directory descriptor is borrowed. Threads: one.
 * Durable: append_write() returns 0 only when the text is on stable storage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ledger/leaf.h"

#define APPEND_TEXT_MAX (LEAF_SIZE_MAX + 1) /* a leaf, its LF and one before it */

struct append;

/* Protect a new file: called before anything is in it, and again at each open. */
typedef int append_protect(void *context, int fd, const char *name, struct error *err);

/*
 * Open the file @name and make sure of what a crash in append_create() may have left undone:
 * protection and directory entry; fill a torn end up to a whole block with @filler.
 */
int append_open(int dir_fd, const char *name, char filler, append_protect *protect, void *context,
		struct append **ret_append, struct error *err) MUST_CHECK;

/* The same for a file that does not exist: it does, durably, afterwards. */
int append_create(int dir_fd, const char *name, append_protect *protect, void *context,
		  struct append **ret_append, struct error *err) MUST_CHECK;
void append_free(struct append *append);
DEFINE_CLEANUP(append_free, struct append *);

/*
 * Append @text (which ends with LF), with a LF before it if @separate. ERROR_NO_SPACE: nothing was
 * written; any other error is final.
 */
int append_write(struct append *append, const char *text, size_t length, bool separate,
		 struct error *err) MUST_CHECK;
