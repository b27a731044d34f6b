/*
 * From received events to segments: which event begins a file, which segment it goes to, where the
 * archive stands.
 *
 * A file's first two events are held until both are there, because a segment names its file by
 * them. A file is closed by a segment that ends with ROTATE: at the ROTATE event, or, for a file
 * that the server left without one (STOP, a crash), when the server goes on with another; if no
 * segment is open then, an empty one says so.
 *
 * Owns: the place, and one item at a time; borrows the item's bytes and the session. Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "pull/handshake.h"
#include "pull/place.h"
#include "pull/receiver.h"
#include "pull/sink.h"

struct feed;

struct feed *feed_new(struct sink *sink);
void feed_free(struct feed *feed);
DEFINE_CLEANUP(feed_free, struct feed *);

/*
 * The keeper's answer. Returns 1 if it says another place than ours or @let_go: the stream must
 * begin anew; 0 if the stream may go on.
 */
int feed_attached(struct feed *feed, const struct attached *attached, bool let_go,
		  struct error *err) MUST_CHECK;

/* The last event that a segment has, and whose server it came from (NULL: none yet). */
const struct place *feed_place(const struct feed *feed);
const uint8_t *feed_identity(const struct feed *feed);

/* A stream begins, with @file; identity and session are borrowed until the next. */
void feed_stream(struct feed *feed, const struct identity *identity, const struct session *session,
		 const char *file);

/* The stream has ended: forget the item; a part of an event in the segment ends it. */
void feed_lost(struct feed *feed);

/*
 * Give the next received item, with the file's FORMAT_DESCRIPTION, when there is none.
 * ERROR_REFUSED or ERROR_DEFECT is about the stream.
 */
int feed_offer(struct feed *feed, const struct received *item, const uint8_t *format_event,
	       size_t format_size, struct error *err) MUST_CHECK;
bool feed_has_item(const struct feed *feed);

/* Go on with it: 1 done, 0 blocked, or an error that ends the puller. */
int feed_step(struct feed *feed, struct error *err) MUST_CHECK;

/* Event bytes that segments have taken since the start. */
uint64_t feed_byte_count(const struct feed *feed);
