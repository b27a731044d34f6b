/*
 * Turns the bytes of one frame into a struct frame: structure, tag, padding, content. What must
 * hold between frames is segment_state_accept().
 *
 * Owns: its cipher, decompressor and plaintext. Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "volume/frame.h"

struct frame_opener;

int frame_opener_new(const struct secret *segment_key, uint32_t block_size,
		     struct frame_opener **ret_opener, struct error *err) MUST_CHECK;
void frame_opener_free(struct frame_opener *opener);
DEFINE_CLEANUP(frame_opener_free, struct frame_opener *);

/*
 * The frame that begins at @bytes; @size of them are there, @offset is where in the file. The
 * frame's pointers are valid until the next call. ERROR_DEFECT: "frame at offset …: …". Of a DATA
 * or SESSION frame, `summary` is not set: that needs the state.
 */
int frame_open(struct frame_opener *opener, const uint8_t *bytes, size_t size, uint64_t offset,
	       struct frame *ret_frame, struct error *err) MUST_CHECK;

/*
 * Whether @frame may follow what @state describes; if so, the state after it, and the frame's
 * summary is complete. ERROR_DEFECT: "frame at offset …: …". END leaves the state as it is.
 */
int segment_state_accept(struct segment_state *state, struct frame *frame,
			 struct error *err) MUST_CHECK;
