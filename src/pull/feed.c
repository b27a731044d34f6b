#include "pull/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binlog/event.h"
#include "pull/beginning.h"

struct feed {
	struct sink *sink;
	struct place place;
	struct history *history;     /* up to the place */
	struct open_segment request; /* what segments of the file at hand are opened with */
	struct identity identity;    /* of the server that streams */
	const struct session *session;
	struct location location; /* where the stream began */
	uint8_t session_bytes[SESSION_BYTES_SIZE];

	bool begins; /* the stream began with a whole file, of which no segment has anything yet */

	/* A file that begins, until a segment has its first events and the place is in it. */
	struct beginning beginning;
	size_t beginning_event, beginning_taken; /* what of it the segment has */
	struct gtid_ranges *start;		 /* what precedes it */
	struct history *next_history;		 /* what is archived with it */

	bool has_item;
	struct received item;
	size_t taken; /* bytes of it that the segment has */
	bool begun;   /* a segment is open for it */
	const uint8_t *format_event;
	size_t format_size;
	uint64_t byte_count;
};

struct feed *feed_new(struct sink *sink)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	ASSERT(feed);
	feed->sink = sink;
	feed->history = history_new();
	feed->next_history = history_new();
	feed->start = history_set_new();
	return feed;
}

void feed_free(struct feed *feed)
{
	if (!feed)
		return;
	history_free(feed->history);
	history_free(feed->next_history);
	gtid_ranges_free(feed->start);
	free(feed);
}

const struct place *feed_place(const struct feed *feed)
{
	return &feed->place;
}

bool feed_begins(const struct feed *feed)
{
	return feed->begins;
}

const struct history *feed_history(const struct feed *feed)
{
	return feed->history;
}

bool feed_has_item(const struct feed *feed)
{
	return feed->has_item;
}

uint64_t feed_byte_count(const struct feed *feed)
{
	return feed->byte_count;
}

static void forget_item(struct feed *feed)
{
	feed->has_item = false;
	beginning_clear(&feed->beginning);
	feed->begun = false;
	feed->taken = 0;
	sink_open_cancel(feed->sink);
}

static int place_of(const struct attached *attached, struct place *place, struct error *err)
{
	*place = (struct place){0};
	memcpy(place->next_file, attached->next_file, sizeof(place->next_file));
	if (attached->kind == ATTACHED_START)
		return 0;
	if (attached->last_event_position < PLACE_FIRST_POSITION ||
	    attached->last_event_position >= attached->good_end ||
	    attached->transaction_end < PLACE_FIRST_POSITION ||
	    attached->transaction_end > attached->good_end)
		return error_set(err, ERROR_DEFECT,
				 "the keeper says that %s is archived to %" PRIu64 ", that its "
				 "last event stands at %" PRIu64 " and that its last whole "
				 "transaction ends at %" PRIu64,
				 attached->binlog_file, attached->good_end,
				 attached->last_event_position, attached->transaction_end);
	memcpy(place->file, attached->binlog_file, sizeof(place->file));
	place->position = attached->good_end;
	place->last_event_position = attached->last_event_position;
	place->last_event_crc = attached->last_event_crc;
	place->transaction_end = attached->transaction_end;
	place->closed = attached->kind == ATTACHED_NEXT;
	memcpy(place->identity, attached->identity, SEGMENT_IDENTITY_SIZE);
	place->generation = attached->generation;
	place->file_id = attached->file_id;
	return 0;
}

static bool same_place(const struct place *a, const struct place *b)
{
	return strcmp(a->file, b->file) == 0 && a->position == b->position &&
	       a->last_event_position == b->last_event_position &&
	       a->last_event_crc == b->last_event_crc;
}

/* What the keeper knows to be archived up to there. */
static int take_history(struct feed *feed, const struct attached *attached, struct error *err)
{
	struct identity identity;
	int r;

	history_forget(feed->history);
	if (attached->kind == ATTACHED_START)
		return 0;
	r = identity_decode(attached->identity, &identity, err);
	if (r == 0)
		r = history_begin(feed->history, identity.flavour, &attached->gtids, err);
	return r < 0 ? error_prefix(err, "the archive") : 0;
}

int feed_attached(struct feed *feed, const struct attached *attached, bool let_go,
		  struct error *err)
{
	struct place place;
	int r = place_of(attached, &place, err);

	if (r < 0)
		return r;
	if (!let_go && feed->place.file[0] && same_place(&feed->place, &place))
		return 0;
	log_info("archive.place", "file", LOG_TEXT(place.file), "position",
		 LOG_NUMBER(place.position), LOG_END);
	forget_item(feed);
	r = take_history(feed, attached, err);
	if (r < 0)
		return r;
	feed->place = place;
	return 1;
}

void feed_stream(struct feed *feed, const struct identity *identity, const struct session *session,
		 const struct location *location)
{
	struct open_segment *request = &feed->request;

	feed->identity = *identity;
	feed->session = session;
	feed->location = *location;
	identity_encode(identity, request->identity);
	memcpy(request->binlog_file, location->file, sizeof(request->binlog_file));
	request->generation = feed->place.generation;
	request->file_id = feed->place.file_id;
	request->begin.reason = 0;
	feed->begins = !location->resumes;
	sink_require_session(feed->sink);
	sink_forget_requests(feed->sink);
}

