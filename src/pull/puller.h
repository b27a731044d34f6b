/*
 * The puller of one source: connect to its server, follow the binlog, have it durable, until told
 * to stop. One thread waits in one ring for the server, the keeper, the disk, the clock and the
 * stop descriptor, and then does all that can be done.
 *
 *   no answer of the keeper yet ──► waiting for a try ──► streaming ──► (lost) waiting …
 *                                        ▲ held, while the keeper says so ▲
 *
 * Order of one turn: the sink (keeper, writing), the keeper's answers, the stream, the state that
 * is told. Whatever blocks leaves its item where it is and is tried again in the next turn.
 *
 * Owns: sink, stream, feed. Borrows: the ring and the configuration. Threads: one.
 * Durable, Crash: see sink.h.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "io/ring.h"
#include "pull/observer.h"

struct puller;

struct puller_options {
	struct ring *ring;
	const struct config *config;
	const struct config_source *source;
	struct observer *observer; /* borrowed */
	bool (*stopping)(void);
	int stop_fd;   /* readable from when stopping() is true */
	int runner_fd; /* of credential_runner_start(), the puller's from now on; or -1 */
};

int puller_new(const struct puller_options *options, struct puller **ret_puller,
	       struct error *err) MUST_CHECK;
void puller_free(struct puller *puller);
DEFINE_CLEANUP(puller_free, struct puller *);

/*
 * Until stopping(): then the open segment is ended and closed, and it returns 0. An error is one
 * that a new process may be able to go on after (ERROR_IO: the segment's file is at its end).
 */
int puller_run(struct puller *puller, struct error *err) MUST_CHECK;
