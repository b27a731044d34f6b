#include "pull/puller.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "io/watchdog.h"
#include "pull/allowance.h"
#include "pull/credential.h"
#include "pull/divergence.h"
#include "pull/feed.h"
#include "pull/listening.h"
#include "pull/observing.h"
#include "pull/semi_sync.h"
#include "pull/servers.h"
#include "pull/sink.h"
#include "pull/spot.h"
#include "pull/stream.h"
#include "pull/verdict.h"

/* Tags of the ring: appends count from 0; these are for readiness. */
#define TAG_APPEND   0
#define TAG_SERVER   10
#define TAG_KEEPER   11
#define TAG_STOP     12
#define TAG_RUNNER   13
#define TAG_OBSERVER 14
#define TAG_SEND     15 /* an acknowledgement that could not be sent at once */

/* A stream that lasted so long is a success, and what follows a first failure again. */
#define STEADY_USEC (10 * USEC_PER_SEC)

/* How long the end of the last segment may take when we are told to stop. */
#define STOP_USEC (30 * USEC_PER_SEC)

/* With semi-sync: how long what the server has sent is still taken then. */
#define DRAIN_USEC (1 * USEC_PER_SEC)

/* And how long it may take until what was received is durable, when the source is to be left alone.
 */
#define HOLD_USEC (30 * USEC_PER_SEC)

/* While items come one after the other, what is due is looked after once in so many. */
#define ITEMS_A_STEP 64

#define COMPRESSION_LEVEL 1 /* keeps up with a network; higher ones do not */

struct puller {
	struct puller_options options;
	const struct config_source *source;
	char socket[CONFIG_SOCKET_PATH_SIZE];
	struct sink *sink;
	struct stream *stream;
	struct feed *feed;

	bool attached;	   /* we know where to go on */
	bool same_history; /* the place is where this process has come itself */
	struct semi_sync *semi_sync;
	struct servers servers;
	struct divergence divergence;
	struct credential *credential;
	bool awaiting_runner;	/* the ring watches its descriptor */
	bool awaiting_observer; /* it is just logging in: see observer_yield() */
	uint64_t opened_usec;
	bool steady;

	bool more; /* there may be more to read; let the ring tell what it has first */
	struct listening listening;
	struct allowance allowance;

	/* Where the stream was damaged last: a second time there is not the network's doing. */
	struct spot damaged;

	/*
	 * Where a large event broke off, whose first part now lies in the archive for nothing: the
	 * next time it is only looked at, and archived when it has come whole once. Otherwise each
	 * try would write it again, and fill the volume with what is never of use.
	 */
	struct spot broken;

	bool stop_begun;
	uint64_t stop_usec;
	bool draining; /* the server waits for answers about what it has sent */
	uint64_t drain_usec;

	bool held;	    /* the keeper does not want the source to be pulled */
	bool paused;	    /* because a person does not */
	uint64_t held_usec; /* monotonic: the stream ends then at the latest */

	struct observing observing;
	uint64_t end_usec;	 /* when the server last said that it has no more */
	uint64_t caught_up_usec; /* the same, with everything durable */

	struct pull_status told;
};

