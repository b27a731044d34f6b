/*
 * One question to the keeper over the operator's socket (the protocol: keeper/operator.h).
 *
 * Owns: the answer belongs to the caller. Threads: any.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "config/config.h"

/*
 * Send @request (an object with "verb") and wait for the answer, 30 seconds at most.
 * ERROR_UNAVAILABLE: the keeper does not run. What the keeper answers as an error becomes the error
 * of this call, with its code and sentence.
 */
int operator_ask(const struct config *config, const json_t *request, json_t **ret_reply,
		 struct error *err) MUST_CHECK;
