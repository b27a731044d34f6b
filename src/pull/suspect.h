/*
 * An event that came with a wrong CRC: damaged on the way, or at the source? If a later connection
 * brings it byte for byte the same, it is what the source has.
 *
 * The bytes are not kept, so that an event may have any size: SHA-256 of them is. An event that
 * lies in memory whole is hashed when its CRC turns out to be wrong; one that came in pieces is
 * gone by then, and is hashed when it comes again.
 *
 * Owns: a hasher and the places of a few events. Threads: one. Allocates nothing after _new().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/name.h"
#include "crypto/hash.h"

struct suspect;

struct suspect *suspect_new(void);
void suspect_free(struct suspect *suspect);
DEFINE_CLEANUP(suspect_free, struct suspect *);

/* The event of @file at @position begins: once a connection. */
void suspect_begin(struct suspect *suspect, const char *file, uint64_t position);

/* Its next bytes. */
void suspect_update(struct suspect *suspect, const void *bytes, size_t size);

enum suspect_verdict {
	SUSPECT_FIRST,	   /* it has not come so before: see what the next connection brings */
	SUSPECT_DIFFERENT, /* it came with other bytes: nobody knows which are right */
	SUSPECT_SAME,	   /* it came so before, byte for byte */
};

/* The event that was begun there has a wrong CRC. @whole: its @length bytes, NULL if it came in
 * pieces. What comes at this place next is compared with it. */
enum suspect_verdict suspect_judge(struct suspect *suspect, const char *file, uint64_t position,
				   const uint8_t *whole, uint32_t length);