void feed_lost(struct feed *feed)
{
	forget_item(feed);
	if (!sink_is_open(feed->sink))
		return;
	if (sink_holds_part(feed->sink))
		sink_end(feed->sink, SEGMENT_ENDED_BROKEN, NULL);
	else
		sink_flush(feed->sink);
}

/* --- taking an item -------------------------------------------------------------------------- */

/* What precedes the file, and so: does it go on with the archived one? */
static int join_file(struct feed *feed, const struct received *item, struct error *err)
{
	const struct place *place = &feed->place;
	struct open_segment *request = &feed->request;
	struct history_file file = {
		.flavour = feed->identity.flavour,
		.name = request->binlog_file,
		.start = feed->start,
		.reason = feed->location.reason,
		.is_next = place->closed && strcmp(place->next_file, request->binlog_file) == 0,
		.after_file = place->file,
		.after_position = place->position,
		.note = feed->location.note,
	};
	int r = 0;

	gtid_ranges_clear(feed->start);
	file.start_unknown = item->event.crc_wrong;
	if (!file.start_unknown)
		r = history_read_event(file.flavour, item->bytes, item->size, EVENT_CRC_SIZE,
				       feed->start, err);
	if (r < 0)
		return error_prefix(err, "%s of %s", event_type_name(item->type),
				    request->binlog_file);
	memset(&request->begin, 0, sizeof(request->begin));
	request->generation = request->file_id;
	if (!place->file[0]) {
		history_begin_with(feed->next_history, file.flavour, feed->start);
		return 0;
	}
	history_join(feed->history, &file, &request->begin, feed->next_history);
	request->begin.before = place->generation;
	request->generation = place->generation;
	if (request->begin.reason)
		generation_compute(&place->generation, place->position, &request->file_id,
				   &request->generation);
	return 0;
}

/* The event is here that names what precedes the file: now it has an id. */
static int name_file(struct feed *feed, const struct received *item, struct error *err)
{
	struct open_segment *request = &feed->request;
	int r;

	beginning_file_id(&feed->beginning, &feed->identity, request->binlog_file, item,
			  &request->file_id);
	if (feed->location.reason == GENERATION_DIVERGED &&
	    memcmp(&request->file_id, &feed->place.file_id, HASH_SIZE) != 0)
		return error_set(err, ERROR_DIVERGED,
				 "%s of the server is another file than the archived one: the "
				 "server was reset or built anew",
				 request->binlog_file);
	r = join_file(feed, item, err);
	if (r < 0)
		return r;
	feed->location.reason = 0; /* the files that follow go on with this one */
	feed->beginning_event = 0;
	feed->beginning_taken = 0;
	log_info("file.begins", "file", LOG_TEXT(request->binlog_file), "joins",
		 LOG_TEXT(request->begin.reason ? generation_reason_name(request->begin.reason)
						: "in order"),
		 LOG_END);
	return 0;
}

/* An event of a file whose name is not known yet. 1: it is held back. */
static int offer_beginning(struct feed *feed, const struct received *item, struct error *err)
{
	int r = beginning_take(&feed->beginning, feed->identity.flavour, feed->request.binlog_file,
			       item, feed->format_event, feed->format_size, err);

	return r == 0 ? name_file(feed, item, err) : r;
}

int feed_offer(struct feed *feed, const struct received *item, const uint8_t *format_event,
	       size_t format_size, struct error *err)
{
	bool begins = feed->beginning.count > 0;
	int r = 0;

	ASSERT(!feed->has_item);
	if (item->kind == RECEIVED_NOTHING) {
		if (item->verified)
			sink_request_again(feed->sink, &feed->place);
		return 0;
	}
	feed->format_event = format_event;
	feed->format_size = format_size;
	if (item->kind == RECEIVED_FILE && begins)
		return error_set(err, ERROR_REFUSED,
				 "%s ends before it says what precedes it: nothing says which file "
				 "it is",
				 feed->request.binlog_file);
	if (item->kind == RECEIVED_EVENT && (begins || item->position == PLACE_FIRST_POSITION))
		r = offer_beginning(feed, item, err);
	if (r != 0)
		return r < 0 ? r : 0;
	feed->item = *item;
	feed->has_item = true;
	feed->taken = 0;
	feed->begun = false;
	return 0;
}

/* --- giving it to a segment ------------------------------------------------------------------ */

