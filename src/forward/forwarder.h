/*
 * Sends the audit trail to the SIEM, from where it was confirmed last, and goes on with that until
 * it is told to stop. Every failure is a sentence in the log and in the progress file, and is tried
 * again.
 *
 * Confirmed is what the peer's kernel has acknowledged on a connection that has lived on for
 * SETTLE_USEC: syslog itself acknowledges nothing. So after a lost connection some messages come
 * twice, and what the peer's kernel took but the peer never read can be missing: MESSAGES.md.
 *
 * Owns: nothing beyond the call. Threads: one. Memory: bounded; one buffer of messages.
 * Durable: the progress file, at most once a second. Crash: what was confirmed since then is sent
 * again.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

struct forwarder_options {
	const struct config *config; /* with [siem] */
	int state_fd;		     /* the directory of the progress file */
	bool (*stopping)(void);
	int stop_fd; /* readable from then on */
};

/* Returns when it was told to stop; ERROR_*: the progress file cannot be read. */
int forwarder_run(const struct forwarder_options *options, struct error *err) MUST_CHECK;
