/*
 * One daemon that `binvault run` keeps alive: how it is started, what its end means, and when it is
 * tried again.
 *
 * A child ends with its supervisor (parent-death signal), is deaf to the terminal's Ctrl-C (its own
 * process group: the supervisor decides the order), and hands back its last sentence over a pipe.
 *
 * Times are CLOCK_MONOTONIC in microseconds and come from the caller, as does randomness.
 *
 * Owns: the pipe and the process. Threads: one, and no other that forks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define CHILD_BACKOFF_MIN_USEC UINT64_C(1000000)
#define CHILD_BACKOFF_MAX_USEC UINT64_C(60000000)
#define CHILD_STEADY_USEC      UINT64_C(60000000) /* up for so long: the back-off starts anew */
#define CHILD_REASON_SIZE      1024

enum child_role {
	CHILD_PULL,
	CHILD_EXPORT,
	CHILD_KEEPER,
	CHILD_HSM,
	CHILD_FORWARD, /* only with [siem] */
};		       /* in the order of stopping: what is written last may still be forwarded */

struct child {
	enum child_role role;
	const char *source; /* borrowed; of a puller */
	pid_t pid;	    /* 0: not running */
	bool stopping;	    /* was told to end */
	int reason_fd;	    /* valid while it runs */
	unsigned failures;  /* in a row */
	uint64_t started_usec;
	uint64_t next_start_usec; /* when it does not run */
};

/* What all children share. */
struct child_setting {
	const char *directory; /* of the programs */
	const char *config_path;
	bool switch_users;
};

enum child_verdict {
	CHILD_RESTARTS, /* at next_start_usec */
	CHILD_ENDS_RUN, /* the keeper says that only a person can help: usage or refused */
	CHILD_DONE,	/* an export (one connection is one export), or it was told to end */
};

const char *child_program(enum child_role role); /* "binvault-pull" */
const char *child_user(enum child_role role);	 /* the same: one user a role */

/* Start it; @connection (-1: none) becomes its --connection. Logs `child.started`. */
int child_start(struct child *child, const struct child_setting *setting, int connection,
		uint64_t now_usec, struct error *err) MUST_CHECK;

/*
 * It has ended with @status of waitpid(): logs `child.ended` and decides. @random is any number;
 * a tenth more or less of the delay comes from it. With CHILD_ENDS_RUN the sentence is in @err.
 */
enum child_verdict child_ended(struct child *child, int status, uint64_t now_usec, uint32_t random,
			       struct error *err);

/* SIGTERM or SIGKILL, if it runs: it is told to end. */
void child_signal(struct child *child, int number);
