/*
 * The segment that is being written: frames from the writer, appended one at a time.
 *
 * Invariants
 *  1. At most one append per descriptor is in flight, and frame n+1 is submitted only when frame n
 *     is complete on every volume.
 *  2. `durable` is the summary of the last frame that is complete on every volume, and nothing is
 *     acknowledged or reported that is not in it.
 *  3. The bytes of a frame are never made twice: a short write goes on with the rest of them, also
 *     after the volume was full.
 *  4. A position that was asked for by segment_request() goes with the frame that holds its last
 *     byte, and segment_take_granted() gives it only after that frame is complete on every volume.
 *
 * Owns: descriptors, writer, key (inside the writer). Borrows: the ring, with tags
 * [tag, tag + volumes). Threads: one. Nothing is allocated after _new.
 * Durable: see invariant 2. Crash: the keeper finds the longest authentic prefix.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "io/ring.h"
#include "protocol/pull_messages.h"
#include "volume/writer.h"

struct segment;

/* Takes @fds (closes them also on failure). @opened->key is wiped. */
int segment_new(struct ring *ring, uint32_t tag, struct segment_opened *opened, const int *fds,
		size_t fd_count, int compression_level, struct segment **ret_segment,
		struct error *err) MUST_CHECK;
void segment_free(struct segment *segment); /* abandons what is not durable */
DEFINE_CLEANUP(segment_free, struct segment *);

const struct segment_header *segment_header(const struct segment *segment);
struct segment_writer *segment_writer(struct segment *segment);

/* Frames that stand unwritten or in flight. */
size_t segment_frames(const struct segment *segment);

/* Is an append in flight? Only without one may it be freed. */
bool segment_in_flight(const struct segment *segment);

/* Make the pending bytes a frame and queue it; segment_writer_ready() must hold. */
void segment_flush(struct segment *segment, uint64_t now_usec);

/*
 * The server waits for an acknowledgement of the event that ends at @position, which was added with
 * all that is before it. Only the newest request of a frame is kept: one covers what is before it.
 */
void segment_request(struct segment *segment, uint64_t position);
bool segment_requested(const struct segment *segment); /* one goes with the pending bytes */
bool segment_owes(const struct segment *segment);      /* one is not durable yet */

/* The newest request that has become durable, once; 0: none. */
uint64_t segment_take_granted(struct segment *segment);

/* The connection that asked has gone: nobody waits for these answers any more. */
void segment_forget_requests(struct segment *segment);

int segment_queue_session(struct segment *segment, const void *bytes, size_t size,
			  uint64_t now_usec, struct error *err) MUST_CHECK;
int segment_queue_end(struct segment *segment, enum segment_ended ended, const char *next_file,
		      uint64_t now_usec, struct error *err) MUST_CHECK;

/*
 * An append of ours completed: @result as the ring gave it. 1: a frame became durable; 0: not yet.
 * ERROR_NO_SPACE: the volume is full, segment_retry() goes on with the same bytes.
 * ERROR_IO: final for this segment.
 */
int segment_appended(struct segment *segment, uint32_t tag, int result,
		     struct error *err) MUST_CHECK;
void segment_retry(struct segment *segment);

/* What is durable on every volume: the last frame's, zeroes before the first. */
struct segment_durable {
	struct segment_summary summary;
	uint32_t sequence;
	uint8_t tag[AEAD_TAG_SIZE];
	uint64_t received_usec;
	uint64_t size; /* of the file */
	bool any;
};
const struct segment_durable *segment_durable(const struct segment *segment);
