/*
 * Waiting for the server to send something, and for how long it may show no sign of life.
 *
 * Owns: nothing; a plain value. Borrows: the ring. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/ring.h"
#include "pull/stream.h"

struct listening {
	struct ring *ring;
	uint32_t tag;
	uint64_t silence_usec; /* how long it may show none */
	bool waiting;	       /* the ring watches the stream's descriptor */
	uint64_t since_usec;   /* since when, or since something came */
	uint64_t doubted_usec; /* the since_usec of which listening_is_doubtful() told */
};

/* @tag: of the ring, for the stream's readiness. */
void listening_init(struct listening *listening, struct ring *ring, uint32_t tag,
		    uint64_t heartbeat_usec);

/* Nothing is there, and @want must come first; now it has come; the stream ends. */
void listening_begin(struct listening *listening, struct stream *stream, enum tls_want want);
void listening_ready(struct listening *listening);
void listening_end(struct listening *listening);

/* Has it been silent for too long? */
bool listening_is_silent(const struct listening *listening);

/* Is most of that time over? Told once a silence. */
bool listening_is_doubtful(struct listening *listening);

/* When the next of the two will be, monotonic; UINT64_MAX: not waiting. */
uint64_t listening_deadline(const struct listening *listening);
