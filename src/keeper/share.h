/*
 * What clients read: restores for a [client NAME], each in `[export] path`/CLIENT from the moment
 * it is whole until its end, or until a person ends it. Who serves the directories to whom is no
 * business of the keeper (`binvault share config`); what is there is.
 *
 * Withdrawn is first the name, at once, then the files, then the leaf. What a server of the share
 * holds open it may still read until it lets go.
 *
 * Owns: nothing; keeper->share_timer is its. Threads: the loop's.
 * Crash: share_start() withdraws what is due, also what was half removed.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "keeper/keeper.h"
#include "store/request_record.h"

struct operator_caller;

/* Make the directories of the configured clients, for @gid to read unless that is -1. */
int share_start(struct keeper *keeper, gid_t gid, struct error *err) MUST_CHECK;

/* What is exported is for the client of @request, until when; nothing if it is for nobody. */
void share_fill(const struct request_record *request, struct exported_record *record);

/* A leaf came that may have an end. */
void share_schedule(struct keeper *keeper);

/*
 * Verbs of the operator's socket (operator.h).
 *
 * shares: gives shares, [{request, client, name, end_usec}].
 * withdraw: request, reason gives client and name of what is no more there.
 */
int share_answer_list(struct keeper *keeper, const struct operator_caller *caller,
		      const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
int share_answer_withdraw(struct keeper *keeper, const struct operator_caller *caller,
			  const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
