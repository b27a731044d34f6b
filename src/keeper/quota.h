/*
 * How much one source may archive: max-bytes-per-day and max-segments-per-hour, so that one tenant
 * cannot fill a volume from which nothing can be removed. Days and hours are those of the vault's
 * clock in UTC.
 *
 * A segment's bytes (of the binlog, not of its file) count on the day on which it is sealed, and
 * those of one that is not sealed yet count today; a segment counts in the hour in which it is
 * opened. Both are counted from the ledger at the start, so that no restart forgives anything.
 *
 * opening.c asks before it opens a segment, which is the gate that no puller gets round; the puller
 * is told as well (source_control()), so that it ends the stream: a server that waits for our
 * acknowledgement must not wait for tomorrow.
 *
 * Owns: nothing. Threads: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/control.h"
#include "protocol/pull_messages.h"

struct source;

struct quota {
	uint64_t day, sealed_size;    /* since 1970, and what was sealed on it */
	uint64_t hour, segment_count; /* likewise, opened in it */
	uint64_t refused_hour;	      /* in which one more was asked for */
};

/* Count what the ledger has of today, if there is a limit. */
int quota_start(struct source *source, struct error *err) MUST_CHECK;

void quota_opened(struct source *source, uint64_t now_usec);
void quota_sealed(struct source *source, uint64_t size, uint64_t now_usec);

/* Bytes of today, so far. */
uint64_t quota_used(const struct source *source, uint64_t now_usec);

/* May another segment be opened? ERROR_NO_SPACE, with the limit, when it ends and what to do. */
int quota_check(struct source *source, uint64_t now_usec, struct error *err) MUST_CHECK;

/* Is a limit reached? Then what the puller is told. */
bool quota_control(const struct source *source, uint64_t now_usec, struct control *ret_control);
