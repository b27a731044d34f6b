/*
 * One dump, from connecting to its end: TLS, login, pre-flight, handshake, then received items.
 *
 * Owns: the connection, packet reader (4 MiB), receiver and acknowledger, which live on between
 * streams. Threads: one. stream_open() blocks, with time-outs; nothing else does. Allocates nothing
 * for an event.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "pull/acknowledger.h"
#include "pull/binlog_list.h"
#include "pull/handshake.h"
#include "pull/locate.h"
#include "pull/receiver.h"

struct stream;

struct stream *stream_new(const struct config_source *source);
void stream_free(struct stream *stream);
DEFINE_CLEANUP(stream_free, struct stream *);

/*
 * Connect to @server and ask for what follows the place, as locate.h says. 0: it is open; 1: it is
 * another server than the archived one and @accept_other is false, with a sentence in @err.
 * ERROR_UNAVAILABLE: time may heal it; ERROR_REFUSED, ERROR_USAGE: a person must;
 * ERROR_EXISTS: another client uses our server id.
 */
struct stream_request {
	const struct config_server *server;
	const struct place *place;
	const struct history *history;
	enum generation_reason reason; /* as locate_request */
	bool accept_other;
	bool same_history; /* as receiver_start() */
	bool behind_torn;  /* as locate_request */
	struct credential *credential;
	struct binlog_list *list; /* the pre-flight's: taken if it is current, else read anew */
};
int stream_open(struct stream *stream, const struct stream_request *request,
		struct error *err) MUST_CHECK;
void stream_close(struct stream *stream);
bool stream_is_open(const struct stream *stream);

/* Of the open stream. */
int stream_fd(const struct stream *stream);
const struct identity *stream_identity(const struct stream *stream);
const char *stream_connection(const struct stream *stream); /* its id */
const struct session *stream_session(const struct stream *stream);
const struct receiver *stream_receiver(const struct stream *stream);
const struct location *stream_location(const struct stream *stream);

/* What the last pre-flight found (pull/preflight.h), "" if it was not reached: also after a
 * stream_open() that failed. */
const char *stream_verdict(const struct stream *stream);
bool stream_is_fit(const struct stream *stream); /* no rule refused the server */

/*
 * The next item: 1, or 0 when the descriptor must become readable or writable first. Errors end the
 * stream: ERROR_CLOSED (connect again), ERROR_DEFECT (damaged: a fresh connection may bring it
 * right), ERROR_REFUSED (the server said no), ERROR_DIVERGED (its binlog is not the one archived),
 * ERROR_EXISTS (another client has connected with our server id).
 */
int stream_next(struct stream *stream, struct received *ret_received, enum tls_want *ret_want,
		struct error *err) MUST_CHECK;

/* After ERROR_DIVERGED: has the server no more the archived file? */
bool stream_file_is_gone(const struct stream *stream);

/* It ended behind a file whose end is torn (receiver_take_torn()); known until the next begins. */
bool stream_file_is_torn(const struct stream *stream);

/* Has anything arrived since the last call? */
bool stream_heard(struct stream *stream);

/*
 * Semi-sync: does the server do it, and tell it what is durable. stream_send() sends as much as
 * goes: 1 all, 0 when the descriptor must become writable (or readable) first; as
 * acknowledger_send(). An error ends the stream.
 */
enum packet_semi_sync stream_semi_sync(const struct stream *stream);
const char *stream_semi_sync_absent(const struct stream *stream); /* as registration_check() */
void stream_acknowledge(struct stream *stream, const struct acknowledgement *acknowledgement);
int stream_send(struct stream *stream, unsigned *ret_sent, enum tls_want *ret_want,
		struct error *err) MUST_CHECK;
const struct acknowledgement *stream_acknowledged(const struct stream *stream);

/* The server shows no sign of life, and may be hanging: the remedy of registration.h, by a packet
 * or, while nothing has come yet, by another connection, for which it blocks. Of MariaDB alone. */
void stream_wake(struct stream *stream);

/* Have the server end the open dump, so that it does not wait for us any more. Blocks. */
int stream_deregister(struct stream *stream, struct error *err) MUST_CHECK;