int puller_new(const struct puller_options *options, struct puller **ret_puller, struct error *err)
{
	CLEANUP(puller_freep)
	struct puller *puller = calloc(1, sizeof(*puller));
	struct sink_options sink = {
		.ring = options->ring,
		.append_tag = TAG_APPEND,
		.keeper_tag = TAG_KEEPER,
		.hello = {.program = "binvault-pull", .version = BINVAULT_VERSION},
		.stop_fd = options->stop_fd,
		.segment_size = options->config->segment_size,
		.segment_age_usec = options->config->segment_age_usec,
		.frame_delay_usec = options->config->frame_delay_usec,
		.compression_level = COMPRESSION_LEVEL,
	};
	int r;

	ASSERT(puller);
	puller->options = *options;
	puller->source = options->source;
	servers_init(&puller->servers, options->source, clock_monotonic_usec());
	puller->credential = credential_new(options->source, options->runner_fd);
	r = config_socket_pull(options->config, options->source->name, puller->socket, err);
	if (r < 0)
		return r;
	sink.socket = puller->socket;
	memcpy(sink.hello.config.bytes, options->config->hash, HASH_SIZE);
	puller->sink = sink_new(&sink);
	puller->stream = stream_new(options->source);
	puller->feed = feed_new(puller->sink);
	observing_init(&puller->observing, &(struct observing_options){
						   .source = options->source,
						   .credential = puller->credential,
						   .observer = options->observer,
						   .sink = puller->sink,
						   .ring = options->ring,
						   .tag = TAG_OBSERVER,
					   });
	listening_init(&puller->listening, options->ring, TAG_SERVER,
		       options->source->heartbeat_usec);
	puller->semi_sync = semi_sync_new(&(struct semi_sync_options){
		.source = options->source,
		.ring = options->ring,
		.tag = TAG_SEND,
		.sink = puller->sink,
		.stream = puller->stream,
	});
	*ret_puller = TAKE(puller);
	return 0;
}

void puller_free(struct puller *puller)
{
	if (!puller)
		return;
	ring_poll_cancel(puller->options.ring, TAG_SERVER);
	ring_poll_cancel(puller->options.ring, TAG_STOP);
	semi_sync_free(puller->semi_sync);
	ring_poll_cancel(puller->options.ring, TAG_RUNNER);
	observing_release(&puller->observing);
	feed_free(puller->feed);
	stream_free(puller->stream);
	sink_free(puller->sink);
	credential_free(puller->credential);
	free(puller);
}

static const struct config_server *server(const struct puller *puller)
{
	return servers_current(&puller->servers);
}

/* --- what is told ---------------------------------------------------------------------------- */

static void tell(struct puller *puller, const struct pull_status *status)
{
	static const char *const names[] = {"connecting", "streaming", "waiting",
					    "refused",	  "paused",    "limited"};

	if (memcmp(&puller->told, status, sizeof(*status)) == 0)
		return;
	if (puller->told.state != status->state ||
	    (status->state != PULL_CONNECTING &&
	     strcmp(puller->told.sentence, status->sentence) != 0))
		log_info("pull.state", "state", LOG_TEXT(names[status->state]), "server",
			 LOG_TEXT(status->server), "connection", LOG_TEXT(status->connection),
			 "sentence", LOG_TEXT(status->sentence), LOG_END);
	puller->told = *status;
	sink_status(puller->sink, status);
}

static void tell_held(struct puller *puller)
{
	const struct control *control = sink_control(puller->sink);
	struct pull_status status = {
		.state = control->kind == CONTROL_LIMIT ? PULL_LIMITED : PULL_PAUSED,
		.retry_usec = control->until_usec,
	};

	memcpy(status.sentence, control->sentence, sizeof(status.sentence));
	servers_name(server(puller), status.server, sizeof(status.server));
	tell(puller, &status);
}

static void tell_state(struct puller *puller)
{
	const struct receiver *receiver = stream_receiver(puller->stream);
	const struct error *trouble = sink_trouble(puller->sink);
	struct pull_status status = {.state = PULL_CONNECTING};

	if (puller->held && !stream_is_open(puller->stream)) {
		tell_held(puller);
		return;
	}
	if (!stream_is_open(puller->stream) && servers_status(&puller->servers, &status)) {
		tell(puller, &status);
		return;
	}
	if (trouble) {
		status.state = PULL_WAITING;
		snprintf(status.sentence, sizeof(status.sentence), "%.*s",
			 (int)sizeof(status.sentence) - 1, trouble->message);
	} else if (stream_is_open(puller->stream)) {
		if (receiver_reread_percent(receiver) >= 0)
			receiver_reread_sentence(receiver, status.sentence,
						 sizeof(status.sentence));
		else if (!receiver_verified(receiver))
			return; /* it is not yet known whether this is the right binlog */
		else
			status.state = PULL_STREAMING;
		snprintf(status.connection, sizeof(status.connection), "%s",
			 stream_connection(puller->stream));
		/* Whole seconds: it need not be told more often. */
		status.caught_up_usec =
			puller->caught_up_usec - puller->caught_up_usec % USEC_PER_SEC;
	}
	servers_name(server(puller), status.server, sizeof(status.server));
	tell(puller, &status);
}

