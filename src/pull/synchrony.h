/*
 * Does the server wait for our acknowledgements, since when, and if not, why not: what status and
 * ledger tell of a source with semi-sync = yes.
 *
 *   AWAY ──connected──► UNASKED ◄──it asks no more──┐
 *                │         └────acknowledged────► ON ──not durable in time──► LATE
 *                └────► ABSENT                      ▲────────acknowledged──────┘
 *
 * No server says that it has fallen back; it asks no more. Not every transaction is asked about
 * either: of a group that is committed together only the last one may be, and none while another
 * replica is faster. So it counts as fallen back, from then on, when transactions have come, and
 * for SYNCHRONY_GRACE_USEC none of them or behind them was asked about. A server that has nothing
 * more to send and has it switched on will ask about its next transaction, unless it has fallen
 * back while we looked.
 *
 * Owns: nothing; a plain value. Pure: time comes in. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "protocol/pull_semi_sync.h"
#include "pull/acknowledger.h"

#define SYNCHRONY_GRACE_USEC (5 * USEC_PER_SEC)
#define SYNCHRONY_TELL_USEC  (1 * USEC_PER_SEC) /* how often what changes all the time is told */

enum synchrony_phase {
	SYNCHRONY_AWAY,
	SYNCHRONY_ABSENT, /* the server does not do it */
	SYNCHRONY_UNASKED,
	SYNCHRONY_LATE,
	SYNCHRONY_ON,
};

struct synchrony_now {
	uint64_t monotonic_usec, realtime_usec;
};

struct synchrony {
	enum synchrony_phase phase;
	bool enabled;  /* as the server's settings said at the connect */
	bool has_been; /* on, on this connection */
	/* Transactions that came without being asked about, and since when; none: 0. */
	uint64_t unasked_count;
	struct synchrony_now unasked;
	bool owes; /* an acknowledgement, since when */
	struct synchrony_now owed;

	struct pull_semi_sync state; /* what is told */
	struct pull_semi_sync told;
	uint64_t told_usec; /* monotonic; 0: not yet */
};

void synchrony_begin(struct synchrony *synchrony, const struct synchrony_now *now);

/* A dump was asked for. @absent: why the server does not do it, "" if its settings are as they
 * must be. */
void synchrony_connected(struct synchrony *synchrony, const char *absent,
			 const struct synchrony_now *now);

/* The first packet is of a server that does not do it. */
void synchrony_denied(struct synchrony *synchrony, const struct synchrony_now *now);
void synchrony_disconnected(struct synchrony *synchrony, const char *sentence,
			    const struct synchrony_now *now);

/* The end of a transaction has come; or any event that is @asked about. */
void synchrony_took(struct synchrony *synchrony, bool asked, const struct synchrony_now *now);

/* The server has nothing more to send. */
void synchrony_idle(struct synchrony *synchrony, const struct synchrony_now *now);

/* It was sent whole. @owes_more: not all that was asked about is durable. */
void synchrony_acknowledged(struct synchrony *synchrony, const struct acknowledgement *sent,
			    bool owes_more, const struct synchrony_now *now);

/* Time has gone by. @trouble: what keeps bytes from being durable. */
void synchrony_step(struct synchrony *synchrony, const char *trouble,
		    const struct synchrony_now *now);
uint64_t synchrony_deadline(const struct synchrony *synchrony); /* monotonic; UINT64_MAX: none */

/* Is there something to tell the keeper now? What is told then. */
bool synchrony_tell(struct synchrony *synchrony, const struct synchrony_now *now,
		    struct pull_semi_sync *ret_state);
