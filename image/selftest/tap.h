/*
 * Results of the self-test, as TAP lines on standard output.
 *
 * Owns: the count of lines and failures, for the life of the process. Threads: one.
 */
#pragma once

#include <stdbool.h>

/* One line; of a failure the words, printf-like, say what was found instead. */
void tap_result(bool passed, const char *name, const char *found, ...)
	__attribute__((format(printf, 3, 4)));
void tap_skip(const char *name, const char *reason);
void tap_comment(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The plan and the last line, `SELFTEST PASSED n` or `SELFTEST FAILED m of n`; the exit status. */
int tap_end(void);
