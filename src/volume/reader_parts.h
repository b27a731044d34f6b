/* What reading a sealed segment and scanning an interrupted one share; for volume/ only. */
#pragma once

#include "volume/opener.h"
#include "volume/reader.h"
#include "volume/window.h"

struct segment_reader {
	int fd;
	struct window *window;
	struct frame_opener *opener; /* NULL until unlocked */
	struct segment_header header;
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	struct segment_state state;
	struct segment_end end; /* as authenticated by unlock() */
	bool done;
	struct gtid_ranges *frame_ranges; /* of one frame, to check its encoding */
	struct gtid_ranges *ranges;	  /* of all frames */
	struct hasher *ranges_hasher;
	struct hash ranges_hash;
	struct segment_hashes hashes;
	uint8_t *block; /* BLOCK_SIZE_MAX, for END read ahead of the rest */
};

/* Only the cipher. */
int segment_reader_key(struct segment_reader *reader, const struct secret *segment_key,
		       struct error *err) MUST_CHECK;

/*
 * END, where the last 8 bytes of the file say. 1 and *ret_frame if one stands there that is
 * authentic, 0 and the reason in @err if not; negative if it cannot be read, or if it is authentic
 * and contradicts where it stands.
 */
int segment_reader_find_end(struct segment_reader *reader, struct frame *ret_frame,
			    struct error *err) MUST_CHECK;

/* The frame at the state's offset, authenticated, in order, its ranges united; not END. */
int segment_reader_frame(struct segment_reader *reader, struct frame *ret_frame,
			 struct error *err) MUST_CHECK;

/* Where END must begin if the file ends with one; 0 and the reason in @err if it does not. Needs
 * no key. */
int segment_end_locate(int fd, uint64_t file_size, uint32_t block_size, uint8_t *block,
		       uint64_t *ret_offset, struct frame_header *ret_header,
		       struct error *err) MUST_CHECK;
