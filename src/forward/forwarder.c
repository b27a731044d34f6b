/*
 * Invariants:
 *  1 Everything before `progress.place` is confirmed. It only goes forward, to a mark's place.
 *  2 The trail stands behind what is in the buffer or was written on this connection; where there
 *    is no connection, at `progress.place` or nowhere.
 *  3 A mark is made when the buffer is empty: all before its place has been written whole, and is
 *    acknowledged when its number of bytes is.
 *  4 A ledger that is not the one forwarded before (`rewound`) is not read on.
 */
#include "forward/forwarder.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/units.h"
#include "crypto/random.h"
#include "forward/connection.h"
#include "forward/message.h"
#include "forward/progress.h"
#include "forward/trail.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/watchdog.h"

#define BUFFER_SIZE    ((size_t)4 * MESSAGE_SIZE_MAX)
#define SETTLE_USEC    (3 * USEC_PER_SEC)
#define UNREAD_USEC    (30 * USEC_PER_SEC) /* the peer's host acknowledges nothing for so long */
#define LOOK_USEC      (1 * USEC_PER_SEC)  /* checkpoints are made once a second at most */
#define ACK_USEC       (100 * USEC_PER_MSEC)
#define HEARTBEAT_USEC (60 * USEC_PER_SEC)
#define SAVE_USEC      (1 * USEC_PER_SEC)
#define AGAIN_USEC     (60 * USEC_PER_SEC) /* a ledger that cannot be read, or is another one */
#define STEADY_USEC    (10 * USEC_PER_SEC) /* a connection that lived so long has worked */

/* A place that is confirmed when so many bytes are acknowledged, and SETTLE_USEC have passed. */
struct mark {
	bool set;
	uint64_t written;
	struct place place;
	uint64_t acknowledged_usec; /* 0: not yet */
};

/* What the ledger had at a time: when that is confirmed, it is `until_usec`. */
struct sample {
	uint64_t leaf_count;
	uint64_t usec; /* system time; 0: none taken */
};

struct forwarder {
	const struct forwarder_options *options;
	struct progress progress;
	struct progress saved; /* as it was written last */
	uint64_t saved_usec;
	struct error unsaved; /* why it could not be written the last time; code 0: it was */

	struct trail *trail;
	bool reading; /* trail_begin() has succeeded */
	bool rewound;
	uint64_t begin_usec;  /* not before: after a failure */
	struct error problem; /* with the ledger; code 0: none */
	struct trail_end end;
	uint64_t end_usec;  /* system time at which the ledger was so; 0: not looked at yet */
	uint64_t look_usec; /* the next */
	struct sample sample;

	struct connection *connection;
	bool open;
	uint64_t open_usec; /* since when */
	struct retry retry;
	uint64_t connect_usec; /* not before */
	struct error failure;  /* of the connection; code 0: none */

	char *buffer; /* BUFFER_SIZE; unwritten bytes are [begin, size) */
	size_t begin, size;
	struct mark mark;
	uint64_t acknowledged, acknowledged_usec; /* the number, and when it last changed */
	uint64_t heartbeat_usec;		  /* the next */
};

static const struct config *config(const struct forwarder *forwarder)
{
	return forwarder->options->config;
}

/* --- the ledger ------------------------------------------------------------------------------- */

/* The first time that it is so, it is said. */
static void ledger_failed(struct forwarder *forwarder, const struct error *err, uint64_t now)
{
	bool rewound = err->code == ERROR_DIVERGED;

	forwarder->reading = false;
	forwarder->begin_usec = now + AGAIN_USEC;
	if (strcmp(forwarder->problem.message, err->message) != 0) {
		log_error(rewound ? "ledger.rewound" : "ledger.unreadable", "reason",
			  LOG_TEXT(err->message), LOG_END);
		forwarder->heartbeat_usec = now; /* the SIEM is told at once */
	}
	forwarder->problem = *err;
	forwarder->rewound = rewound;
}

/* To the place that a new connection begins from, or a trail that failed goes on from. */
static void begin_trail(struct forwarder *forwarder, const struct place *place, uint64_t now)
{
	struct error err = {0};

	if (trail_begin(forwarder->trail, place, &err) < 0) {
		ledger_failed(forwarder, &err, now);
		return;
	}
	if (forwarder->problem.code)
		log_info("ledger.readable", LOG_END);
	forwarder->problem = (struct error){0};
	forwarder->rewound = false;
	forwarder->reading = true;
}

