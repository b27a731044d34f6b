/*
 * When to try again: exponential back-off with full jitter, so that many clients do not come back
 * to a server at once; and a slow, even pace for what only a person can mend, so that a refused
 * login is not hammered.
 *
 * Owns: nothing; a plain value, zeros to begin with.
 */
#pragma once

#include <stdint.h>

struct retry {
	unsigned failed_count; /* in a row */
};

/* Another failure: how long to wait now. @random is any random number. */
uint64_t retry_after_failure(struct retry *retry, uint64_t random);
uint64_t retry_after_refusal(struct retry *retry, uint64_t random);

/*
 * Another client uses our server id. Each of the two ends the other's stream when it connects, and
 * would do so for ever: an hour, and a little by chance so that they do not meet.
 */
uint64_t retry_after_conflict(struct retry *retry, uint64_t random);

/* It works. */
void retry_reset(struct retry *retry);
