/*
 * What the pre-flights of a source's puller found: into the ledger when it differs from the last of
 * that server, and what `status` warns of. The certificates' ends are judged when status is asked,
 * since a connection may live for months.
 *
 * Owns: nothing; the record is the source's. Threads: the loop's.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "keeper/source.h"

/* A PREFLIGHT message. An error is the puller's: it is disconnected. */
int preflight_take(struct source *source, const struct message *message,
		   struct error *err) MUST_CHECK;

/* [{"rule", "sentence"}, …] of the server that was connected to last. */
json_t *preflight_warnings(const struct source *source, uint64_t now_usec);

/* Does a certificate end so soon that somebody must act? */
bool preflight_needs_attention(const struct source *source, uint64_t now_usec);