static void look(struct forwarder *forwarder, uint64_t now)
{
	struct progress *progress = &forwarder->progress;
	struct error err = {0};
	uint64_t looked_usec;

	if (now < forwarder->look_usec)
		return;
	forwarder->look_usec = now + LOOK_USEC;
	if (!forwarder->reading && now >= forwarder->begin_usec)
		begin_trail(forwarder,
			    forwarder->open ? trail_place(forwarder->trail) : &progress->place,
			    now);
	if (!forwarder->reading)
		return;
	looked_usec = clock_realtime_usec();
	if (trail_look(forwarder->trail, &forwarder->end, &err) < 0) {
		ledger_failed(forwarder, &err, now);
		return;
	}
	forwarder->end_usec = looked_usec;
	progress->leaf_count = forwarder->end.leaf_count;
	if (forwarder->end.replaced || forwarder->end.leaf_count < progress->place.next_index) {
		/* It says whether it is another one; what is not confirmed may come twice. */
		forwarder->mark.set = false;
		begin_trail(forwarder, &progress->place, now);
	}
}

/* `until_usec` follows the clock as long as all is confirmed that there was a moment ago. */
static void follow_until(struct forwarder *forwarder)
{
	struct sample *sample = &forwarder->sample;

	if (!forwarder->open || !forwarder->reading || forwarder->end_usec == 0)
		return;
	if (sample->usec != 0 && forwarder->progress.place.next_index < sample->leaf_count)
		return;
	if (sample->usec != 0)
		forwarder->progress.until_usec = sample->usec;
	*sample = (struct sample){forwarder->end.leaf_count, forwarder->end_usec};
}

/* --- the buffer ------------------------------------------------------------------------------- */

static void put_heartbeat(struct forwarder *forwarder)
{
	CLEANUP(json_decrefp)
	json_t *fields = json_object();
	const struct error *problem =
		forwarder->problem.code ? &forwarder->problem : &forwarder->unsaved;
	enum message_severity severity = MESSAGE_INFO;
	char time[TIME_TEXT_SIZE];

	json_put_string(fields, "origin", forwarder->progress.place.origin);
	json_put_u64(fields, "forwarded", forwarder->progress.place.next_index);
	json_put_u64(fields, "leaves", forwarder->end.leaf_count);
	if (forwarder->end.checkpoint_usec != 0) {
		time_format(forwarder->end.checkpoint_usec, time);
		json_put_string(fields, "checkpoint_time", time);
	}
	json_put_string(fields, "version", BINVAULT_VERSION);
	if (problem->code) {
		severity = forwarder->rewound ? MESSAGE_ALERT : MESSAGE_WARNING;
		json_put_string(fields, "problem", problem->message);
	}
	forwarder->size +=
		message_report(forwarder->rewound ? "ledger-rewound" : "heartbeat", severity,
			       fields, clock_realtime_usec(), config(forwarder)->name,
			       forwarder->buffer + forwarder->size);
}

static void put_item(struct forwarder *forwarder, const struct trail_item *item)
{
	const char *vault = config(forwarder)->name;
	char *end = forwarder->buffer + forwarder->size;

	forwarder->size += item->leaf ? message_leaf(item->leaf, vault, end)
				      : message_checkpoint(item->checkpoint,
							   trail_place(forwarder->trail)->leaf_usec,
							   vault, end);
}

/* When it is empty: as many messages as there are, and as fit. */
static void fill(struct forwarder *forwarder, uint64_t now)
{
	struct trail_item item;
	struct error err = {0};
	int r = 1;

	forwarder->begin = 0;
	forwarder->size = 0;
	if (now >= forwarder->heartbeat_usec) {
		put_heartbeat(forwarder);
		forwarder->heartbeat_usec = now + HEARTBEAT_USEC;
	}
	while (r > 0 && forwarder->reading && BUFFER_SIZE - forwarder->size >= MESSAGE_SIZE_MAX) {
		r = trail_next(forwarder->trail, &item, &err);
		if (r > 0)
			put_item(forwarder, &item);
	}
	if (r < 0)
		ledger_failed(forwarder, &err, now);
}

/* --- what is confirmed ------------------------------------------------------------------------ */

static bool same_place(const struct place *a, const struct place *b)
{
	return a->next_index == b->next_index && a->checkpoint_offset == b->checkpoint_offset;
}

