/*
 * A place in a stream to be known again on the next one.
 *
 * Owns: nothing; a plain value, zeros: none.
 */
#pragma once

#include "pull/receiver.h"

struct spot {
	char file[BINLOG_NAME_MAX + 1]; /* "": none */
	uint64_t position;
};

/* Where the stream stands; does it stand there? */
void spot_note(struct spot *spot, const struct receiver *receiver);
bool spot_is_of(const struct spot *spot, const struct receiver *receiver);

/* Is it the second time that the stream stands at this very place? Then it is noted. */
bool spot_again(struct spot *spot, const struct receiver *receiver);
