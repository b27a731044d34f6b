#include "pull/sink.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "pull/keeper_client.h"
#include "pull/segment.h"
#include "volume/frame.h"

#define RETRY_USEC (1 * USEC_PER_SEC)

/* A keeper that starts at the same time listens soon; the pause doubles up to RETRY_USEC. */
#define ATTACH_FIRST_USEC (50 * USEC_PER_MSEC)

#define PROGRESS_USEC (100 * USEC_PER_MSEC)
#define AGE_JITTER_PART                                                                            \
	10 /* segment-age is varied by a tenth, so that sources do not roll at once */

/* While the keeper is away a segment may grow to so many times segment-size. */
#define GROWTH_MAX 4

/* What frames take beside the bytes of an event: headers, padding, summaries, at worst. */
#define FRAME_COST(length) ((length) / 64 + (4u << 20))

enum sink_state { SINK_CLOSED, SINK_OPEN, SINK_ENDING, SINK_LETTING_GO };

struct sink {
	struct sink_options options;

	struct keeper_client *client;
	bool polled;	      /* the ring watches the keeper's descriptor */
	uint64_t attach_usec; /* when to try again, if it is not connected */
	uint64_t attach_pause_usec;
	uint64_t attached_usec; /* when it answered last */
	struct error away;	/* why it is not; code 0 at first */
	bool has_attached;	/* an answer that the puller has not taken */
	bool let_go;
	struct attached attached;
	bool has_status, has_semi_sync, semi_sync_due;
	struct pull_status status;
	bool has_preflight, preflight_due;
	struct pull_preflight preflight;
	struct observed *observed; /* the last, with its list; NULL before the first */
	int observed_list_fd;	   /* -1: it has none */
	struct pull_semi_sync semi_sync;

	uint64_t step_usec; /* the time of the last sink_step(): asked for at each event */
	enum sink_state state;
	struct segment *segment;
	bool session_due;
	bool flush;	       /* sink_flush() was called */
	uint64_t pending_usec; /* since when bytes wait to be written */
	uint64_t age_usec;     /* when the segment is old enough */
	enum segment_ended ended;
	char next_file[BINLOG_NAME_MAX + 1];
	bool end_queued;

	bool granted; /* an acknowledgement that was not taken */
	struct acknowledgement acknowledgement;

	bool open_wanted;
	uint64_t open_usec;   /* not before */
	struct error refused; /* why no segment was opened */
	uint64_t full_usec;   /* the volume is full: when to try again, 0 if it is not */
	struct error full;

	uint64_t progress_usec; /* when the next is allowed */
	bool progress_due;
	uint64_t source_position, byte_count;

	/* The last event that the source itself has with a wrong CRC. */
	struct damaged damaged; /* length 0: there is none */
	bool damaged_due;	/* the keeper has not been told */
};

struct sink *sink_new(const struct sink_options *options)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	ASSERT(sink);
	sink->options = *options;
	sink->attach_pause_usec = ATTACH_FIRST_USEC;
	sink->observed_list_fd = -1;
	sink->client = keeper_client_new(options->socket, &options->hello, options->stop_fd);
	return sink;
}

void sink_free(struct sink *sink)
{
	struct ring_event events[RING_SLOTS];
	struct error err;

	if (!sink)
		return;
	ring_poll_cancel(sink->options.ring, sink->options.keeper_tag);
	while (sink->segment && segment_in_flight(sink->segment)) {
		int count = ring_wait(sink->options.ring, events, ARRAY_LENGTH(events), &err);

		ASSERT(count >= 0);
		for (int i = 0; i < count; i++) {
			if (events[i].kind == RING_APPENDED &&
			    segment_appended(sink->segment, events[i].tag, events[i].result, &err) <
				    0)
				log_debug("append.abandoned", "reason", LOG_TEXT(err.message),
					  LOG_END);
		}
	}
	segment_free(sink->segment);
	keeper_client_free(sink->client);
	if (sink->observed_list_fd >= 0)
		close(sink->observed_list_fd);
	free(sink->observed);
	free(sink);
}

bool sink_is_closed(const struct sink *sink)
{
	return sink->state == SINK_CLOSED;
}

bool sink_is_open(const struct sink *sink)
{
	return sink->state == SINK_OPEN;
}