/* The buffer is empty. */
static void set_mark(struct forwarder *forwarder)
{
	const struct place *place = trail_place(forwarder->trail);

	if (forwarder->mark.set || same_place(place, &forwarder->progress.place))
		return;
	forwarder->mark = (struct mark){
		.set = true,
		.written = connection_written(forwarder->connection),
		.place = *place,
	};
}

static void confirm(struct forwarder *forwarder, uint64_t now)
{
	struct mark *mark = &forwarder->mark;

	if (!mark->set || forwarder->acknowledged < mark->written)
		return;
	if (mark->acknowledged_usec == 0)
		mark->acknowledged_usec = now;
	if (now - mark->acknowledged_usec < SETTLE_USEC)
		return;
	forwarder->progress.place = mark->place;
	mark->set = false;
}

/* Is the peer's host taking what we write? */
static int watch_acknowledged(struct forwarder *forwarder, uint64_t now, struct error *err)
{
	struct connection *connection = forwarder->connection;
	uint64_t bytes;

	if (connection_acknowledged(connection, &bytes, err) < 0)
		return err->code;
	if (bytes != forwarder->acknowledged ||
	    (bytes == connection_written(connection) && forwarder->begin == forwarder->size)) {
		forwarder->acknowledged = bytes;
		forwarder->acknowledged_usec = now;
	} else if (now - forwarder->acknowledged_usec >= UNREAD_USEC) {
		return error_set(err, ERROR_UNAVAILABLE,
				 "the SIEM %s has taken nothing of what is sent to it for %ju "
				 "seconds: does it read, and is its disk full?",
				 connection_peer(connection),
				 (uintmax_t)(UNREAD_USEC / USEC_PER_SEC));
	}
	return 0;
}

/* --- the connection --------------------------------------------------------------------------- */

/* Everything that is not confirmed is sent again by the next one. */
static void forget_connection(struct forwarder *forwarder)
{
	connection_free(TAKE(forwarder->connection));
	forwarder->open = false;
	forwarder->mark.set = false;
	forwarder->begin = forwarder->size = 0;
}

static void connection_failed(struct forwarder *forwarder, const struct error *err, uint64_t now)
{
	bool person = err->code == ERROR_REFUSED || err->code == ERROR_USAGE;
	uint64_t random, delay;

	if (forwarder->open && now - forwarder->open_usec >= STEADY_USEC)
		retry_reset(&forwarder->retry);
	random_bytes(&random, sizeof(random));
	delay = person ? retry_after_refusal(&forwarder->retry, random)
		       : retry_after_failure(&forwarder->retry, random);
	forget_connection(forwarder);
	forwarder->connect_usec = now + delay;
	forwarder->failure = *err;
	log_warning("siem.failed", "reason", LOG_TEXT(err->message), "retry_usec",
		    LOG_NUMBER(delay), LOG_END);
}

/* Invariant 2. The ledger is looked at anew, also for whether it is the same. */
static void connection_opened(struct forwarder *forwarder, uint64_t now)
{
	log_info("siem.connected", "server", LOG_TEXT(connection_peer(forwarder->connection)),
		 "tls", LOG_TEXT(connection_version(forwarder->connection)), "next",
		 LOG_NUMBER(forwarder->progress.place.next_index), LOG_END);
	forwarder->open = true;
	forwarder->open_usec = now;
	forwarder->failure = (struct error){0};
	forwarder->acknowledged = 0;
	forwarder->acknowledged_usec = now;
	forwarder->heartbeat_usec = now;
	begin_trail(forwarder, &forwarder->progress.place, now);
}

static int step_connection(struct forwarder *forwarder, uint64_t now, struct error *err)
{
	int r = 0;

	if (!forwarder->connection) {
		if (now < forwarder->connect_usec)
			return 0;
		r = connection_open(&config(forwarder)->siem, now, &forwarder->connection, err);
	}
	if (r == 0)
		r = connection_step(forwarder->connection, now, err);
	if (r > 0 && !forwarder->open)
		connection_opened(forwarder, now);
	return r;
}

/* Write until the socket is full or there is nothing. */
static int send_trail(struct forwarder *forwarder, uint64_t now, struct error *err)
{
	ssize_t n = 1;

	while (n > 0) {
		if (forwarder->begin == forwarder->size) {
			set_mark(forwarder);
			fill(forwarder, now);
		}
		if (forwarder->begin == forwarder->size)
			break;
		n = connection_write(forwarder->connection, forwarder->buffer + forwarder->begin,
				     forwarder->size - forwarder->begin, err);
		if (n < 0)
			return err->code;
		forwarder->begin += (size_t)n;
		watchdog_alive();
		if (forwarder->options->stopping() || clock_monotonic_usec() > now + ACK_USEC)
			break; /* acknowledgements are to be looked at */
	}
	return 0;
}

