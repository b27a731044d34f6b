/*
 * Which configuration the archive runs with, in the ledger: its hash at each start, the bundle that
 * it comes from, and the bundles that were refused.
 *
 * The ledger remembers the last bundle's version when everything around it has been replaced: one
 * that is older, or none at all, is refused here, whatever the directory says that it lies in.
 *
 * Owns: nothing. Threads: the loop's. Durable: when they return, the leaf is.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
#include "store/state.h"

struct keeper;
struct operator_caller;

/* May an archive in this state go on with it? ERROR_REFUSED with what to do. */
int configuration_check(const struct state *state, const struct config *config,
			struct error *err) MUST_CHECK;

/* At start: the `config` leaf; or a `config-refused` leaf with the sentence of @reason, if it can
 * be written. */
int configuration_record(struct keeper *keeper, struct error *err) MUST_CHECK;
void configuration_refuse(struct keeper *keeper, const struct error *reason);

/*
 * The verb `config-refused`: {"usec", "sentence", "hash" and "version" where known}. Becomes a
 * leaf, unless the latest of them says the same. The answer is empty.
 */
int configuration_answer_refused(struct keeper *keeper, const struct operator_caller *caller,
				 const json_t *request, json_t *reply,
				 struct error *err) MUST_CHECK;

/* For `status`: {"bundle": version, "refused": {time, version, sentence} (the latest)}, each if
 * there is one. */
json_t *configuration_status(const struct keeper *keeper);
