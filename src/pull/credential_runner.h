/*
 * A process that runs the credential command for the puller, whose own sandbox can execute nothing
 * and stays so. It is forked before that sandbox is closed and before any secret is there; it knows
 * one command, that of the configuration, and all that the puller can ask of it is to run it.
 *
 * It ends when the puller does: then the kernel closes the puller's end of the socket, which it
 * always watches, and it kills the command that runs before it goes (a parent-death signal would
 * not give it the time; the command itself has one, for the case that the runner is killed).
 * Signals that are sent to the whole service are not for it. It is reaped by the kernel: in the
 * puller SIGCHLD is ignored, and the puller has no other children. When the runner ends before the
 * puller, its end of the socket is closed: ERROR_CLOSED, and only a new puller has a runner again.
 *
 * What it must not be able to do is said by the caller's @confine, whose limits the command
 * inherits: so they can be no closer than any secret manager's client allows.
 *
 * Owns: one page for the answer, wiped after each. Core dumps are off as in the puller.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "pull/credential_command.h"

struct credential_runner_options {
	const char *command; /* path */
	const char *source;
	int (*confine)(struct error *err); /* in the runner; NULL: nothing */
};

/* Fork it. @ret_fd: the puller's end of its socket, not blocking. Before any thread is started. */
int credential_runner_start(const struct credential_runner_options *options, int *ret_fd,
			    struct error *err) MUST_CHECK;

/* Ask for a run; one at a time. ERROR_CLOSED: the runner has ended. */
int credential_runner_ask(int fd, struct error *err) MUST_CHECK;

/*
 * The answer, if it is there: its size in @output (a secret of SECRET_SIZE_MAX; the bytes begin at
 * its beginning). ERROR_BUSY: not yet. ERROR_CLOSED: the runner has ended. Other errors are those
 * of credential_command_run(), and @words as there.
 */
int credential_runner_answer(int fd, struct secret *output,
			     char words[static CREDENTIAL_WORDS_MAX + 1],
			     struct error *err) MUST_CHECK;
