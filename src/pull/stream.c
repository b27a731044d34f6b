#include "pull/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "pull/connection.h"
#include "pull/connection_id.h"
#include "pull/packet.h"
#include "pull/registration.h"

/* Numbers of server errors that end a dump. MariaDB and MySQL: mysqld_error.h. */
#define SERVER_FATAL_READING_BINLOG 1236
#define SERVER_SLAVE_SAME_ID	    4052 /* MariaDB only */

struct stream {
	const struct config_source *source;
	struct connection *connection; /* NULL: closed */
	char id[CONNECTION_ID_SIZE];   /* of the connection */
	struct tls_stream *tls;
	struct packet_reader *reader;
	struct receiver *receiver;
	struct acknowledger *acknowledger;
	char semi_sync_absent[REGISTRATION_SENTENCE_SIZE];
	/* For stream_deregister(): borrowed from the request. */
	const struct config_server *server;
	struct credential *credential;
	unsigned long thread_id;
	struct server_facts facts;
	struct session session;
	struct location location;
	uint64_t position; /* that was asked for */
	bool file_is_gone, file_is_torn;
};

struct stream *stream_new(const struct config_source *source)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	ASSERT(stream);
	stream->source = source;
	stream->reader = packet_reader_new();
	stream->receiver = receiver_new();
	stream->acknowledger = acknowledger_new();
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	stream_close(stream);
	packet_reader_free(stream->reader);
	receiver_free(stream->receiver);
	acknowledger_free(stream->acknowledger);
	free(stream);
}

void stream_close(struct stream *stream)
{
	if (stream->connection)
		log_info("stream.ends", "connection", LOG_TEXT(stream->id), LOG_END);
	tls_stream_free(TAKE(stream->tls));
	connection_free(TAKE(stream->connection));
}

bool stream_is_open(const struct stream *stream)
{
	return stream->connection != NULL;
}

int stream_fd(const struct stream *stream)
{
	return connection_fd(stream->connection);
}

const struct identity *stream_identity(const struct stream *stream)
{
	return &stream->facts.identity;
}

const char *stream_connection(const struct stream *stream)
{
	return stream->id;
}

const struct session *stream_session(const struct stream *stream)
{
	return &stream->session;
}

const struct receiver *stream_receiver(const struct stream *stream)
{
	return stream->receiver;
}

const char *stream_verdict(const struct stream *stream)
{
	return stream->facts.verdict;
}

bool stream_is_fit(const struct stream *stream)
{
	return stream->facts.ok;
}

const struct location *stream_location(const struct stream *stream)
{
	return &stream->location;
}

bool stream_file_is_gone(const struct stream *stream)
{
	return stream->file_is_gone;
}

bool stream_file_is_torn(const struct stream *stream)
{
	return stream->file_is_torn;
}

bool stream_heard(struct stream *stream)
{
	return packet_reader_heard(stream->reader);
}

/* --- opening --------------------------------------------------------------------------------- */

/* Does the server go on with the archive as itself? 1: yes; 0: another one, with a sentence. */
static int is_archived_server(const struct stream *stream, const struct stream_request *request,
			      struct error *err)
{
	char here[IDENTITY_TEXT_SIZE], archived_text[IDENTITY_TEXT_SIZE];
	struct identity archived;
	int r;

	if (!request->place->file[0])
		return 1;
	r = identity_decode(request->place->identity, &archived, err);
	if (r < 0)
		return error_prefix(err, "the archive");
	if (identity_same(&archived, &stream->facts.identity))
		return 1;
	identity_describe(&stream->facts.identity, here);
	identity_describe(&archived, archived_text);
	error_set(err, ERROR_REFUSED,
		  "%s:%u is %s, and what is archived came from %s, which is waited for",
		  request->server->host, (unsigned)request->server->port, here, archived_text);
	return 0;
}

static int begin_dump(struct stream *stream, const struct stream_request *request,
		      struct error *err)
{
	static const struct place nothing;
	const struct location *location = &stream->location;
	const struct place *place = location->resumes ? request->place : &nothing;
	int whole, r;

