/*
 * Vendor programs that provisioning starts, one after another; there is no shell.
 *
 * Their words go where ours go, to the console. They get no environment but a PATH, and
 * where their credentials lie.
 *
 * Owns: nothing; each process has ended when tool_run() returns.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct tool {
	const char *const *arguments; /* absolute path first, NULL last */
	const char *input;	      /* its standard input, a text; NULL: empty */
	const char *output;	      /* file that receives its standard output; NULL: as ours */
	const char *user;	      /* NULL: ours; only root can name one */
	const char *credentials;      /* its $CREDENTIALS_DIRECTORY; NULL: none */
};

/* ERROR_FAILED if it could not be started, or was ended by a signal. */
int tool_status(const struct tool *tool, int *ret_status, struct error *err) MUST_CHECK;

/* The same; another status than 0 is ERROR_FAILED too. */
int tool_run(const struct tool *tool, struct error *err) MUST_CHECK;
