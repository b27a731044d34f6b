/*
 * A place of a stream that something happened at, to know it again on the next connection.
 *
 * Owns: nothing; a plain value, zeros: none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/name.h"
#include "pull/receiver.h"

struct spot {
	char file[BINLOG_NAME_MAX + 1]; /* "": none */
	uint64_t position;
};

/* Where the stream stands; does it stand there? */
void spot_note(struct spot *spot, const struct receiver *receiver);
bool spot_is_at(const struct spot *spot, const struct receiver *receiver);