bool sink_is_settled(const struct sink *sink)
{
	if (!sink->segment || sink->full_usec)
		return true;
	return segment_frames(sink->segment) == 0 &&
	       segment_writer_pending(segment_writer(sink->segment)) == 0;
}

bool sink_holds_part(const struct sink *sink)
{
	const struct segment_state *state;

	if (!sink->segment)
		return false;
	state = segment_writer_state(segment_writer(sink->segment));
	return state->position != state->summary.event_end;
}

const struct error *sink_trouble(const struct sink *sink)
{
	if (sink->full_usec)
		return &sink->full;
	if (sink->open_wanted && sink->refused.code)
		return &sink->refused;
	if (!keeper_client_connected(sink->client) && sink->away.code)
		return &sink->away;
	return NULL;
}

/* --- the keeper ------------------------------------------------------------------------------ */

/* After each conversation: watch the descriptor exactly while there is one. */
static void watch_keeper(struct sink *sink)
{
	bool connected = keeper_client_connected(sink->client);

	if (sink->polled && !connected)
		ring_poll_cancel(sink->options.ring, sink->options.keeper_tag);
	if (!sink->polled && connected)
		ring_poll_readable(sink->options.ring, keeper_client_fd(sink->client),
				   sink->options.keeper_tag);
	sink->polled = connected;
}

static void keeper_lost(struct sink *sink, const char *reason)
{
	keeper_client_disconnect(sink->client);
	watch_keeper(sink);
	error_set(&sink->away, ERROR_UNAVAILABLE, "%s", reason);
	/* One that ends each conversation at once is not to be asked for the next one all the time.
	 */
	sink->attach_usec = MAX(clock_monotonic_usec(), sink->attached_usec + RETRY_USEC);
	log_warning("keeper.lost", "reason", LOG_TEXT(reason), LOG_END);
}

void sink_keeper_readable(struct sink *sink)
{
	struct error err;

	sink->polled = false;
	if (keeper_client_readable(sink->client, &err) < 0)
		keeper_lost(sink, err.message);
	else
		watch_keeper(sink);
}

const struct control *sink_control(const struct sink *sink)
{
	return keeper_client_control(sink->client);
}

/* The keeper has no use for what we write: stop, and begin where it says. */
static void let_go(struct sink *sink)
{
	log_warning("segment.let-go", LOG_END);
	sink_forget_requests(sink);
	keeper_client_disconnect(sink->client);
	watch_keeper(sink);
	sink->state = SINK_LETTING_GO;
	sink->let_go = true;
	sink->full_usec = 0;
	sink->damaged = (struct damaged){0};
	sink->damaged_due = false;
}

static void tell_semi_sync(struct sink *sink)
{
	if (sink->semi_sync_due)
		sink->semi_sync_due = !keeper_client_semi_sync(sink->client, &sink->semi_sync);
}

static void take_attached(struct sink *sink, bool held, const struct attached *attached)
{
	if (held != (attached->kind == ATTACHED_CONTINUE)) {
		if (held)
			let_go(sink);
		else
			keeper_lost(sink,
				    "the keeper lets us go on with a segment that we do not have");
		return;
	}
	sink->away.code = 0;
	sink->attached_usec = clock_monotonic_usec();
	log_info("keeper.attached", "held", LOG_NUMBER(held), LOG_END);
	if (!held) {
		sink->attached = *attached;
		sink->has_attached = true;
	}
	if (sink->has_status)
		keeper_client_status(sink->client, &sink->status);
	if (sink->observed)
		keeper_client_observed(sink->client, sink->observed, sink->observed_list_fd);
	sink->semi_sync_due = sink->has_semi_sync;
	tell_semi_sync(sink);
	sink->preflight_due = sink->has_preflight;
	sink->progress_due = true;
	sink->damaged_due = sink->damaged.length > 0;
}

