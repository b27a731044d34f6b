/*
 * When the stream is read: as fast as rate-limit allows, and when its socket has something; and
 * whether the server has shown a sign of life.
 *
 * Owns: nothing; a plain value. Borrows: the ring. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "io/ring.h"
#include "pull/stream.h"

struct pace {
	const struct config_source *source;
	struct ring *ring;
	uint32_t tag;
	bool listening;	      /* the ring watches the stream's descriptor */
	uint64_t listen_usec; /* since when, or since something came */
	int64_t allowance;    /* bytes, under rate-limit */
	uint64_t allowance_usec;
};

/* @tag: of the ring, for readiness to read. */
void pace_init(struct pace *pace, const struct config_source *source, struct ring *ring,
	       uint32_t tag);

/* A stream begins; it ends. */
void pace_begin(struct pace *pace);
void pace_end(struct pace *pace);

/* May the stream be read now? So many bytes were; nothing was there, or *@want first. */
bool pace_may_read(struct pace *pace);
void pace_took(struct pace *pace, size_t size);
void pace_wait(struct pace *pace, struct stream *stream, enum tls_want want);

/* The ring's event with our tag. */
void pace_ready(struct pace *pace);

/* Nothing was there, and nothing has come since. */
bool pace_is_waiting(const struct pace *pace);

/* How long a server may show no sign of life, and whether this one has not for so long. */
uint64_t pace_silence_usec(const struct pace *pace);
bool pace_is_silent(const struct pace *pace);

/* When pace_is_silent() or pace_may_read() may become true, monotonic; UINT64_MAX: no such time. */
uint64_t pace_deadline(const struct pace *pace);
