/*
 * A second connection to the server that streams, and a thread that asks it what the stream does
 * not tell: which files it keeps and how large they are, when it purges them, what it has executed,
 * whether semi-sync is on. It never disturbs the stream: what fails here is a sentence in `status`.
 *
 * The thread only waits and asks. When it does so is the caller's business: one question at a time,
 * with everything that it needs to know; its answer is fetched when the descriptor is readable.
 *
 * Owns: the thread, its connection (kept between questions, so that no server sees a login a
 * minute), the answer until it is taken. Borrows: the source. Threads: the caller's one, which
 * alone knows the credential, and its own, which touches what stands under the lock and what only
 * it uses. observer_free() may take as long as the time-outs of connection.h, if a server does not
 * answer just then.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "protocol/observed.h"
#include "pull/binlog_list.h"
#include "pull/credential.h"
#include "pull/identity.h"

struct observer;

/* Start the thread. When this returns it waits, and needs no right that a sealed sandbox refuses.
 */
int observer_new(const struct config_source *source, struct observer **ret_observer,
		 struct error *err) MUST_CHECK;
void observer_free(struct observer *observer);
DEFINE_CLEANUP(observer_free, struct observer *);

/* Readable when an answer stands, and when observer_yield() may be called again. */
int observer_fd(const struct observer *observer);

/* May be asked: no question is open, and no answer stands. */
bool observer_is_idle(struct observer *observer);

/*
 * Look at @server, which must be the one that @identity says: behind one address may be many. @list
 * may be NULL; one that is current is not asked for again. @login is tried, once, if no connection
 * stands. All are copied; negative if the password cannot be held.
 */
int observer_ask(struct observer *observer, const struct config_server *server,
		 const struct identity *identity, const struct login *login,
		 const struct binlog_list *list, struct error *err) MUST_CHECK;

/*
 * The caller is about to log in itself: until it asks again, nothing more is tried here, for what
 * is refused must not be tried twice. False: a login is just under way, or was refused and the
 * answer that says so is not taken; call again when the descriptor is readable.
 */
bool observer_yield(struct observer *observer);

/* End the connection: the source is not to be talked to for a while. */
void observer_rest(struct observer *observer);

/* Take the answer, if there is one: the caller's from then on. */
enum observer_login {
	OBSERVER_LOGIN_NOT_TRIED, /* or it came to no verdict */
	OBSERVER_LOGIN_ACCEPTED,
	OBSERVER_LOGIN_REFUSED, /* with a sentence */
};

struct observer_answer {
	struct observed observed;
	struct binlog_list list;   /* what the server has; empty if there is only a sentence */
	int code;		   /* and why that is so (enum error_code) */
	enum observer_login login; /* what became of the one that was given */
};
bool observer_take(struct observer *observer, struct observer_answer *ret_answer);