static void attach(struct sink *sink)
{
	struct attach request = {.holds_segment = sink->segment != NULL};
	struct attached attached;
	struct error err;
	int r;

	if (request.holds_segment)
		memcpy(request.segment_id, segment_header(sink->segment)->segment_id,
		       SEGMENT_ID_SIZE);
	r = keeper_client_attach(sink->client, &request, &attached, &err);
	sink->attach_usec = clock_monotonic_usec() + sink->attach_pause_usec;
	sink->attach_pause_usec =
		r < 0 ? MIN(2 * sink->attach_pause_usec, RETRY_USEC) : ATTACH_FIRST_USEC;
	if (r < 0) {
		if (strcmp(sink->away.message, err.message) != 0)
			log_warning("keeper.away", "reason", LOG_TEXT(err.message), LOG_END);
		sink->away = err;
		if (r == ERROR_NOT_FOUND && request.holds_segment)
			let_go(sink);
	} else {
		take_attached(sink, request.holds_segment, &attached);
	}
	watch_keeper(sink);
}

bool sink_take_attached(struct sink *sink, struct attached *ret_attached, bool *ret_let_go)
{
	if (!sink->has_attached)
		return false;
	*ret_attached = sink->attached;
	*ret_let_go = sink->let_go;
	sink->has_attached = false;
	sink->let_go = false;
	return true;
}

void sink_status(struct sink *sink, const struct pull_status *status)
{
	sink->status = *status;
	sink->has_status = true;
	keeper_client_status(sink->client, status);
	watch_keeper(sink);
}

void sink_preflight(struct sink *sink, const struct pull_preflight *preflight)
{
	sink->preflight = *preflight;
	sink->has_preflight = sink->preflight_due = true;
}

static void tell_preflight(struct sink *sink)
{
	if (sink->preflight_due && keeper_client_connected(sink->client))
		sink->preflight_due = !keeper_client_preflight(sink->client, &sink->preflight);
}

void sink_observed(struct sink *sink, const struct observed *observed, const uint8_t *list,
		   size_t size)
{
	struct error err;
	int fd = size > 0 ? channel_body_new(list, size, &err) : -1;

	if (size > 0 && fd < 0) {
		log_warning("observed.lost", "reason", LOG_TEXT(err.message), LOG_END);
		return;
	}
	if (!sink->observed)
		sink->observed = malloc(sizeof(*sink->observed));
	ASSERT(sink->observed);
	*sink->observed = *observed;
	if (sink->observed_list_fd >= 0)
		close(sink->observed_list_fd);
	sink->observed_list_fd = fd;
	keeper_client_observed(sink->client, observed, fd);
	watch_keeper(sink);
}

void sink_semi_sync(struct sink *sink, const struct pull_semi_sync *semi_sync)
{
	sink->semi_sync = *semi_sync;
	sink->has_semi_sync = true;
	sink->semi_sync_due = true;
	tell_semi_sync(sink);
	watch_keeper(sink);
}

void sink_note(struct sink *sink, uint64_t source_position, uint64_t byte_count)
{
	if (sink->source_position == source_position && sink->byte_count == byte_count)
		return;
	sink->source_position = source_position;
	sink->byte_count = byte_count;
	sink->progress_due = true;
}

static void tell_progress(struct sink *sink)
{
	const struct segment_durable *durable = segment_durable(sink->segment);
	struct progress progress = {
		.good_end = durable->summary.event_end,
		.transaction_end = durable->summary.transaction_end,
		.transaction_usec = durable->summary.transaction_last_usec,
		.received_usec = durable->received_usec,
		.source_position = sink->source_position,
		.byte_count = sink->byte_count,
		.frame_sequence = durable->sequence,
	};

	if (!durable->any)
		return;
	memcpy(progress.segment_id, segment_header(sink->segment)->segment_id, SEGMENT_ID_SIZE);
	memcpy(progress.frame_tag, durable->tag, sizeof(progress.frame_tag));
	keeper_client_progress(sink->client, &progress);
	sink->progress_due = false;
	sink->progress_usec = clock_monotonic_usec() + PROGRESS_USEC;
}

/* Only when it is durable: what is let go comes again. */
static void tell_damaged(struct sink *sink)
{
	if (!sink->damaged_due || !keeper_client_connected(sink->client) ||
	    (sink->segment &&
	     memcmp(segment_header(sink->segment)->segment_id, sink->damaged.segment_id,
		    SEGMENT_ID_SIZE) == 0 &&
	     segment_durable(sink->segment)->summary.event_end <= sink->damaged.position))
		return;
	keeper_client_damaged(sink->client, &sink->damaged);
	sink->damaged_due = false;
}

