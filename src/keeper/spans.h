/*
 * The spans in which a source's server waited for our acknowledgements, and those in which it did
 * not: what its puller tells (SEMI_SYNC), what the server itself said when it was looked at
 * (OBSERVED: a short fall-back while the puller or its disk stood still is seen by nobody else),
 * and that there is no puller, made into `semi-sync` leaves and what `status` shows. Only of a
 * source with semi-sync = yes.
 *
 * Leaves: the first state after the keeper's start and each change of `on`; of those
 * SPANS_LEAVES_AT_ONCE come at once, then one in SPANS_LEAF_USEC, which counts what was left out.
 *
 * Owns: nothing; a plain value with a timer. Threads: the loop's. Crash: what a span's beginning
 * says ends with the keeper; store/FORMAT.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/units.h"
#include "keeper/loop.h"
#include "protocol/message.h"
#include "protocol/pull_semi_sync.h"

#define SPANS_LEAVES_AT_ONCE	6
#define SPANS_LEAF_USEC		(60 * USEC_PER_SEC)
#define SPANS_ATTENTION_USEC	(10 * USEC_PER_SEC) /* off for so long is not normal */
#define SPANS_DENIED_AFTER_USEC (5 * USEC_PER_SEC)

struct source;

struct span {
	bool on;
	uint64_t since_usec;
	char sentence[MESSAGE_SENTENCE_SIZE]; /* why not, "" if it is on */
};

struct spans {
	bool known; /* something was said since the keeper's start */
	struct span now;
	struct pull_semi_sync told; /* the puller's last */
	bool denied;		    /* the puller says on, and the server that it does not wait */
	uint64_t confirmed_usec;    /* when the server said that it waits again; 0: it always did */

	/* The server's own count of commits that did not wait, and when it said so. */
	uint64_t counted, counted_usec;

	/* Those that have ended since the first time that it was on. */
	bool has_been_on;
	uint64_t off_count, off_usec;
	struct span last_off;
	uint64_t last_off_until_usec;

	/* What the ledger does not have yet. */
	bool due;
	uint64_t change_count, unrecorded_usec;
	uint64_t leaves_usec; /* monotonic: when as many as come at once may come again */
	struct loop_timer timer;
};

void spans_told(struct source *source, const struct pull_semi_sync *told);
void spans_observed(struct source *source);
void spans_no_puller(struct source *source);
void spans_release(struct source *source);

/* For `status`: NULL where semi-sync is not asked for. */
json_t *spans_status(const struct source *source);
bool spans_are_normal(const struct source *source, uint64_t now_usec);