/* --- the stream ------------------------------------------------------------------------------ */

static struct servers_now now_for_servers(void)
{
	struct servers_now now = {
		.monotonic_usec = clock_monotonic_usec(),
		.realtime_usec = clock_realtime_usec(),
	};

	random_bytes(&now.random, sizeof(now.random));
	return now;
}

static void plan_retry(struct puller *puller, int code, const char *sentence)
{
	const struct servers_now now = now_for_servers();

	servers_failed(&puller->servers, code, sentence, &now);
}

/* The server's history is not the archived one: it is gone on with as locate.h says. */
static void plan_divergence(struct puller *puller, const char *sentence)
{
	const struct servers_now now = now_for_servers();
	uint64_t until = divergence_found(&puller->divergence, stream_file_is_gone(puller->stream),
					  now.monotonic_usec);

	log_warning("history.diverged", "sentence", LOG_TEXT(sentence), LOG_END);
	/* This server must be asked again, not the next one. */
	servers_stay(&puller->servers, sentence, until, &now);
}

static void close_stream(struct puller *puller)
{
	semi_sync_closing(puller->semi_sync, "not connected to a server");
	listening_end(&puller->listening);
	stream_close(puller->stream);
}

/* Nothing more is received; what was begun and has no end is void. */
static void leave_stream(struct puller *puller)
{
	if (sink_is_open(puller->sink) && sink_holds_part(puller->sink))
		spot_note(&puller->broken, stream_receiver(puller->stream));
	close_stream(puller);
	feed_lost(puller->feed);
}

static void stream_lost(struct puller *puller, struct error *err)
{
	int code = err->code;

	/* Of a wrong CRC the next connection tells more. */
	if (code == ERROR_DEFECT && spot_again(&puller->damaged, stream_receiver(puller->stream)) &&
	    !receiver_suspected(stream_receiver(puller->stream))) {
		code = ERROR_REFUSED;
		error_prefix(err, "wrong on two connections, so it is the server's: nothing behind "
				  "this place is archived until it is mended");
	}
	/* What was listed may be as wrong as what was expected. */
	if (code != ERROR_CLOSED && code != ERROR_UNAVAILABLE)
		binlog_list_release(&puller->observing.list);
	if (receiver_verified(stream_receiver(puller->stream)))
		servers_lost(&puller->servers, clock_monotonic_usec());
	semi_sync_closing(puller->semi_sync, err->message);
	leave_stream(puller);
	if (code == ERROR_DIVERGED)
		plan_divergence(puller, err->message);
	else if (stream_file_is_torn(puller->stream))
		servers_again(&puller->servers, clock_monotonic_usec());
	else
		plan_retry(puller, code, err->message);
}

/* Blocks until the server has answered, at most some time-outs long. */
static int open_stream(struct puller *puller, struct error *err)
{
	const struct stream_request request = {
		.server = server(puller),
		.place = feed_place(puller->feed),
		.history = feed_history(puller->feed),
		.reason = puller->divergence.reason,
		.accept_other = servers_may_fail_over(&puller->servers, clock_monotonic_usec()),
		.same_history = puller->same_history,
		.behind_torn = stream_file_is_torn(puller->stream),
		.credential = puller->credential,
		.list = &puller->observing.list,
	};
	int r;

	tell_state(puller);
	r = stream_open(puller->stream, &request, err);
	verdict_tell(puller->stream, server(puller), puller->sink);
	if (r > 0) {
		const struct servers_now now = now_for_servers();

		servers_passed_over(&puller->servers, err->message, &now);
		return 0;
	}
	if (r == ERROR_UNAVAILABLE || r == ERROR_REFUSED || r == ERROR_USAGE || r == ERROR_DEFECT ||
	    r == ERROR_NOT_FOUND || r == ERROR_EXISTS) {
		plan_retry(puller, r, err->message);
		return 0;
	}
	if (r < 0)
		return r;
	puller->same_history = true;
	puller->steady = false;
	puller->opened_usec = clock_monotonic_usec();
	observing_forgive(&puller->observing);
	allowance_start(&puller->allowance, puller->source->rate_limit, puller->opened_usec);
	feed_stream(puller->feed, stream_identity(puller->stream), stream_session(puller->stream),
		    stream_location(puller->stream));
	semi_sync_opened(puller->semi_sync);
	return 0;
}

