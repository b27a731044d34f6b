/*
 * The servers of one source: which of them is next, when, and what went wrong with each.
 *
 * The order does not flap: the server that works is kept until it fails. One that had worked for a
 * while and was lost gets one more try before another takes its place, since going to another
 * server costs more than a network that blinked; one that refuses us does not. Then it is the turn
 * of the one whose time comes first, in the order of `servers`. Each has its own back-off.
 *
 * Of a group whose members have identities of their own, the archived server is preferred: another
 * one may go on only after each was tried since the stream was lost (or since we began), and after
 * failover-after. So a short cut, or our own restart, begins no generation.
 *
 * Owns: nothing; a plain value. Time and chance come in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/retry.h"
#include "config/config.h"
#include "protocol/pull_messages.h"

struct server_state {
	struct retry retry;
	uint64_t try_usec; /* monotonic: not before */
	int code;	   /* of the last failure, 0: none */
	char sentence[MESSAGE_SENTENCE_SIZE];
};

struct servers {
	const struct config_source *source;
	struct server_state states[CONFIG_SERVERS_MAX];
	size_t index;	     /* that is used or tried next */
	bool trusted;	     /* it worked for a while, and has its one more try */
	uint64_t retry_usec; /* realtime of the next try, 0: there was no failure */
	uint32_t tried;	     /* in this round, a bit each */
	bool round_done;     /* each was tried since lost_usec */
	uint64_t lost_usec;  /* monotonic: when the stream was lost, or when we began */
};

struct servers_now {
	uint64_t monotonic_usec, realtime_usec, random;
};

void servers_init(struct servers *servers, const struct config_source *source,
		  uint64_t monotonic_usec);

/* The server that is used, or is to be tried at servers_try_usec(). */
const struct config_server *servers_current(const struct servers *servers);
uint64_t servers_try_usec(const struct servers *servers);

/*
 * The current server failed. ERROR_REFUSED and ERROR_USAGE: a person must act; ERROR_EXISTS:
 * another client uses our server id; all others may pass.
 */
void servers_failed(struct servers *servers, int code, const char *sentence,
		    const struct servers_now *now);

/* The current server failed in a way that it itself must be asked about again, at @try_usec. */
void servers_stay(struct servers *servers, const char *sentence, uint64_t try_usec,
		  const struct servers_now *now);

/* Try again at once, in the same place. */
void servers_again(struct servers *servers, uint64_t monotonic_usec);

/* A stream that worked has ended; the current server stands, but is another than the archived one.
 */
void servers_lost(struct servers *servers, uint64_t monotonic_usec);
void servers_passed_over(struct servers *servers, const char *sentence,
			 const struct servers_now *now);

/* May another server than the archived one go on? */
bool servers_may_fail_over(const struct servers *servers, uint64_t monotonic_usec);

/* It works: what was wrong with it is over. And it has done so for a while. */
void servers_worked(struct servers *servers);
void servers_steady(struct servers *servers);

/* A person says that all are to be tried again now. */
void servers_forgive(struct servers *servers, uint64_t monotonic_usec);

/* Is there a failure to tell? Then state, time and the sentences of all that failed, joined. */
bool servers_status(const struct servers *servers, struct pull_status *ret_status);

/* "db1.bank.example:3306", cut to @size. */
void servers_name(const struct config_server *server, char *text, size_t size);
