/*
 * One failed operation, told twice: a code for the program and a sentence for the person.
 *
 * A function that can fail returns 0 (or a useful positive value) or a negative ERROR_*, and has
 * written a sentence into the caller's struct error. Each caller on the way up may put its own
 * context in front: "restoring to '/export/t1': opening segment '…': frame at offset 88213:
 * authentication tag does not match". The last part says what to do next where that is known.
 *
 * Codes mean what the caller would do differently, nothing more.
 *
 * Owns: nothing; a struct error is a plain value, valid when zeroed, never allocated.
 */
#pragma once

#include <stdarg.h>

enum error_code {
	ERROR_FAILED = -1,  /* none of the others: report and stop what was asked */
	ERROR_USAGE = -2,   /* the request or the configuration is wrong: a person must change it */
	ERROR_DEFECT = -3,  /* stored or received bytes are not what they must be */
	ERROR_REFUSED = -4, /* not permitted, by policy or by the peer: do not simply try again */
	ERROR_UNAVAILABLE = -5, /* a peer (HSM, server, daemon) is away: try again later */
	ERROR_NO_SPACE = -6,	/* the volume is full: wait, nothing is lost */
	ERROR_IO = -7,		/* read, write or sync failed: final for that file */
	ERROR_NOT_FOUND = -8,	/* the named thing does not exist */
	ERROR_EXISTS = -9,	/* the named thing is there already */
	ERROR_CLOSED = -10,	/* the peer ended the conversation in good order */
	ERROR_BUSY = -11,	/* somebody else still holds it: try again soon */
	ERROR_DIVERGED = -12,	/* the peer's history is not ours: begin beside it */
};

#define ERROR_MESSAGE_SIZE 1024

struct error {
	int code;	 /* enum error_code, 0 if none */
	int saved_errno; /* the system's reason, 0 if it had none */
	char message[ERROR_MESSAGE_SIZE];
};

/* Set code and sentence; return @code, so that `return error_set(err, …)` reads well. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* The same, with ": " and the system's text for @saved_errno behind the sentence. */
int error_set_errno(struct error *err, int code, int saved_errno, const char *format, ...)
	__attribute__((format(printf, 4, 5), cold));

/* Put "context: " in front of the sentence; return the code that is set. */
int error_prefix(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

/* The exit status of interface.md for a code; 0 for 0. */
int error_exit_status(int code);

#define MUST_CHECK __attribute__((warn_unused_result))

/* For our own bugs only, and on in release: never for anything read from disk, network or HSM. */
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void assert_failed(const char *condition, const char *file, int line);
