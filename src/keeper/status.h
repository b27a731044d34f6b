/*
 * What `binvault status` shows, as the operator's socket gives it:
 *
 *   schema, name, archive, version, isolation, worm, now, started: "required" …, times in
 *   microseconds since 1970 as strings
 *   normal                 false: exit 6
 *   sources []             name, connected, state, server, sentence, retry, covered {file,
 * position, received}, behind (bytes), received (bytes since its start), segments [] not sealed:
 * path, state, since, sentence volumes []             path, free, reserve keys master, hsm ("ok" or
 * "away"), sentence, unsigned, checkpoint_size, checkpoint_time, rollback_checked ledger leaves
 *   alarms []              name, sentence, since
 *
 * Owns: nothing. Threads: the loop's.
 */
#pragma once

#include "base/json.h"
#include "keeper/keeper.h"

struct operator_caller;

int status_answer(struct keeper *keeper, const struct operator_caller *caller,
		  const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