static void acknowledge(struct puller *puller)
{
	struct error err;

	if (semi_sync_send(puller->semi_sync, &err) < 0)
		stream_lost(puller, &err);
}

/*
 * Is it a piece of the event that broke off the last time? Then it is only looked at; at its end
 * the stream begins anew, and the event is archived.
 */
static bool only_looked_at(struct puller *puller, const struct received *received)
{
	if (received->kind != RECEIVED_EVENT || (received->first && received->last) ||
	    received->position != puller->broken.position ||
	    strcmp(puller->broken.file, receiver_file(stream_receiver(puller->stream))) != 0)
		return false;
	if (!received->last)
		return true;
	puller->broken.file[0] = '\0';
	close_stream(puller);
	feed_lost(puller->feed);
	servers_again(&puller->servers, clock_monotonic_usec());
	return true;
}

/* Take the next item of the stream. 1: the feed may have one; 0: there is none; or the stream's
 * error, which has been dealt with (0 too). */
static int receive(struct puller *puller)
{
	const struct receiver *receiver = stream_receiver(puller->stream);
	enum tls_want want = TLS_WANT_NOTHING;
	const uint8_t *format_event;
	struct received received;
	size_t format_size;
	struct error err;
	int r;

	if (puller->listening.waiting ||
	    !allowance_is_left(&puller->allowance, clock_monotonic_usec()))
		return 0;
	r = stream_next(puller->stream, &received, &want, &err);
	if (r == 0) {
		listening_begin(&puller->listening, puller->stream, want);
		return 0;
	}
	if (r > 0) {
		if (receiver_at_end(receiver))
			puller->end_usec = clock_realtime_usec();
		allowance_take(&puller->allowance, received.size);
		if (only_looked_at(puller, &received))
			return 1;
		semi_sync_received(puller->semi_sync, &received);
		format_size = receiver_format(receiver, &format_event);
		r = feed_offer(puller->feed, &received, format_event, format_size, &err);
	}
	if (r < 0) {
		stream_lost(puller, &err);
		return 0;
	}
	return 1;
}

/* What was taken from the stream is archived in any case. */
static bool may_pump(const struct puller *puller)
{
	if (puller->draining)
		return true;
	return !puller->options.stopping() && (!puller->held || feed_has_item(puller->feed));
}

/* From the stream into the segment, until one of them blocks. */
static int pump(struct puller *puller, struct error *err)
{
	unsigned int count = 0;
	int r = 1;

	puller->more = false;
	/* What is not archived never blocks, so a flood of it would keep us here. */
	while (r > 0 && stream_is_open(puller->stream) && may_pump(puller)) {
		r = feed_has_item(puller->feed) ? feed_step(puller->feed, err) : receive(puller);
		if (r < 0)
			return r;
		if (r == 0 || ++count % ITEMS_A_STEP != 0)
			continue;
		if (sink_step(puller->sink, err) < 0)
			return err->code;
		tell_state(puller);
		/* What is behind must not keep the server from its answer. */
		puller->more = sink_owes_acknowledgement(puller->sink);
		if (puller->more)
			break;
	}
	return 0;
}

/* A try that has come to last makes the next failure a first one. */
static void note_success(struct puller *puller)
{
	if (puller->steady || !stream_is_open(puller->stream) ||
	    !receiver_verified(stream_receiver(puller->stream)))
		return;
	servers_worked(&puller->servers);
	/* A file that begins anew is gone on with by position as soon as the place is in it. */
	if (!feed_begins(puller->feed))
		puller->divergence.reason = 0;
	if (clock_monotonic_usec() < puller->opened_usec + STEADY_USEC)
		return;
	puller->steady = true;
	servers_steady(&puller->servers);
}