	stream->position = location->resumes ? receiver_begin_position(place, request->same_history)
					     : PLACE_FIRST_POSITION;
	whole = handshake_dump(stream->connection, stream->source, &stream->facts, stream->id,
			       location->file, stream->position, &stream->session, err);
	if (whole < 0)
		return whole;
	r = connection_tls(stream->connection, &stream->tls, err);
	if (r < 0)
		return r;
	packet_reader_start(stream->reader, stream->tls, stream->source->semi_sync);
	acknowledger_start(stream->acknowledger, stream->tls);
	receiver_start(stream->receiver, place, location->file, request->same_history);
	if (whole) {
		receiver_set_reread(stream->receiver);
		log_info("stream.rereads", "file", LOG_TEXT(location->file), LOG_END);
	}
	receiver_set_current(stream->receiver, stream->facts.last_file);
	log_info("stream.begins", "server", LOG_TEXT(request->server->host), "connection",
		 LOG_TEXT(stream->id), "file", LOG_TEXT(location->file), "position",
		 LOG_NUMBER(stream->position), LOG_END);
	return 0;
}

/* 1: another server, which is not wanted. */
static int choose_place(struct stream *stream, const struct stream_request *request,
			struct error *err)
{
	struct locate_request wanted = {
		.source = stream->source,
		.place = request->place,
		.history = request->history,
		.reason = request->reason,
		.behind_torn = request->behind_torn,
	};
	int r = is_archived_server(stream, request, err);

	if (r < 0)
		return r;
	wanted.same_server = r > 0;
	if (!wanted.same_server && !request->accept_other)
		return 1;
	return locate(stream->connection, &stream->facts, &wanted, &stream->location, err);
}

static int check_semi_sync(struct stream *stream, const struct stream_request *request,
			   struct error *err)
{
	stream->server = request->server;
	stream->credential = request->credential;
	stream->thread_id = connection_thread(stream->connection);
	stream->semi_sync_absent[0] = '\0';
	if (!stream->source->semi_sync)
		return 0;
	return registration_check(stream->connection, stream->facts.identity.flavour,
				  stream->semi_sync_absent, err);
}

/*
 * Who goes on by position can do without the server's files. Where commits may wait for us this is
 * no matter of cost: the list and the current file are guarded by LOCK_log, which is held by a
 * group of commits that stands behind one that waits for our answer (MariaDB, sql/log.cc,
 * trx_group_commit_leader()) and by a rotation that waits for the same (both, new_file_impl()).
 * Asking would be a deadlock until the server gives semi-sync up.
 */
static bool needs_files(const struct stream *stream, const struct stream_request *request)
{
	bool has_place = request->place->file[0] || request->place->next_file[0];

	return !stream->source->semi_sync || !has_place || request->reason;
}

int stream_open(struct stream *stream, const struct stream_request *request, struct error *err)
{
	struct binlog_list *list = needs_files(stream, request) ? request->list : NULL;
	int r;

	ASSERT(!stream->connection);
	stream->facts.verdict[0] = '\0';
	stream->file_is_gone = false;
	stream->file_is_torn = false;
	connection_id_make(stream->id);
	r = connection_open(stream->source, request->server, request->credential, stream->id,
			    &stream->connection, err);
	if (r < 0)
		return r;
	r = preflight_check(stream->connection, stream->source, request->server, list,
			    &stream->facts, err);
	if (r == 0)
		r = choose_place(stream, request, err);
	if (r < 0)
		error_prefix(err, "%s:%u", request->server->host, (unsigned)request->server->port);
	if (r == 0)
		r = check_semi_sync(stream, request, err);
	if (r == 0)
		r = begin_dump(stream, request, err);
	if (r != 0)
		stream_close(stream);
	return r;
}

/* --- reading --------------------------------------------------------------------------------- */

/* The servers' texts name what they could not do; what it means for an archive is said here. */
static int server_error(struct stream *stream, unsigned number, struct error *err)
{
	const char *file = receiver_file(stream->receiver);
	char text[ERROR_MESSAGE_SIZE];

	snprintf(text, sizeof(text), "%s", err->message);
	if (number == SERVER_SLAVE_SAME_ID || strstr(text, "same server_uuid/server_id") ||
	    strstr(text, "same server id"))
		return error_set(err, ERROR_EXISTS,
				 "server-id %u is used by another replica of this server: give "
				 "each its own, then start this one anew. It is tried again in an "
				 "hour, since each ends the other's stream (%.250s)",
				 stream->source->server_id, text);
	if (number != SERVER_FATAL_READING_BINLOG)
		return err->code;
	if (strstr(text, "Could not find first log file")) {
		if (!stream->location.resumes && !stream->location.reason &&
		    !stream->location.behind_torn)
			return error_set(
				err, ERROR_REFUSED,
				"the server does not have %s. Do: correct `start` (%.300s)", file,
				text);
		stream->file_is_gone = true;
		return error_set(err, ERROR_DIVERGED,
				 "the server does not have %s any more, which is archived to "
				 "%" PRIu64 ": it was purged, or the server was reset (%.300s)",
				 file, stream->position, text);
	}
	if (strcasestr(text, "impossible position") || strcasestr(text, "position > file size"))
		return error_set(err, ERROR_DIVERGED,
				 "%s of the server ends before %" PRIu64
				 ", where an archived event "
				 "stands: the server lost its tail in a crash (sync_binlog is not "
				 "1), or was reset (%.300s)",
				 file, stream->position, text);
	if (strstr(text, "max_allowed_packet"))
		return error_set(err, ERROR_DIVERGED,
				 "no event of the server's %s begins at %" PRIu64 ", where an "
				 "archived one stands: its binlog is not the one archived (%.300s)",
				 file, stream->position, text);
	return err->code;
}

