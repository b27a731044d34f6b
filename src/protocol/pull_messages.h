/*
 * Puller and keeper. The puller connects to the socket of its source (the socket says which source
 * it is; no message does). It speaks first: HELLO, then ATTACH, and then whatever it wants; every
 * request has one answer, in order; PROGRESS, SEGMENT_CLOSED, STATE, SEMI_SYNC (pull_semi_sync.h),
 * DAMAGED (damaged_message.h), OBSERVED (observed.h) and PREFLIGHT (pull_preflight.h) have none.
 * Only CONTROL (control.h) comes without a question: before ATTACHED, and whenever it changes.
 *
 *   puller                      keeper
 *   HELLO                   ->
 *                           <-  HELLO
 *   ATTACH                  ->
 *                           <-  CONTROL                  (may be pulled, or not)
 *                           <-  ATTACHED | FAILURE      (after recovery of what the last one left)
 *   OPEN_SEGMENT            ->
 *                           <-  SEGMENT_OPENED + fd | FAILURE (NO_SPACE: ask again later)
 *   PROGRESS …              ->
 *   SEGMENT_CLOSED          ->                            (END is durable, key wiped, fd closed)
 *                           <-  CONTROL …
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "crypto/hash.h"
#include "protocol/attach_messages.h"
#include "protocol/message.h"
#include "volume/header.h"

/* At most ten a second, and one before SEGMENT_CLOSED. What it states is durable. */
struct progress {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t good_end;
	uint64_t transaction_end;
	uint64_t transaction_usec; /* time of the last whole transaction, as the server says */
	uint64_t received_usec;	   /* vault time of the last durable frame */
	uint64_t source_position;  /* where the server is in its current file, 0 if not known */
	uint64_t byte_count;	   /* binlog bytes since the puller started */
	uint32_t frame_sequence;   /* of the last durable frame */
	uint8_t frame_tag[16];
};

struct segment_closed {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t good_end;
};

enum pull_state {
	PULL_CONNECTING = 0,
	PULL_STREAMING = 1,
	PULL_WAITING = 2, /* a failure that may pass: next try at retry_usec */
	PULL_REFUSED = 3, /* a failure that a person must end */
	PULL_PAUSED = 4,  /* a CONTROL_PAUSE, obeyed */
	PULL_LIMITED = 5, /* a CONTROL_LIMIT, obeyed */
};

#define PULL_CONNECTION_SIZE 37 /* a UUID in text */

struct pull_status {
	enum pull_state state;
	uint64_t retry_usec; /* realtime of the next try, 0 if none is planned */
	char server[128];    /* "db1.bank.example:3306" */
	char sentence[MESSAGE_SENTENCE_SIZE];
	/* Of the stream that stands: as in its SESSION frames and on the server; "" if there is
	 * none. */
	char connection[PULL_CONNECTION_SIZE];
	/* Vault time at which the server said that it has no more than what is durable; told once a
	 * second at most, 0 before the first time. */
	uint64_t caught_up_usec;
};

int progress_send(int fd, const struct progress *progress, struct error *err) MUST_CHECK;
int progress_decode(const struct message *message, struct progress *ret,
		    struct error *err) MUST_CHECK;
int segment_closed_send(int fd, const struct segment_closed *closed, struct error *err) MUST_CHECK;
int segment_closed_decode(const struct message *message, struct segment_closed *ret,
			  struct error *err) MUST_CHECK;
int pull_status_send(int fd, const struct pull_status *status, struct error *err) MUST_CHECK;
int pull_status_decode(const struct message *message, struct pull_status *ret,
		       struct error *err) MUST_CHECK;
