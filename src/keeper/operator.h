/*
 * The operator's socket: people's requests. One datagram of JSON in, one out; {"verb":"status", …}.
 * The answer is the verb's object, or {"error":{"code":"4","sentence":"…"}} with the number of an
 * ERROR_* without its sign. An answer that does not fit a datagram is {"body":true} with a sealed
 * memfd beside it.
 *
 * Anybody may connect; who the caller is says the kernel, and what he may do the verb's row: root
 * and the keeper's own user everything, others by their groups ([access] operate, restore).
 *
 * To add a verb: its function here or in its own file, and a row in operator_verbs.c.
 *
 * Owns: the socket and its connections (OPERATOR_CONNECTIONS_MAX; more wait to be accepted).
 * Threads: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"

#define OPERATOR_CONNECTIONS_MAX 32

struct keeper;
struct operator;
struct source;

struct operator_caller {
	uid_t uid;
	gid_t gid;
	bool may_operate; /* root and the keeper's user may both */
	bool may_restore;
};

enum operator_access {
	OPERATOR_READS, /* members of either group */
	OPERATOR_OPERATES,
	OPERATOR_RESTORES,
};

struct operator_verb {
	const char *name;
	enum operator_access access;
	/* Fill @reply, an empty object; or return an ERROR_* with its sentence. Must not block. */
	int (*answer)(struct keeper *keeper, const struct operator_caller *caller,
		      const json_t *request, json_t *reply, struct error *err);
};

/*
 * Of a request about one source, {"source", "reason"}: which one, and why. Where @optional, the
 * reason may be missing, and is "" then.
 */
int operator_take_source(const struct keeper *keeper, const json_t *request, bool optional,
			 struct source **ret_source, const char **ret_reason,
			 struct error *err) MUST_CHECK;

/* The table (operator_verbs.c); a NULL name behind the last. */
extern const struct operator_verb operator_verbs[];

/* Listen; nobody is accepted before operator_start(). ERROR_USAGE if a group does not exist. */
int operator_new(struct keeper *keeper, struct operator** ret_operator,
		 struct error *err) MUST_CHECK;
int operator_start(struct operator* operator, struct error * err) MUST_CHECK;
void operator_free(struct operator* operator);
DEFINE_CLEANUP(operator_free, struct operator*);
