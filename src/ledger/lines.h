/*
 * Internal to ledger/: the runs of bytes between LFs in one file, with a bounded buffer.
 *
 * Owns: the buffer; the descriptor is borrowed. Works on a direct descriptor too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct lines;

struct line {
	const char *bytes; /* not empty, no LF in it; valid until the next call */
	size_t length;	   /* below LEAF_SIZE_MAX, or exactly that if it is only a piece */
	uint64_t offset;
	bool whole; /* false: a piece of a run of LEAF_SIZE_MAX bytes or more, hence no leaf */
};

struct lines *lines_new(void);
void lines_free(struct lines *lines);
DEFINE_CLEANUP(lines_free, struct lines *);

/* Begin with another file. A @growing one may have more after its end was seen. */
void lines_start(struct lines *lines, int fd, bool growing);

/* 1 and a line; 0 at the end of the file. The end of the file ends a line as an LF does. */
int lines_next(struct lines *lines, struct line *ret_line, struct error *err) MUST_CHECK;

uint64_t lines_bytes(const struct lines *lines); /* read since lines_new() */
