/*
 * One run of a credential command: a program of the site's own that prints a credential (see
 * credential_answer.h), so that any secret manager can serve it.
 *
 * It is called by its absolute path without arguments, in `/`, in a session of its own, with
 * standard input empty, no other descriptor than the three, and an environment of PATH, LANG,
 * BINVAULT_SOURCE (the source's name) and, where systemd has set it, CREDENTIALS_DIRECTORY. It must
 * end with status 0 in time; what it has started and left behind is killed.
 *
 * Threads: one, which may have no other children. Blocks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

#define CREDENTIAL_COMMAND_USEC (20u * 1000000u)
#define CREDENTIAL_OUTPUT_MAX	2560u
#define CREDENTIAL_WORDS_MAX	511u

struct credential_command {
	const char *path;
	const char *source;
	uint64_t timeout_usec;
	int cancel_fd; /* its hang-up ends the command at once; -1: none */
};

/*
 * May the program be trusted with the password that it makes? It and every directory above it must
 * belong to root or to our user and be writable by nobody else. ERROR_USAGE with what to do.
 */
int credential_command_check(const char *path, struct error *err) MUST_CHECK;

/*
 * Check and run it. Returns how many bytes it printed to @output (of CREDENTIAL_OUTPUT_MAX), which
 * is wiped if it failed. @words, of CREDENTIAL_WORDS_MAX + 1 bytes, holds the first line of its
 * standard error, "" if it said nothing: not fit for a log before credential_command_tame().
 * ERROR_USAGE: not to be trusted, cannot be executed; ERROR_UNAVAILABLE: it failed, hung or printed
 * too much.
 */
int credential_command_run(const struct credential_command *command, uint8_t *output, char *words,
			   struct error *err) MUST_CHECK;

/*
 * Make @words, of @words_size bytes, fit for a sentence: cut, printable, and nothing of them if
 * they hold @password (a command that traces itself says all that it does). To be called for each
 * password that is known; NULL: none is.
 */
void credential_command_tame(char *words, size_t words_size, const char *password);
