/*
 * Gaps in what is archived of a source, and the verb `accept-gap` of the operator's socket: a
 * person says that he knows, and why the archive goes on with it. Then `status` is normal about
 * that gap; it, `list` and every restore still state it.
 *
 * Owns: nothing. Threads: the loop's. Durable: the answer to the verb comes when its leaf is.
 */
#pragma once

#include "base/json.h"
#include "keeper/keeper.h"

struct operator_caller;

/* Is there one that nobody has accepted? */
bool gap_needs_attention(const struct source *source);

/*
 * For `status`: gaps, how many there are; gaps_open, how many of them nobody has accepted; and
 * gaps_accepted, each {generation, sentence, accepted (in words), since, uid, reason}.
 */
void gap_status(const struct source *source, json_t *object);

/* {"source", "generation", its first digits, "reason"}. The answer: name, generation, sentence. */
int gap_answer_accept(struct keeper *keeper, const struct operator_caller *caller,
		      const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
