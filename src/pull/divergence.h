/*
 * A server whose history is not the archived one: why, as locate.h wants to know it, and how soon
 * it may be gone on with. At once; but a server whose history keeps changing would have its files
 * archived again and again, so that a second time within DIVERGENCE_PAUSE_USEC waits.
 *
 * Owns: nothing; a plain value, zeros: none. Time comes in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "volume/generation.h"

#define DIVERGENCE_PAUSE_USEC (60 * USEC_PER_SEC)

struct divergence {
	enum generation_reason reason; /* 0: the place can be gone on from */
	uint64_t found_usec;	       /* monotonic: the last time */
};

/*
 * A stream has shown it; @file_is_gone: by not having the archived file. When the file that should
 * have had another end turns out to be another file, the server was reset. Returns when to go on.
 */
uint64_t divergence_found(struct divergence *divergence, bool file_is_gone, uint64_t now_usec);
