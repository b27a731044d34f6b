/*
 * The audit trail in the order in which it is forwarded: the ledger's leaves that stand under a
 * signed checkpoint, and each checkpoint behind its last leaf.
 *
 * Only the ledger's directory is read, by its own readers, and no signature is verified: whoever
 * receives the trail does that. A ledger that is being appended to is followed.
 *
 * Owns: descriptors and readers. Threads: one. Memory: bounded (about 2 MiB).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "forward/progress.h"
#include "ledger/checkpoint_file.h"
#include "ledger/leaf.h"

struct trail;

/* @volume: the directory that holds ledger/. Borrowed. Nothing is opened yet. */
struct trail *trail_new(const char *volume);
void trail_free(struct trail *trail);
DEFINE_CLEANUP(trail_free, struct trail *);

/*
 * Begin behind @place. ERROR_DIVERGED if the ledger is not the one that it was taken from, or a
 * part of it is gone: another archive, fewer leaves or checkpoints, another leaf. Any other error:
 * it cannot be read now. After an error the trail has no items until the next trail_begin().
 */
int trail_begin(struct trail *trail, const struct place *place, struct error *err) MUST_CHECK;

struct trail_item {
	const struct leaf *leaf;		  /* or NULL: */
	const struct checkpoint_item *checkpoint; /* both borrowed until the next call */
};

/* 1 and the next; 0: nothing more for now. After an error: trail_begin(). */
int trail_next(struct trail *trail, struct trail_item *ret_item, struct error *err) MUST_CHECK;

/* Behind the last item; after an error, where to begin again. */
const struct place *trail_place(const struct trail *trail);

/* What there is now. */
struct trail_end {
	uint64_t leaf_count;	  /* under the last checkpoint */
	uint64_t checkpoint_usec; /* when that was written, by the system clock */
	bool replaced;		  /* the directory is another one than at trail_begin() */
};
int trail_look(struct trail *trail, struct trail_end *ret_end, struct error *err) MUST_CHECK;