/* --- the segment ----------------------------------------------------------------------------- */

static uint64_t random_below(uint64_t limit)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return limit ? value % limit : 0;
}

static uint64_t age_with_jitter(uint64_t age_usec)
{
	uint64_t jitter = age_usec / AGE_JITTER_PART;

	return age_usec - jitter + random_below(2 * jitter);
}

static int begin_segment(struct sink *sink, const struct open_segment *request,
			 struct segment_opened *opened, const int *fds, size_t fd_count,
			 struct error *err)
{
	const struct segment_header *header;
	int r;

	r = segment_new(sink->options.ring, sink->options.append_tag, opened, fds, fd_count,
			sink->options.compression_level, &sink->segment, err);
	if (r < 0)
		return r;
	header = segment_header(sink->segment);
	if (header->start_position != request->start_position ||
	    strcmp(header->binlog_file, request->binlog_file) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the keeper opened another segment than it was asked for");
	sink->state = SINK_OPEN;
	sink->session_due = true;
	sink->flush = false;
	sink->end_queued = false;
	sink->age_usec = clock_monotonic_usec() + age_with_jitter(sink->options.segment_age_usec);
	return 1;
}

int sink_open(struct sink *sink, const struct open_segment *request, struct error *err)
{
	struct segment_opened opened;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	int r;

	if (sink->state == SINK_OPEN) {
		ASSERT(segment_writer_state(segment_writer(sink->segment))->position ==
		       request->start_position);
		return 1;
	}
	sink->open_wanted = true;
	if (sink->state != SINK_CLOSED || sink->has_attached ||
	    !keeper_client_connected(sink->client) || clock_monotonic_usec() < sink->open_usec)
		return 0;
	r = keeper_client_open(sink->client, request, &opened, fds, &fd_count, &sink->refused);
	if (r < 0) {
		sink->open_usec = clock_monotonic_usec() + RETRY_USEC;
		if (!keeper_client_connected(sink->client))
			keeper_lost(sink, sink->refused.message);
		return 0;
	}
	sink->open_wanted = false;
	sink->refused.code = 0;
	return begin_segment(sink, request, &opened, fds, fd_count, err);
}

void sink_open_cancel(struct sink *sink)
{
	sink->open_wanted = false;
}

static void flush(struct sink *sink)
{
	segment_flush(sink->segment, clock_realtime_usec());
	sink->flush = false;
}

static void flush_if_due(struct sink *sink, uint64_t now)
{
	const struct segment_writer *writer = segment_writer(sink->segment);

	if (segment_writer_pending(writer) == 0 || !segment_writer_ready(writer))
		return;
	if (segment_writer_full(writer) || sink->flush ||
	    (segment_frames(sink->segment) == 0 &&
	     (segment_requested(sink->segment) ||
	      now >= sink->pending_usec + sink->options.frame_delay_usec)))
		flush(sink);
}

void sink_flush(struct sink *sink)
{
	sink->flush = true;
}

bool sink_session_due(const struct sink *sink)
{
	return sink->session_due;
}

void sink_require_session(struct sink *sink)
{
	sink->session_due = true;
}

int sink_session(struct sink *sink, const void *bytes, size_t size, struct error *err)
{
	const struct segment_writer *writer = segment_writer(sink->segment);
	int r;

	ASSERT(sink->state == SINK_OPEN);
	if (segment_writer_ready(writer) && segment_writer_pending(writer) > 0)
		flush(sink);
	if (!segment_writer_ready(writer) || segment_writer_pending(writer) > 0)
		return 0;
	r = segment_queue_session(sink->segment, bytes, size, clock_realtime_usec(), err);
	if (r < 0)
		return r;
	sink->session_due = false;
	return 1;
}

size_t sink_add(struct sink *sink, const void *bytes, size_t size)
{
	struct segment_writer *writer = segment_writer(sink->segment);

	ASSERT(sink->state == SINK_OPEN);
	if (segment_writer_full(writer) && segment_writer_ready(writer))
		flush(sink);
	if (segment_writer_pending(writer) == 0)
		sink->pending_usec = clock_monotonic_usec();
	return segment_writer_add(writer, bytes, size);
}

static void note_damaged(struct sink *sink, const struct segment_event *event)
{
	const struct segment_header *header = segment_header(sink->segment);

	memcpy(sink->damaged.segment_id, header->segment_id, SEGMENT_ID_SIZE);
	memcpy(sink->damaged.binlog_file, header->binlog_file, sizeof(header->binlog_file));
	sink->damaged.position = event->position;
	sink->damaged.length = (uint32_t)event->length;
	sink->damaged.crc = event->crc;
	sink->damaged_due = true;
	log_warning("event.crc-wrong", "file", LOG_TEXT(header->binlog_file), "position",
		    LOG_NUMBER(event->position), "length", LOG_NUMBER(event->length), LOG_END);
}

void sink_event_end(struct sink *sink, const struct segment_event *event)
{
	segment_writer_event_end(segment_writer(sink->segment), event);
	if (event->crc_wrong)
		note_damaged(sink, event);
}

/* --- acknowledgements ------------------------------------------------------------------------ */

static void grant(struct sink *sink, const char *file, uint64_t position)
{
	snprintf(sink->acknowledgement.file, sizeof(sink->acknowledgement.file), "%s", file);
	sink->acknowledgement.position = position;
	sink->granted = true;
}

/* What the segment has made durable. */
static void grant_durable(struct sink *sink)
{
	uint64_t position = segment_take_granted(sink->segment);

	if (position != 0)
		grant(sink, segment_header(sink->segment)->binlog_file, position);
}

void sink_request(struct sink *sink)
{
	ASSERT(sink->state == SINK_OPEN);
	segment_request(sink->segment,
			segment_writer_state(segment_writer(sink->segment))->summary.event_end);
	grant_durable(sink);
}

void sink_request_again(struct sink *sink, const struct place *place)
{
	/* What this segment holds may be lost; the stream begins anew. */
	if (sink->state == SINK_LETTING_GO || sink->has_attached)
		return;
	if (sink->segment && strcmp(segment_header(sink->segment)->binlog_file, place->file) == 0) {
		segment_request(sink->segment, place->position);
		grant_durable(sink);
	} else {
		grant(sink, place->file, place->position); /* its segment is closed */
	}
}

bool sink_take_acknowledgement(struct sink *sink, struct acknowledgement *ret_acknowledgement)
{
	if (!sink->granted)
		return false;
	*ret_acknowledgement = sink->acknowledgement;
	sink->granted = false;
	return true;
}

bool sink_owes_acknowledgement(const struct sink *sink)
{
	return sink->segment && segment_owes(sink->segment);
}

void sink_forget_requests(struct sink *sink)
{
	sink->granted = false;
	if (sink->segment)
		segment_forget_requests(sink->segment);
}

/* --- the segment's end ----------------------------------------------------------------------- */

enum segment_ended sink_roll_due(const struct sink *sink, uint64_t length)
{
	const struct segment_writer *writer;
	uint64_t size, limit = sink->options.segment_size;

