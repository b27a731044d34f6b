/*
 * Sources that a person pauses: the verbs `pause` and `resume` of the operator's socket, their
 * leaves, and what a puller is told. A pause lasts over restarts, until it is ended.
 *
 * Owns: nothing. Threads: the loop's. Durable: the answer to a verb comes when its leaf is.
 */
#pragma once

#include "base/json.h"
#include "keeper/keeper.h"
#include "protocol/control.h"
#include "protocol/pull_messages.h"

struct operator_caller;

/* Is the source paused? Then what the puller is told. */
bool pause_control(const struct source *source, struct control *ret_control);

/* For `status`: {since, uid, reason}; NULL if it is not paused. */
json_t *pause_status(const struct source *source);

/*
 * {"source", "reason"}. The answer: name, state ("paused", "resumed"), and for resume what was not
 * covered: from {file, position, usec}, to (usec).
 */
int pause_answer_pause(struct keeper *keeper, const struct operator_caller *caller,
		       const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
int pause_answer_resume(struct keeper *keeper, const struct operator_caller *caller,
			const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
