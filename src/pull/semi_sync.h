/*
 * The puller's side of semi-sync: takes what is durable from the sink to the server, and what is to
 * be known of it to the keeper.
 *
 * Promise: an acknowledgement for position p of file f is sent only after the frame that holds the
 * last byte before p is complete on every volume (sink_take_acknowledgement() is the only source),
 * only for an event that this connection asked about, or that it has sent again at its beginning,
 * and whose CRC was right.
 *
 * Owns: what is known of the server (synchrony.h). Borrows: ring, sink, stream. Threads: one.
 * Allocates nothing after _new.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "io/ring.h"
#include "pull/receiver.h"
#include "pull/sink.h"
#include "pull/stream.h"

struct semi_sync;

struct semi_sync_options {
	const struct config_source *source;
	struct ring *ring;
	uint32_t tag; /* of the ring, for readiness to send */
	struct sink *sink;
	struct stream *stream;
};

struct semi_sync *semi_sync_new(const struct semi_sync_options *options);
void semi_sync_free(struct semi_sync *semi_sync);
DEFINE_CLEANUP(semi_sync_free, struct semi_sync *);

/* The stream was opened; the next item of it was received. */
void semi_sync_opened(struct semi_sync *semi_sync);
void semi_sync_received(struct semi_sync *semi_sync, const struct received *received);

/* Before the stream is closed; @sentence: why. */
void semi_sync_closing(struct semi_sync *semi_sync, const char *sentence);

/* Tell the server what has become durable, without waiting for anything. Called at each completion
 * of the sink and in each turn. An error is one of the stream. */
int semi_sync_send(struct semi_sync *semi_sync, struct error *err) MUST_CHECK;

/* The ring's event with our tag. */
void semi_sync_ready(struct semi_sync *semi_sync);

/* A packet is on its way and could not be sent yet. */
bool semi_sync_is_sending(const struct semi_sync *semi_sync);

/* The server may wait for us: the stream is open, and it does semi-sync. */
bool semi_sync_is_awaited(const struct semi_sync *semi_sync);

/* Tell the keeper what has changed; to be called in each turn, and at the deadline (monotonic). */
void semi_sync_tell(struct semi_sync *semi_sync);
uint64_t semi_sync_deadline(const struct semi_sync *semi_sync);

/* We go for good, and all that it sent is acknowledged: have the server wait for us no more. Blocks
 * for a connection. The stream is to be closed then. */
void semi_sync_leave(struct semi_sync *semi_sync, const char *sentence);