/* The server had no more, and all of that is durable now. */
static void note_caught_up(struct puller *puller)
{
	if (stream_is_open(puller->stream) && receiver_at_end(stream_receiver(puller->stream)) &&
	    !feed_has_item(puller->feed) && !sink_trouble(puller->sink) &&
	    sink_is_settled(puller->sink))
		puller->caught_up_usec = puller->end_usec;
}

/* A stream stands, of the server that is archived, and goes on. */
static bool is_streaming(const struct puller *puller)
{
	return !puller->held && stream_is_open(puller->stream) &&
	       receiver_verified(stream_receiver(puller->stream));
}

/* --- turns ----------------------------------------------------------------------------------- */

/* The keeper has said where to go on. */
static int follow_keeper(struct puller *puller, struct error *err)
{
	struct attached attached;
	bool let_go;
	int r;

	if (!sink_take_attached(puller->sink, &attached, &let_go))
		return 0;
	r = feed_attached(puller->feed, &attached, let_go, err);
	if (r < 0)
		return r;
	if (r > 0) {
		close_stream(puller);
		puller->same_history = false;
	}
	puller->attached = true;
	return 0;
}

/* An idle source's segment grows old too. */
static void roll_if_old(struct puller *puller)
{
	enum segment_ended ended;

	if (feed_has_item(puller->feed) || sink_holds_part(puller->sink))
		return;
	ended = sink_roll_due(puller->sink, 0);
	if (ended)
		sink_end(puller->sink, ended, NULL);
}

/*
 * We are to leave the server. With semi-sync what it has sent is taken first, because it may wait
 * for an answer about that; but not for ever.
 */
static void begin_drain(struct puller *puller)
{
	puller->draining = semi_sync_is_awaited(puller->semi_sync);
	puller->drain_usec = clock_monotonic_usec() + DRAIN_USEC;
}

/* After each pump. */
static void note_drained(struct puller *puller)
{
	puller->draining = puller->draining && stream_is_open(puller->stream) &&
			   (!puller->listening.waiting || feed_has_item(puller->feed)) &&
			   clock_monotonic_usec() < puller->drain_usec;
}

/*
 * The keeper wants the source to be left alone, for a while or until a person says otherwise. First
 * what was received becomes durable, and is acknowledged; then the stream ends, which takes us out
 * of the replicas that the server waits for; then the segment.
 */
static void hold(struct puller *puller)
{
	const struct control *control = sink_control(puller->sink);
	uint64_t now = clock_monotonic_usec();

	if (puller->held != (control->kind != CONTROL_PULL)) {
		puller->held = !puller->held;
		puller->held_usec = now + HOLD_USEC;
		servers_again(&puller->servers, now);
		/* Who resumes it has seen to what was refused. */
		if (!puller->held && puller->paused) {
			credential_forgive(puller->credential);
			servers_forgive(&puller->servers, now);
		}
		puller->paused = control->kind == CONTROL_PAUSE;
		log_info(puller->held ? "pull.held" : "pull.goes-on", "sentence",
			 LOG_TEXT(control->sentence), LOG_END);
		puller->draining = false;
		if (puller->held) {
			observing_rest(&puller->observing);
			begin_drain(puller);
		}
	}
	if (!puller->held)
		return;
	if (stream_is_open(puller->stream)) {
		/* Where nothing goes on anyway there is nothing to wait for. */
		if (now < puller->held_usec && !sink_trouble(puller->sink) &&
		    (puller->draining || feed_has_item(puller->feed) ||
		     !sink_is_settled(puller->sink) || semi_sync_is_sending(puller->semi_sync)))
			return;
		semi_sync_leave(puller->semi_sync, control->sentence);
		leave_stream(puller);
	}
	if (sink_is_open(puller->sink) && sink_is_settled(puller->sink))
		sink_end(puller->sink, SEGMENT_ENDED_SHUTDOWN, NULL);
}

