/*
 * What a pre-flight found, told to the keeper.
 *
 * Owns: nothing. Threads: the puller's.
 */
#pragma once

#include "config/config.h"
#include "pull/sink.h"
#include "pull/stream.h"

/* After stream_open(), whatever came of it: nothing is told if it ended before the pre-flight. */
void verdict_tell(const struct stream *stream, const struct config_server *server,
		  struct sink *sink);
