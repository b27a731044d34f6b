/*
 * What a segment knows about its own content: the running summary that every DATA frame begins
 * with, the END record, and the state in which the next frame finds the segment.
 *
 * The keeper recovers a segment by copying the last summary; it parses nothing else.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/error.h"
#include "base/name.h"
#include "crypto/hash.h"

#define SEGMENT_SUMMARY_SIZE 72
#define DATA_PREFIX_SIZE     (SEGMENT_SUMMARY_SIZE + 8) /* and range count, ranges size */
#define SEGMENT_END_SIZE     264
#define SEGMENT_TRAILER_SIZE 8 /* END's total size, the last bytes of a sealed file */

enum segment_summary_flag {
	SUMMARY_CRC_WRONG = 1, /* an event came with a wrong CRC twice, and is kept as it came */
};
#define SUMMARY_FLAGS_KNOWN 1u

/*
 * Only whole events that the puller accepted count. Times are the server's, set by any SQL user:
 * hints for searching, never policy. 0 means that there was none.
 */
struct segment_summary {
	uint64_t event_count;
	uint64_t transaction_count;
	uint64_t event_end;	  /* good end: binlog position after the last whole event */
	uint64_t transaction_end; /* after the last whole transaction; while transaction_count is 0
				     it is the start position and says nothing */
	uint64_t last_event_position;	/* of its first byte; 0 while event_count is 0 */
	uint64_t time_first_usec;	/* the earliest of all events */
	uint64_t time_last_usec;	/* the latest of all events */
	uint64_t transaction_last_usec; /* of the last whole transaction */
	uint32_t last_event_crc;
	uint32_t flags; /* enum segment_summary_flag */
};

enum segment_ended {
	SEGMENT_ENDED_ROTATE = 1,    /* the binlog file ended; next_file may name the next */
	SEGMENT_ENDED_SIZE = 2,	     /* segment-size */
	SEGMENT_ENDED_AGE = 3,	     /* segment-age */
	SEGMENT_ENDED_SHUTDOWN = 4,  /* the puller was asked to stop */
	SEGMENT_ENDED_RECOVERED = 5, /* the keeper ended it for a puller that died */
	SEGMENT_ENDED_RESET = 6,     /* the server began a new history */
	SEGMENT_ENDED_BROKEN = 7,    /* the connection broke inside an event, or a CRC was wrong */
};

/* File offsets of bytes that mean nothing: [begin, end). Empty if they are equal. */
struct segment_void {
	uint64_t begin;
	uint64_t end;	  /* where END begins, a multiple of the block size */
	struct hash hash; /* SHA-256 of those bytes */
};

struct segment_end {
	struct segment_summary summary;
	struct segment_void void_range;
	uint32_t frame_count; /* SESSION and DATA frames: END's own sequence */
	uint32_t session_count;
	enum segment_ended ended;
	char next_file[BINLOG_NAME_MAX + 1]; /* "" if not known; only for ROTATE */
};

/* Where the next frame will stand, and what is before it. */
struct segment_state {
	uint32_t next_sequence;
	uint32_t session_count;
	uint64_t offset;   /* in the file */
	uint64_t position; /* binlog position of the next event byte */
	struct segment_summary summary;
};

/* The state after the header: block_size, start_position, nothing counted. */
void segment_state_init(struct segment_state *state, uint32_t block_size, uint64_t start_position);

/* "rotate", "size", …: the word that leaves and listings use; NULL for no such value. */
const char *segment_ended_name(enum segment_ended ended);

void segment_summary_encode(const struct segment_summary *summary,
			    uint8_t ret_bytes[static SEGMENT_SUMMARY_SIZE]);
int segment_summary_decode(const uint8_t bytes[static SEGMENT_SUMMARY_SIZE],
			   struct segment_summary *ret_summary, struct error *err) MUST_CHECK;

/* Encoding refuses, with ERROR_USAGE, what decoding would refuse with ERROR_DEFECT. */
int segment_end_encode(const struct segment_end *end, uint8_t ret_bytes[static SEGMENT_END_SIZE],
		       struct error *err) MUST_CHECK;
int segment_end_decode(const uint8_t bytes[static SEGMENT_END_SIZE], struct segment_end *ret_end,
		       struct error *err) MUST_CHECK;
