/*
 * Frames: what a segment consists of after its header block. A 48-byte header (all of it
 * authenticated), ciphertext, a 16-byte tag, zeros up to the block size. FORMAT.md, "Frames", is
 * normative.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/error.h"
#include "crypto/aead.h"
#include "volume/ranges.h"
#include "volume/summary.h"

#define FRAME_MAGIC	     0x4d465642u /* "BVFM" */
#define FRAME_HEADER_SIZE    48
#define FRAME_PLAIN_SIZE_MAX (1u << 20)
#define FRAME_SEQUENCE_MAX   ((1u << 24) - 1)
#define FRAME_OVERHEAD	     (FRAME_HEADER_SIZE + AEAD_TAG_SIZE)
#define SESSION_SIZE_MAX     65536

/* Event bytes that one frame holds at most; room for the largest ranges is always kept. */
#define FRAME_EVENT_SIZE_MAX (FRAME_PLAIN_SIZE_MAX - DATA_PREFIX_SIZE - FRAME_RANGES_SIZE_MAX)

enum frame_kind {
	FRAME_SESSION = 1, /* opaque bytes about the connection that the next frames came over */
	FRAME_DATA = 2,	   /* event bytes */
	FRAME_END = 3,	   /* the last frame of a sealed segment */
};

enum frame_flag {
	FRAME_COMPRESSED = 1, /* the ciphertext holds one zstd frame of plain_size bytes */
	FRAME_FIRST = 2,      /* DATA: its first event byte is the first of an event */
	FRAME_LAST = 4,	      /* DATA: its last event byte is the last of an accepted event */
};
#define FRAME_FLAGS_KNOWN 7

struct frame_header_disk {
	le32 magic;
	uint8_t kind;
	uint8_t flags;
	le16 reserved;
	le32 sequence;
	le32 plain_size;
	le32 stored_size;
	le64 position;
	le64 received_usec;
	uint8_t nonce[AEAD_NONCE_SIZE];
};

struct frame_header {
	enum frame_kind kind;
	uint8_t flags;	      /* enum frame_flag */
	uint32_t sequence;    /* from 0, without holes, all kinds */
	uint32_t plain_size;  /* bytes of plaintext, uncompressed */
	uint32_t stored_size; /* bytes of ciphertext */
	uint64_t position;    /* binlog position of its first event byte, or of the next one */
	uint64_t received_usec;
	uint8_t nonce[AEAD_NONCE_SIZE];
};

/* A frame that has been read and authenticated. Pointers are the reader's, until its next call. */
struct frame {
	struct frame_header header;
	uint64_t offset;     /* in the file */
	uint32_t total_size; /* with header, tag and padding */
	uint8_t tag[AEAD_TAG_SIZE];
	struct segment_summary summary; /* as it stands after this frame */
	const uint8_t *ranges;		/* DATA: this frame's GTID ranges, encoded */
	uint32_t ranges_size;
	uint32_t range_count;
	const uint8_t *data; /* DATA: event bytes; SESSION: its bytes; END: NULL */
	size_t size;
	struct segment_end end; /* END only */
};

void frame_header_encode(const struct frame_header *header,
			 uint8_t ret_bytes[static FRAME_HEADER_SIZE]);

/* Checks all that can be known without the key and without the frames before: ERROR_DEFECT. */
int frame_header_decode(const uint8_t bytes[static FRAME_HEADER_SIZE],
			struct frame_header *ret_header, struct error *err) MUST_CHECK;

/* Bytes that the frame takes in the file. END's include the 8 bytes of its size. */
uint32_t frame_total_size(const struct frame_header *header, uint32_t block_size);