/* Have a segment open in which the event may begin, or its next bytes may follow. */
static int begin(struct feed *feed, struct error *err)
{
	const struct received *item = &feed->item;
	enum segment_ended ended;
	size_t size;
	int r;

	if (!item->first) {
		feed->begun = sink_is_open(feed->sink);
		return feed->begun;
	}
	ended = sink_roll_due(feed->sink, item->length);
	/* Of the file that the server does not go on with. */
	if (feed->beginning.count > 0 && sink_is_open(feed->sink))
		ended = SEGMENT_ENDED_RESET;
	if (ended)
		sink_end(feed->sink, ended, NULL);
	if (!sink_is_open(feed->sink))
		history_snapshot(feed->beginning.count > 0 ? feed->next_history : feed->history,
				 &feed->request.gtids);
	feed->request.start_position =
		feed->beginning.count > 0 ? PLACE_FIRST_POSITION : item->position;
	r = sink_open(feed->sink, &feed->request, err);
	if (r <= 0)
		return r;
	if (sink_session_due(feed->sink)) {
		size = session_bytes(feed->session, feed->format_event, feed->format_size,
				     feed->session_bytes);
		r = sink_session(feed->sink, feed->session_bytes, size, err);
		if (r <= 0)
			return r;
	}
	feed->begun = true;
	return 1;
}

/* True when the segment has all of them. */
static bool add(struct feed *feed, const uint8_t *bytes, size_t size, size_t *taken)
{
	while (*taken < size) {
		size_t more = sink_add(feed->sink, bytes + *taken, size - *taken);

		if (more == 0)
			return false;
		*taken += more;
		feed->byte_count += more;
	}
	return true;
}

/* An event is whole and in the segment: the archive's place moves behind it. */
static void event_is_in(struct feed *feed, const struct segment_event *event)
{
	struct place *place = &feed->place;

	sink_event_end(feed->sink, event);
	memcpy(place->file, feed->request.binlog_file, sizeof(place->file));
	memcpy(place->identity, feed->request.identity, SEGMENT_IDENTITY_SIZE);
	place->generation = feed->request.generation;
	place->file_id = feed->request.file_id;
	place->position = event->position + event->length;
	place->last_event_position = event->position;
	place->last_event_crc = event->crc;
	if (event->position == PLACE_FIRST_POSITION)
		place->transaction_end = PLACE_FIRST_POSITION;
	if (event->transaction_end)
		place->transaction_end = place->position;
	place->closed = false;
	place->next_file[0] = '\0';
	if (event->transaction_end && event->gtid_group)
		history_add(feed->history, event->gtid_group, event->gtid_group_size,
			    event->gtid_sequence);
}

/* The file is archived from now on, and with it what precedes it. */
static void file_is_in(struct feed *feed)
{
	struct history *before = feed->history;

	feed->history = feed->next_history;
	feed->next_history = before;
	feed->request.begin.reason = 0;
	feed->begins = false;
}

/* The segment gets what was held back. True when it has all. */
static bool step_beginning(struct feed *feed)
{
	struct beginning *beginning = &feed->beginning;

	while (feed->beginning_event < beginning->count) {
		size_t at = feed->beginning_event;
		const uint8_t *bytes = beginning->bytes + (at > 0 ? beginning->sizes[0] : 0);

		if (!add(feed, bytes, beginning->sizes[at], &feed->beginning_taken))
			return false;
		event_is_in(feed, &beginning->events[at]);
		if (at == 0)
			file_is_in(feed);
		feed->beginning_event++;
		feed->beginning_taken = 0;
	}
	beginning_clear(beginning);
	return true;
}

static void end_event(struct feed *feed)
{
	const struct received *item = &feed->item;
	struct place *place = &feed->place;

	event_is_in(feed, &item->event);
	if (item->acknowledge)
		sink_request(feed->sink);
	if (!item->next_file)
		return;
	snprintf(place->next_file, sizeof(place->next_file), "%s", item->next_file);
	place->closed = true;
	sink_end(feed->sink, SEGMENT_ENDED_ROTATE, place->next_file);
}

static int step_event(struct feed *feed, struct error *err)
{
	struct received *item = &feed->item;
	int r;

	if (!feed->begun) {
		r = begin(feed, err);
		if (r <= 0)
			return r;
	}
	/* It had to be let go: the keeper's next answer makes the stream begin anew. */
	if (!sink_is_open(feed->sink))
		return 0;
	if (!step_beginning(feed) || !add(feed, item->bytes, item->size, &feed->taken))
		return 0;
	if (item->last)
		end_event(feed);
	return 1;
}

/* The server goes on with another file: this one is at its end, with a ROTATE event or without. */
static int step_file(struct feed *feed, struct error *err)
{
	struct place *place = &feed->place;
	int r;

	if (!place->closed && place->file[0]) {
		feed->request.start_position = place->position;
		history_snapshot(feed->history, &feed->request.gtids);
		r = sink_open(feed->sink, &feed->request, err);
		if (r <= 0)
			return r;
		snprintf(place->next_file, sizeof(place->next_file), "%s", feed->item.next_file);
		place->closed = true;
		sink_end(feed->sink, SEGMENT_ENDED_ROTATE, place->next_file);
		return 0;
	}
	if (!sink_is_closed(feed->sink))
		return 0;
	snprintf(feed->request.binlog_file, sizeof(feed->request.binlog_file), "%s",
		 feed->item.next_file);
	return 1;
}

int feed_step(struct feed *feed, struct error *err)
{
	int r;

	ASSERT(feed->has_item);
	r = feed->item.kind == RECEIVED_FILE ? step_file(feed, err) : step_event(feed, err);
	if (r > 0)
		feed->has_item = false;
	return r;
}
