/*
 * From received events to segments: which event begins a file, which segment it goes to, where the
 * archive stands.
 *
 * A file's first events are held until they say which file it is and how it joins what is archived
 * (beginning.h, history.h): where it does not go on with the archived one, it begins a generation
 * beside it. A file is closed by a segment that ends with ROTATE: at the ROTATE event, or, for a
 * file that the server left without one (STOP, a crash), when the server goes on with another; if
 * no segment is open then, an empty one says so.
 *
 * Owns: the place, the history, and one item at a time; borrows the item's bytes and the session.
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "pull/handshake.h"
#include "pull/history.h"
#include "pull/locate.h"
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

/* The last event that a segment has. */
const struct place *feed_place(const struct feed *feed);

/* Did the stream begin with a whole file, of which no segment has anything yet? */
bool feed_begins(const struct feed *feed);

/* What of the source's history is archived up to the place. */
const struct history *feed_history(const struct feed *feed);

/* A stream begins; identity and session are borrowed until the next. */
void feed_stream(struct feed *feed, const struct identity *identity, const struct session *session,
		 const struct location *location);

/* The stream has ended: forget the item; a part of an event in the segment ends it. */
void feed_lost(struct feed *feed);

/*
 * Give the next received item, with the file's FORMAT_DESCRIPTION, when there is none.
 * ERROR_REFUSED or ERROR_DEFECT is about the stream. ERROR_DIVERGED: where the archived file should
 * have another end, the server has another file of its name: it was reset.
 */
int feed_offer(struct feed *feed, const struct received *item, const uint8_t *format_event,
	       size_t format_size, struct error *err) MUST_CHECK;
bool feed_has_item(const struct feed *feed);

/* Go on with it: 1 done, 0 blocked, or an error that ends the puller. */
int feed_step(struct feed *feed, struct error *err) MUST_CHECK;

/* Event bytes that segments have taken since the start. */
uint64_t feed_byte_count(const struct feed *feed);