static void begin_stop(struct puller *puller)
{
	puller->stop_begun = true;
	puller->stop_usec = clock_monotonic_usec() + STOP_USEC;
	begin_drain(puller);
	if (!puller->draining)
		close_stream(puller);
}

/*
 * 1: the last segment is closed. With semi-sync the stream stays until then, so that the server can
 * be told.
 */
static int turn_stopping(struct puller *puller, struct error *err)
{
	if (!puller->stop_begun)
		begin_stop(puller);
	if (puller->draining) {
		if (pump(puller, err) < 0)
			return err->code;
		note_drained(puller);
		if (puller->draining)
			return 0;
	}
	if (sink_is_open(puller->sink))
		sink_end(puller->sink, SEGMENT_ENDED_SHUTDOWN, NULL);
	if (sink_step(puller->sink, err) < 0)
		return err->code;
	acknowledge(puller);
	/* A server that does not read is waited for like a disk that does not answer. */
	if (sink_is_closed(puller->sink) && (!semi_sync_is_sending(puller->semi_sync) ||
					     clock_monotonic_usec() >= puller->stop_usec)) {
		semi_sync_leave(puller->semi_sync, "the puller was stopped");
		close_stream(puller);
		return 1;
	}
	if (clock_monotonic_usec() < puller->stop_usec)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
			 "stopped before the open segment could be ended; the keeper ends it (%s)",
			 sink_trouble(puller->sink) ? sink_trouble(puller->sink)->message
						    : "the disk did not answer");
}

static bool may_connect(const struct puller *puller)
{
	return puller->attached && !puller->held && !stream_is_open(puller->stream) &&
	       sink_is_settled(puller->sink) && !puller->awaiting_observer;
}

/* With a fresh credential, or later, when there is one. */
static int connect_with_credential(struct puller *puller, struct error *err)
{
	int r;

	puller->awaiting_observer = !observing_yield(&puller->observing);
	if (puller->awaiting_observer)
		return 0;
	r = credential_want(puller->credential, err);
	if (r >= 0)
		return r > 0 ? open_stream(puller, err) : 0;
	/* The runner has ended: whoever starts us again gives us a new one. */
	if (r == ERROR_CLOSED)
		return err->code = ERROR_UNAVAILABLE;
	if (r != ERROR_USAGE && r != ERROR_UNAVAILABLE && r != ERROR_DEFECT)
		return r;
	plan_retry(puller, r, err->message);
	return 0;
}

static void watch_runner(struct puller *puller)
{
	credential_step(puller->credential);
	if (puller->awaiting_runner || credential_fd(puller->credential) < 0)
		return;
	puller->awaiting_runner = true;
	ring_poll_readable(puller->options.ring, credential_fd(puller->credential), TAG_RUNNER);
}

static void observe(struct puller *puller)
{
	const struct observing_subject subject = {
		.server = server(puller),
		.identity = stream_identity(puller->stream),
		.place = feed_place(puller->feed),
		.history = feed_history(puller->feed),
	};

	observing_step(&puller->observing, &subject);
}

