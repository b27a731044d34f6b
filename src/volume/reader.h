/*
 * Reads segments back: whole ones frame by frame, interrupted ones for recovery, and any of them
 * for what is known without a key.
 *
 * Nothing is handed out that was not authenticated. A defect's sentence says where: "frame at
 * offset 88213: authentication tag does not match".
 *
 * Owns: its buffers (about 5 MiB, all allocated by _new), its own cipher. Borrows: the descriptor,
 * direct or buffered; reads are aligned and large. Threads: one per object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "volume/frame.h"
#include "volume/hashes.h"
#include "volume/header.h"
#include "volume/ranges.h"
#include "volume/summary.h"

struct segment_reader;

/* Reads and checks the header block; no key yet. */
int segment_reader_new(int fd, struct segment_reader **ret_reader, struct error *err) MUST_CHECK;
void segment_reader_free(struct segment_reader *reader);
DEFINE_CLEANUP(segment_reader_free, struct segment_reader *);

const struct segment_header *segment_reader_header(const struct segment_reader *reader);
/* SEGMENT_HEADER_SIZE bytes as they stand in the file, to compare with the leaf's. */
const uint8_t *segment_reader_header_bytes(const struct segment_reader *reader);

/*
 * Take the key, find END and authenticate it. ERROR_DEFECT if there is none: only sealed segments
 * are read frame by frame. *ret_end may be NULL.
 */
int segment_reader_unlock(struct segment_reader *reader, const struct secret *segment_key,
			  struct segment_end *ret_end, struct error *err) MUST_CHECK;

/*
 * The next frame, in order, END the last: 1; then 0. Whoever has seen 0 has seen every byte of the
 * file checked: sequence, position, sizes, tags, padding, the void range and END's totals.
 *
 * Event bytes at and after END's good end are void: segment_frame_good_size() cuts them off.
 */
int segment_reader_next(struct segment_reader *reader, struct frame *ret_frame,
			struct error *err) MUST_CHECK;

/* How many of a DATA frame's event bytes lie before @good_end. */
size_t segment_frame_good_size(const struct frame *frame, uint64_t good_end);

/* After segment_reader_next() returned 0: of the file as it was read, in the same pass. */
const struct segment_hashes *segment_reader_hashes(const struct segment_reader *reader);
/* … the united GTID ranges, or overflowed above SEALED_RANGES_SIZE_MAX … */
const struct gtid_ranges *segment_reader_ranges(const struct segment_reader *reader);
/* … and SHA-256 of all frames' encoded ranges in the order of the frames, for that case. */
const struct hash *segment_reader_ranges_hash(const struct segment_reader *reader);

/* What recovery needs to know about a segment that may have been interrupted anywhere. */
struct segment_scan {
	struct segment_header header;
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	uint64_t file_size;
	bool sealed;		    /* a valid END ends the file; the next five describe it then */
	struct segment_end end;	    /* if sealed */
	struct segment_state state; /* after the last authentic SESSION or DATA frame */
	uint8_t last_tag[AEAD_TAG_SIZE]; /* of that frame; zeros if there is none */
	/* What follows that frame. To end the segment: append filler_size zero bytes, then END made
	 * with `state` as resume and with this range (which includes the filler). */
	struct segment_void void_range;
	uint32_t filler_size;
	/* An authentic frame was found further on in the void: this is damage in the middle and no
	 * torn tail. Its offset, 0 if none. Do not end such a copy while there may be a better. */
	uint64_t stray_offset;
	struct error tear; /* if not sealed and the void is not empty: why the prefix ends */
	struct gtid_ranges *ranges;
	struct hash ranges_hash;
};

/*
 * The longest authenticated prefix. ERROR_DEFECT if the header is not whole, or if END stands and
 * something before it does not fit; ERROR_IO if a read fails. On success the caller releases.
 */
int segment_scan(int fd, const struct secret *segment_key, struct segment_scan *ret_scan,
		 struct error *err) MUST_CHECK;
void segment_scan_release(struct segment_scan *scan);

/* Structure only, without a key: what may be shown, never trusted. */
struct segment_outline {
	struct segment_header header;
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	uint64_t file_size;
	bool ended; /* the file ends with what looks like END */
	uint64_t end_offset;
	struct frame_header end;
};
int segment_outline(int fd, struct segment_outline *ret_outline, struct error *err) MUST_CHECK;
