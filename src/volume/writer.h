/*
 * Makes the frames of one segment. It does no I/O: it turns event bytes into ciphertext that the
 * caller appends to every volume, in the order in which it was made.
 *
 * A frame once built is completed or abandoned, never made again: the bytes stay as they are until
 * segment_writer_written(), and a short write goes on with the rest of the same bytes.
 * Two frames may stand at a time, so that one is built while the other is being written.
 *
 *   while events arrive:  add(bytes of one event) … event_end(event)
 *   when it is time:      build() → write on every volume → written()
 *   at a connect:         session()      at the close: end()      both are frames like build()'s
 *
 * Owns: all its memory (about 4.5 MiB) and its own cipher; allocates nothing after _new.
 * Borrows: the key, only during _new. Threads: one.
 * Crash: what was appended is found by segment_scan(); the keeper ends it with a writer of its own
 * that begins with `resume`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "volume/header.h"
#include "volume/summary.h"

#define COMPRESSION_LEVEL_MAX 9

struct segment_writer;

struct segment_writer_options {
	int compression_level;		    /* 0 none, 1 (fast) to COMPRESSION_LEVEL_MAX */
	const struct segment_state *resume; /* NULL: right after the header */
	/* Nonces, for tests only; NULL: random_bytes(). */
	void (*random)(void *context, void *bytes, size_t size);
	void *random_context;
};

/* One whole event that is accepted; its last byte was the last byte added. */
struct segment_event {
	uint64_t position;  /* of its first byte */
	uint64_t length;    /* bytes */
	uint32_t crc;	    /* as it came */
	bool crc_wrong;	    /* wrong on two connections, kept as it came */
	uint64_t time_usec; /* 0: none */
	bool transaction_end;
	uint64_t transaction_usec; /* with transaction_end; 0: time_usec */
	const uint8_t *gtid_group; /* NULL: this event completes no GTID */
	uint8_t gtid_group_size;
	uint64_t gtid_sequence;
};

/* A frame that is ready to be appended. */
struct segment_output {
	const uint8_t *bytes; /* aligned for direct I/O, until segment_writer_written() */
	size_t size;	      /* a multiple of the block size */
	uint64_t offset;      /* where it will stand in the file */
	uint32_t sequence;
	uint64_t received_usec;
	uint8_t tag[AEAD_TAG_SIZE];
	struct segment_summary summary; /* true as soon as the frame is durable */
};

int segment_writer_new(const struct segment_header *header, const struct secret *segment_key,
		       const struct segment_writer_options *options,
		       struct segment_writer **ret_writer, struct error *err) MUST_CHECK;
void segment_writer_free(struct segment_writer *writer);
DEFINE_CLEANUP(segment_writer_free, struct segment_writer *);

/*
 * Take bytes of one event into the pending frame. Returns how many were taken, 0 when the frame is
 * full: then build() it and add the rest. Event after event: never bytes of two in one call.
 */
size_t segment_writer_add(struct segment_writer *writer, const void *bytes, size_t size);

/* The event whose last byte was just added is whole and accepted. Before the next build(). */
void segment_writer_event_end(struct segment_writer *writer, const struct segment_event *event);

/* Event bytes in the pending frame; whether add() would take nothing. */
size_t segment_writer_pending(const struct segment_writer *writer);
bool segment_writer_full(const struct segment_writer *writer);

/* The segment is near the format's limits (frames, bytes): end it and open the next. From then on
 * it takes what two more frames hold and END, no more. */
bool segment_writer_exhausted(const struct segment_writer *writer);

/* Fewer than two frames stand unwritten: build(), session() and end() may be called. */
bool segment_writer_ready(const struct segment_writer *writer);

/* Position, counts and summary with all that was added. */
const struct segment_state *segment_writer_state(const struct segment_writer *writer);

/* The pending bytes (at least one) as a frame. */
void segment_writer_build(struct segment_writer *writer, uint64_t received_usec,
			  struct segment_output *ret_output);

/* A SESSION frame: nothing is pending and no event is open. ERROR_DEFECT above SESSION_SIZE_MAX. */
int segment_writer_session(struct segment_writer *writer, const void *bytes, size_t size,
			   uint64_t received_usec, struct segment_output *ret_output,
			   struct error *err) MUST_CHECK;

/* The oldest frame that stands is complete on every volume; its buffer is free again. */
void segment_writer_written(struct segment_writer *writer);

/*
 * The END frame: nothing is pending; nothing follows. Bytes of an event that was not ended lie past
 * the good end and are void. @next_file: NULL or "" if none. @void_range: from segment_scan() at
 * recovery, else NULL. ERROR_USAGE if these contradict each other.
 */
int segment_writer_end(struct segment_writer *writer, enum segment_ended ended,
		       const char *next_file, const struct segment_void *void_range,
		       uint64_t received_usec, struct segment_output *ret_output,
		       struct error *err) MUST_CHECK;