static void step(struct forwarder *forwarder, uint64_t now)
{
	struct error err = {0};
	int r = step_connection(forwarder, now, &err);

	if (r > 0)
		r = send_trail(forwarder, now, &err);
	if (r == 0 && forwarder->open)
		r = watch_acknowledged(forwarder, now, &err);
	if (r < 0)
		connection_failed(forwarder, &err, now);
	else
		confirm(forwarder, now);
}

/* --- the progress file ------------------------------------------------------------------------ */

/* That it cannot be written is told to the SIEM, which still gets the trail: all that is at stake
 * is what comes twice after a crash. */
static void write_progress(struct forwarder *forwarder)
{
	struct error err = {0};

	forwarder->progress.written_usec = clock_realtime_usec();
	if (progress_write(forwarder->options->state_fd, &forwarder->progress, &err) < 0 &&
	    strcmp(forwarder->unsaved.message, err.message) != 0)
		log_error("state.unwritten", "reason", LOG_TEXT(err.message), LOG_END);
	forwarder->unsaved = err;
}

static void save(struct forwarder *forwarder, uint64_t now)
{
	struct progress *progress = &forwarder->progress;
	const struct progress *saved = &forwarder->saved;
	const struct error *wrong =
		forwarder->problem.code ? &forwarder->problem : &forwarder->failure;
	bool changed;

	progress->connected = forwarder->open;
	progress->rewound = forwarder->rewound;
	snprintf(progress->sentence, sizeof(progress->sentence), "%s",
		 wrong->code ? wrong->message : "");
	changed = !same_place(&progress->place, &saved->place) ||
		  progress->connected != saved->connected ||
		  progress->until_usec > saved->until_usec + HEARTBEAT_USEC ||
		  strcmp(progress->sentence, saved->sentence) != 0;
	if (forwarder->saved_usec != 0 &&
	    now < forwarder->saved_usec + (changed ? SAVE_USEC : HEARTBEAT_USEC))
		return;
	forwarder->saved = *progress;
	forwarder->saved_usec = now;
	write_progress(forwarder);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void wait_for_events(struct forwarder *forwarder, uint64_t now)
{
	struct pollfd fds[2] = {{.fd = forwarder->options->stop_fd, .events = POLLIN}, {.fd = -1}};
	uint64_t until = MIN(now + LOOK_USEC, forwarder->look_usec);

	if (forwarder->connection) {
		fds[1] = connection_poll(forwarder->connection, forwarder->begin < forwarder->size);
		until = MIN(until, connection_deadline(forwarder->connection));
	} else {
		until = MIN(until, forwarder->connect_usec);
	}
	if (forwarder->mark.set)
		until = MIN(until, now + ACK_USEC);
	now = clock_monotonic_usec();
	/* Rounded up, so that a moment that is not there yet is not asked for in a loop. */
	(void)watchdog_poll(fds, ARRAY_LENGTH(fds),
			    until > now ? (int)((until - now) / USEC_PER_MSEC) + 1 : 0);
}

static void loop(struct forwarder *forwarder)
{
	while (!forwarder->options->stopping()) {
		uint64_t now = clock_monotonic_usec();

		watchdog_alive();
		look(forwarder, now);
		step(forwarder, now);
		follow_until(forwarder);
		save(forwarder, now);
		wait_for_events(forwarder, now);
	}
}

int forwarder_run(const struct forwarder_options *options, struct error *err)
{
	struct forwarder forwarder = {.options = options};
	int r = progress_read(options->state_fd, &forwarder.progress, err);

	if (r < 0 && r != ERROR_NOT_FOUND)
		return error_prefix(err,
				    "[siem] state '%s' (to forward everything from the first leaf "
				    "on, remove the file in it)",
				    options->config->siem.state);
	forwarder.trail = trail_new(options->config->volumes[0]);
	forwarder.buffer = malloc(BUFFER_SIZE);
	ASSERT(forwarder.buffer);
	loop(&forwarder);
	forget_connection(&forwarder);
	forwarder.progress.connected = false;
	write_progress(&forwarder);
	trail_free(forwarder.trail);
	free(forwarder.buffer);
	return 0;
}