/* All that can be done without waiting. 1: we are done. */
static int turn(struct puller *puller, struct error *err)
{
	int r = sink_step(puller->sink, err);

	if (r == 0)
		r = follow_keeper(puller, err);
	if (r < 0)
		return r;
	if (puller->options.stopping())
		return turn_stopping(puller, err);
	if (stream_is_open(puller->stream) && listening_is_silent(&puller->listening)) {
		error_set(err, ERROR_CLOSED,
			  "%s:%u has shown no sign of life for %" PRIu64 " ms: is the network cut?",
			  server(puller)->host, (unsigned)server(puller)->port,
			  puller->listening.silence_usec / USEC_PER_MSEC);
		stream_lost(puller, err);
	}
	if (stream_is_open(puller->stream) && listening_is_doubtful(&puller->listening))
		stream_wake(puller->stream);
	/* The next pre-flight judges it. */
	if (is_streaming(puller) && observing_take_encryption(&puller->observing)) {
		leave_stream(puller);
		servers_again(&puller->servers, clock_monotonic_usec());
	}
	hold(puller);
	roll_if_old(puller);
	if (may_connect(puller) && clock_monotonic_usec() >= servers_try_usec(&puller->servers))
		r = connect_with_credential(puller, err);
	watch_runner(puller);
	if (r == 0)
		r = pump(puller, err);
	if (r < 0)
		return r;
	note_drained(puller);
	/* What was ended just now can begin to be written. */
	r = sink_step(puller->sink, err);
	if (r < 0)
		return r;
	acknowledge(puller);
	note_success(puller);
	note_caught_up(puller);
	if (is_streaming(puller))
		observe(puller);
	sink_note(puller->sink, receiver_source_position(stream_receiver(puller->stream)),
		  feed_byte_count(puller->feed));
	tell_state(puller);
	semi_sync_tell(puller->semi_sync);
	return 0;
}

static void set_timer(struct puller *puller)
{
	uint64_t deadline =
		MIN(sink_deadline(puller->sink), credential_deadline(puller->credential));

	deadline = MIN(deadline, MIN(semi_sync_deadline(puller->semi_sync), watchdog_due_usec()));
	if (puller->more)
		deadline = 1;
	else if (puller->draining)
		deadline = MIN(deadline, puller->drain_usec);
	else if (puller->stop_begun)
		deadline = MIN(deadline, puller->stop_usec);
	else if (puller->held && stream_is_open(puller->stream))
		deadline = MIN(deadline, puller->held_usec);
	else if (may_connect(puller) && !puller->awaiting_runner)
		deadline = MIN(deadline, servers_try_usec(&puller->servers));
	else if (stream_is_open(puller->stream) && puller->listening.waiting)
		deadline = MIN(deadline, listening_deadline(&puller->listening));
	else if (stream_is_open(puller->stream) && puller->source->rate_limit > 0 &&
		 !feed_has_item(puller->feed))
		deadline = MIN(deadline, allowance_deadline(&puller->allowance));
	if (is_streaming(puller))
		deadline = MIN(deadline, observing_deadline(&puller->observing));
	ring_timer(puller->options.ring, deadline == UINT64_MAX ? 0 : MAX(deadline, 1));
}

static int handle(struct puller *puller, const struct ring_event *event, struct error *err)
{
	int r;

	if (event->kind == RING_APPENDED) {
		r = sink_appended(puller->sink, event->tag, event->result, err);
		/* Before anything else is done: a commit waits for it. */
		if (r == 0)
			acknowledge(puller);
		return r;
	}
	if (event->kind != RING_TIMER && event->tag == TAG_SERVER)
		listening_ready(&puller->listening);
	if (event->kind != RING_TIMER && event->tag == TAG_SEND) {
		semi_sync_ready(puller->semi_sync);
		acknowledge(puller);
	}
	if (event->kind != RING_TIMER && event->tag == TAG_KEEPER)
		sink_keeper_readable(puller->sink);
	if (event->kind != RING_TIMER && event->tag == TAG_RUNNER)
		puller->awaiting_runner = false;
	if (event->kind != RING_TIMER && event->tag == TAG_OBSERVER) {
		puller->awaiting_observer = false;
		observing_readable(&puller->observing);
	}
	return 0;
}

int puller_run(struct puller *puller, struct error *err)
{
	struct ring_event events[16];
	int count, r;

	ring_poll_readable(puller->options.ring, puller->options.stop_fd, TAG_STOP);
	for (;;) {
		watchdog_alive();
		r = turn(puller, err);
		if (r != 0)
			return r < 0 ? r : 0;
		set_timer(puller);
		count = ring_wait(puller->options.ring, events, ARRAY_LENGTH(events), err);
		if (count < 0)
			return count;
		for (int i = 0; i < count; i++) {
			r = handle(puller, &events[i], err);
			if (r < 0)
				return r;
		}
	}
}