	if (sink->state != SINK_OPEN)
		return 0;
	writer = segment_writer(sink->segment);
	size = segment_writer_state(writer)->offset + segment_writer_pending(writer);
	if (segment_writer_exhausted(writer) || size >= GROWTH_MAX * limit ||
	    size + length + FRAME_COST(length) > SEGMENT_SIZE_MAX)
		return SEGMENT_ENDED_SIZE;
	if (!keeper_client_connected(sink->client))
		return 0;
	if (size >= limit)
		return SEGMENT_ENDED_SIZE;
	return sink->step_usec >= sink->age_usec ? SEGMENT_ENDED_AGE : 0;
}

void sink_end(struct sink *sink, enum segment_ended ended, const char *next_file)
{
	ASSERT(sink->state == SINK_OPEN);
	sink->state = SINK_ENDING;
	sink->ended = ended;
	sink->next_file[0] = '\0';
	if (next_file)
		memcpy(sink->next_file, next_file, strlen(next_file) + 1);
}

/* END is durable: the keeper may have it. */
static void segment_closed(struct sink *sink)
{
	struct segment_closed closed = {
		.good_end = segment_durable(sink->segment)->summary.event_end,
	};

	memcpy(closed.segment_id, segment_header(sink->segment)->segment_id, SEGMENT_ID_SIZE);
	tell_progress(sink);
	tell_damaged(sink);
	log_info("segment.closed", "file", LOG_TEXT(segment_header(sink->segment)->binlog_file),
		 "position", LOG_NUMBER(closed.good_end), "ended",
		 LOG_TEXT(segment_ended_name(sink->ended)), LOG_END);
	segment_free(TAKE(sink->segment));
	keeper_client_closed(sink->client, &closed);
	sink->state = SINK_CLOSED;
}

static int step_ending(struct sink *sink, struct error *err)
{
	const struct segment_writer *writer = segment_writer(sink->segment);
	int r;

	if (segment_writer_pending(writer) > 0 && segment_writer_ready(writer))
		flush(sink);
	if (!sink->end_queued && segment_writer_pending(writer) == 0 &&
	    segment_writer_ready(writer)) {
		r = segment_queue_end(sink->segment, sink->ended, sink->next_file,
				      clock_realtime_usec(), err);
		if (r < 0)
			return error_prefix(err, "ending the segment");
		sink->end_queued = true;
	}
	if (sink->end_queued && segment_frames(sink->segment) == 0)
		segment_closed(sink);
	return 0;
}

int sink_appended(struct sink *sink, uint32_t tag, int result, struct error *err)
{
	int r = segment_appended(sink->segment, tag, result, err);

	if (r == ERROR_NO_SPACE) {
		if (!sink->full_usec)
			log_warning("volume.full", "reason", LOG_TEXT(err->message), LOG_END);
		sink->full = *err;
		sink->full_usec = clock_monotonic_usec() + RETRY_USEC;
		return 0;
	}
	if (r < 0)
		return sink->state == SINK_LETTING_GO ? 0 : r;
	if (r > 0) {
		sink->full_usec = 0;
		sink->progress_due = true;
		grant_durable(sink);
	}
	return 0;
}

int sink_step(struct sink *sink, struct error *err)
{
	uint64_t now = clock_monotonic_usec();
	int r = 0;

	sink->step_usec = now;
	if (sink->state == SINK_LETTING_GO && !segment_in_flight(sink->segment)) {
		segment_free(TAKE(sink->segment));
		sink->state = SINK_CLOSED;
	}
	if (sink->state != SINK_LETTING_GO && !keeper_client_connected(sink->client) &&
	    now >= sink->attach_usec)
		attach(sink);
	if (sink->full_usec && now >= sink->full_usec) {
		sink->full_usec = now + RETRY_USEC;
		segment_retry(sink->segment);
	}
	if (sink->state == SINK_OPEN)
		flush_if_due(sink, now);
	if (sink->state == SINK_ENDING)
		r = step_ending(sink, err);
	if (sink->segment && sink->progress_due && now >= sink->progress_usec)
		tell_progress(sink);
	tell_preflight(sink);
	tell_damaged(sink);
	tell_semi_sync(sink);
	watch_keeper(sink);
	return r;
}

uint64_t sink_deadline(const struct sink *sink)
{
	uint64_t deadline = UINT64_MAX;
	bool connected = keeper_client_connected(sink->client);

	if (sink->has_attached)
		return 1;
	if (!connected && sink->state != SINK_LETTING_GO)
		deadline = MIN(deadline, sink->attach_usec);
	if (sink->full_usec)
		deadline = MIN(deadline, sink->full_usec);
	if (connected && sink->open_wanted && sink->state == SINK_CLOSED)
		deadline = MIN(deadline, sink->open_usec);
	if (connected && sink->segment && sink->progress_due && segment_durable(sink->segment)->any)
		deadline = MIN(deadline, sink->progress_usec);
	if (sink->state != SINK_OPEN)
		return deadline;
	/* While nothing can be written, the end can wait for the disk too. */
	if (connected && !sink_holds_part(sink) &&
	    segment_writer_ready(segment_writer(sink->segment)))
		deadline = MIN(deadline, sink->age_usec);
	if (segment_writer_pending(segment_writer(sink->segment)) > 0 &&
	    segment_frames(sink->segment) == 0)
		deadline = MIN(deadline, sink->pending_usec + sink->options.frame_delay_usec);
	return deadline;
}
