/*
 * One io_uring for one thread: readiness of descriptors, one durable append in flight per slot,
 * one timer. The puller's whole life is in ring_wait().
 *
 * The ring is restricted to poll, write and timeout before it is enabled, because seccomp does not
 * see ring operations. Without io_uring (ENOSYS, EPERM) ring_new() refuses with a sentence.
 *
 * Owns: the ring; borrows descriptors and buffers until the completion has been returned.
 * Threads: the creating thread only.
 * Durable: RING_APPENDED with result == size: the bytes are on stable storage (RWF_DSYNC on an
 * O_APPEND|O_DIRECT descriptor, and file_confirm_durable() behind it). Any other result: the caller
 * decides; a short write is continued with the rest of the same bytes, an error is final for the
 * file.
 * Crash: a killed process's write may still happen; see file_lease().
 */
#pragma once

#include <stdint.h>
#include <stddef.h>

#include "base/error.h"

#define RING_SLOTS 8 /* volumes times open segments; one append in flight each */

enum ring_event_kind {
	RING_READABLE, /* tag; result < 0 is an error of the poll */
	RING_WRITABLE,
	RING_APPENDED, /* tag, result: bytes written or -errno */
	RING_TIMER,
};

struct ring_event {
	enum ring_event_kind kind;
	uint32_t tag; /* as given when the operation was started */
	int result;
};

struct ring;

int ring_new(struct ring **ret_ring, struct error *err) MUST_CHECK;
void ring_free(struct ring *ring); /* waits for appends in flight */

/* One-shot readiness; starting it again while pending is an ASSERT. @tag below 32; readable and
 * writable of one tag may be pending together. Cancelling ends both: no event of theirs comes any
 * more, and they may be started again at once. */
void ring_poll_readable(struct ring *ring, int fd, uint32_t tag);
void ring_poll_writable(struct ring *ring, int fd, uint32_t tag);
void ring_poll_cancel(struct ring *ring, uint32_t tag);

/* Start one append, @tag below RING_SLOTS. At most one in flight per descriptor: on XFS two lose
 * data with both reporting success (measured), so it is ASSERTed per @tag. */
void ring_append(struct ring *ring, int fd, const void *buffer, size_t size, uint32_t tag);

/* (Re)arm the timer at an absolute CLOCK_MONOTONIC time, in microseconds; 0 disarms it. */
void ring_timer(struct ring *ring, uint64_t monotonic_usec);

/*
 * Submit what was started and wait for at least one event; returns how many stand in @events.
 * 0 events: interrupted by a signal, or woken for nothing; look at the signal flag and wait again.
 */
int ring_wait(struct ring *ring, struct ring_event *events, size_t events_max,
	      struct error *err) MUST_CHECK;
