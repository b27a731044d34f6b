/*
 * Where accepted events go: the keeper, the segment at hand, and when it is written, ended and
 * followed by the next one.
 *
 *   CLOSED ──sink_open()──► OPEN ──sink_end()──► ENDING ──END durable──► CLOSED
 *                             └──the keeper does not know it──► LETTING_GO ──nothing in flight──►
 * CLOSED
 *
 * Calls that may have to wait return 1 (done), 0 (not yet: call again after the next event of the
 * ring or at sink_deadline()) or an error, which ends the puller.
 *
 * Owns: the keeper's connection and the segment. Borrows: the ring, with its tags. Threads: one.
 * Allocates when a segment is opened, never for an event.
 * Durable: what PROGRESS and SEGMENT_CLOSED say, and every position that
 * sink_take_acknowledgement() gives. Crash: the keeper ends what was open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "io/ring.h"
#include "protocol/observed.h"
#include "protocol/control.h"
#include "protocol/pull_messages.h"
#include "protocol/pull_preflight.h"
#include "protocol/pull_semi_sync.h"
#include "pull/acknowledger.h"
#include "pull/place.h"
#include "volume/writer.h"

struct sink;

struct sink_options {
	struct ring *ring;
	uint32_t append_tag; /* the first of one a volume */
	uint32_t keeper_tag;
	const char *socket; /* borrowed */
	struct hello hello;
	int stop_fd;
	uint64_t segment_size, segment_age_usec, frame_delay_usec;
	int compression_level;
};

struct sink *sink_new(const struct sink_options *options);
void sink_free(struct sink *sink); /* waits for appends in flight, makes nothing durable */
DEFINE_CLEANUP(sink_free, struct sink *);

/*
 * Do what is due: attach to the keeper, write, retry, end, tell progress. To be called before each
 * wait and whenever something else was done.
 */
int sink_step(struct sink *sink, struct error *err) MUST_CHECK;

/* When sink_step() is to be called at the latest, monotonic; UINT64_MAX: no such time. */
uint64_t sink_deadline(const struct sink *sink);

/* Events of the ring that carry one of our tags. */
int sink_appended(struct sink *sink, uint32_t tag, int result, struct error *err) MUST_CHECK;
void sink_keeper_readable(struct sink *sink);

/*
 * The keeper has said anew where pulling goes on (at the start, after it came back while no segment
 * was held, after a segment had to be let go): true once. *ret_let_go: bytes that were added may be
 * lost, so the stream must begin anew whatever the answer.
 */
bool sink_take_attached(struct sink *sink, struct attached *ret_attached, bool *ret_let_go);

bool sink_is_closed(const struct sink *sink); /* no segment at hand */
bool sink_is_open(const struct sink *sink);

/* Everything that was added is durable, or cannot be for now. */
bool sink_is_settled(const struct sink *sink);

/* Bytes of an event that has not ended are in the segment. */
bool sink_holds_part(const struct sink *sink);

/* Have a segment open that begins, or goes on, at request->start_position; asked again until it is,
 * or cancelled. */
int sink_open(struct sink *sink, const struct open_segment *request, struct error *err) MUST_CHECK;
void sink_open_cancel(struct sink *sink);

/* A SESSION frame is due: at the start of a segment, and after sink_require_session(). */
bool sink_session_due(const struct sink *sink);
void sink_require_session(struct sink *sink);
int sink_session(struct sink *sink, const void *bytes, size_t size, struct error *err) MUST_CHECK;

/* Take bytes of one event; returns how many, 0 if none can be taken yet. */
size_t sink_add(struct sink *sink, const void *bytes, size_t size);
void sink_event_end(struct sink *sink, const struct segment_event *event);

/*
 * The server asks for an acknowledgement of the event that was ended just now. Its bytes wait
 * neither for more of them nor for frame-delay: they are written as soon as nothing is in flight.
 */
void sink_request(struct sink *sink);

/*
 * The last archived event, which ends at @place, has come again and is the same. It is to be
 * acknowledged though it need not be asked about: who should have done so may have died before,
 * and the transaction that waits may stand before it, so that nothing of it comes again.
 */
void sink_request_again(struct sink *sink, const struct place *place);

/*
 * The newest position that was asked for and is durable on every volume, once: all frames up to the
 * one that holds the last byte before it are complete. Positions of one file never go back.
 */
bool sink_take_acknowledgement(struct sink *sink, struct acknowledgement *ret_acknowledgement);

/* Something that was asked for is not durable yet. */
bool sink_owes_acknowledgement(const struct sink *sink);

/* Who asked has gone; another stream asks anew. */
void sink_forget_requests(struct sink *sink);

/* Should the segment end before an event of @length bytes is added? SIZE, AGE, or 0. */
enum segment_ended sink_roll_due(const struct sink *sink, uint64_t length);

/* Begin to end the open segment. */
void sink_end(struct sink *sink, enum segment_ended ended, const char *next_file);

/* Write what is pending without waiting for more: nothing will come for a while. */
void sink_flush(struct sink *sink);

/* For PROGRESS. */
void sink_note(struct sink *sink, uint64_t source_position, uint64_t byte_count);

/* Tell the keeper; it is told again when it comes back. */
void sink_status(struct sink *sink, const struct pull_status *status);

/* The same for what the pre-flight found; it is not dropped, but told later. */
void sink_preflight(struct sink *sink, const struct pull_preflight *preflight);
/* The same, with @size bytes of the server's list (none without files). */
void sink_observed(struct sink *sink, const struct observed *observed, const uint8_t *list,
		   size_t size);

/* What the keeper wants: is the source to be pulled? Valid until the next call. */
const struct control *sink_control(const struct sink *sink);
/* The same; the newest is told as soon as it can be. */
void sink_semi_sync(struct sink *sink, const struct pull_semi_sync *semi_sync);

/* Why nothing goes on at this end; NULL if all is well. */
const struct error *sink_trouble(const struct sink *sink);