/* Of what befalls the session, which knows nothing of servers. */
static int name_server(const struct stream *stream, int r, struct error *err)
{
	if (r != ERROR_CLOSED)
		return r;
	return error_prefix(err, "%s:%u", stream->server->host, (unsigned)stream->server->port);
}

/* LOG_READ_TRUNC: "binlog truncated in the middle of event; consider out of disk space" */
static bool is_torn(unsigned number, const struct error *err)
{
	return number == SERVER_FATAL_READING_BINLOG &&
	       strstr(err->message, "truncated in the middle of event");
}

int stream_next(struct stream *stream, struct received *ret_received, enum tls_want *ret_want,
		struct error *err)
{
	struct packet_item item;
	unsigned number;
	int r;

	if (stream->file_is_torn)
		return error_set(err, ERROR_CLOSED,
				 "%s:%u ended the stream behind a file whose last event is torn; "
				 "%s is the next",
				 stream->server->host, (unsigned)stream->server->port,
				 receiver_file(stream->receiver));
	r = packet_reader_next(stream->reader, &item, &number, err);
	if (r < 0 && is_torn(number, err)) {
		r = receiver_take_torn(stream->receiver, ret_received, err);
		stream->file_is_torn = r == 0;
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return number ? server_error(stream, number, err) : name_server(stream, r, err);
	if (item.kind == PACKET_NOTHING) {
		*ret_want = item.want;
		return 0;
	}
	r = receiver_take(stream->receiver, &item, ret_received, err);
	return r < 0 ? r : 1;
}

/* --- acknowledging --------------------------------------------------------------------------- */

enum packet_semi_sync stream_semi_sync(const struct stream *stream)
{
	return packet_reader_semi_sync(stream->reader);
}

void stream_acknowledge(struct stream *stream, const struct acknowledgement *acknowledgement)
{
	acknowledger_give(stream->acknowledger, acknowledgement);
}

/* Beside the dump, to the same server as the same account. */
static int open_another(struct stream *stream, char id[CONNECTION_ID_SIZE],
			struct connection **ret_connection, struct error *err)
{
	connection_id_make(id);
	return connection_open(stream->source, stream->server, stream->credential, id,
			       ret_connection, err);
}

static int wake_by_connection(struct stream *stream, struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = NULL;
	char id[CONNECTION_ID_SIZE];
	int r = open_another(stream, id, &connection, err);

	return r < 0 ? r : registration_wake(connection, stream->source, &stream->facts, id, err);
}

void stream_wake(struct stream *stream)
{
	struct error err;

	if (!stream->source->semi_sync || stream->facts.identity.flavour != FLAVOUR_MARIADB)
		return;
	if (receiver_has_begun(stream->receiver))
		acknowledger_poke(stream->acknowledger);
	else if (wake_by_connection(stream, &err) < 0)
		log_warning("server.not-woken", "reason", LOG_TEXT(err.message), LOG_END);
	else
		log_info("server.woken", "connection", LOG_TEXT(stream->id), LOG_END);
}

const char *stream_semi_sync_absent(const struct stream *stream)
{
	return stream->semi_sync_absent;
}

const struct acknowledgement *stream_acknowledged(const struct stream *stream)
{
	return acknowledger_sent(stream->acknowledger);
}

int stream_deregister(struct stream *stream, struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = NULL;
	char id[CONNECTION_ID_SIZE];
	int r = open_another(stream, id, &connection, err);

	if (r == 0)
		r = registration_end(connection, stream->thread_id, err);
	return r < 0 ? error_prefix(err, "ending the dump at the server") : 0;
}

int stream_send(struct stream *stream, unsigned *ret_sent, enum tls_want *ret_want,
		struct error *err)
{
	int r = acknowledger_send(stream->acknowledger, ret_sent, ret_want, err);

	return name_server(stream, r, err);
}
