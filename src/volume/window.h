/*
 * A sequential view of a segment file: large aligned reads, and every byte read once, hashed on
 * the way. Callers ask for offsets that only grow.
 *
 * Owns: its buffer and hasher. Borrows: the descriptor. Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "volume/hashes.h"

/* The most that one call can ask for: the largest frame. */
#define WINDOW_WANT_MAX ((size_t)(1u << 20) + 65536)

struct window;

/* The file's size is taken now; what is appended later is not seen. ERROR_DEFECT if it is larger
 * than SEGMENT_SIZE_MAX. */
int window_new(int fd, struct window **ret_window, struct error *err) MUST_CHECK;
void window_free(struct window *window);
DEFINE_CLEANUP(window_free, struct window *);

uint64_t window_file_size(const struct window *window);

/*
 * At least @want bytes from @offset (a multiple of BLOCK_SIZE_MIN, not before the last call's, not
 * behind what the last call returned), fewer only at the end of the file. Valid until the next
 * call.
 */
int window_at(struct window *window, uint64_t offset, size_t want, const uint8_t **ret_bytes,
	      size_t *ret_size, struct error *err) MUST_CHECK;

/* Hashes of the whole file; everything has been asked for. */
void window_hashes(struct window *window, struct segment_hashes *ret_hashes);
