/*
 * What `binvault status` shows, as the operator's socket gives it:
 *
 *   schema, name, archive, version, isolation, worm, now, started: "required" …, times in
 *   microseconds since 1970 as strings
 *   normal                 false: exit 6
 *   sources []             of each:
 *     name, normal, connected, state, server, sentence, retry, connection (a UUID)
 *     covered              file, position, until (all that was committed by then is durable),
 *                          received (of the last durable byte), gtids (all that is durable up to
 *                          gtids_file and gtids_position, once a minute; left out if not known)
 *     behind, behind_usec  bytes across the server's files as it listed them last; time since until
 *     missed_since         left out unless maximum-uncovered has passed since then
 *     purge                file (the oldest that is not durable whole; "" if that is the one being
 *                          written), usec (until the server may purge it; left out if that is not
 *                          known, or never by age), purged (it has), expire_usec, size_limit
 *     semi_sync            left out where it is not asked for: on, since, sentence (why not), file
 *                          and position (acknowledged last), acknowledged and not_acknowledged
 *                          (transactions since the puller's start), off_spans and off_usec (that
 *                          have ended since it was first on, at most since the keeper's start),
 *                          last_off {since, until, sentence}
 *     observed             time, server, server_time, read_only, file, position, files, gtids,
 *                          semi_sync and its counters, as the server said; sentence, failed: why
 * and when it could not be asked received             bytes since the puller's start segments []
 * not sealed: path, state, since, sentence volumes []             path, free, reserve keys master,
 * hsm ("ok" or "away"), sentence, unsigned, checkpoint_size, checkpoint_time, rollback_checked
 *   configuration          bundle (its version), refused (the last one: time, version, sentence);
 *                          each left out if there is none
 *   ledger                 leaves
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

/* The files of one source's server, as it listed them last: name, state, now, server, time (both
 * left out before the first list), files []: name, size. For `source purge-advice`. */
int status_answer_files(struct keeper *keeper, const struct operator_caller *caller,
			const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
