#include "pull/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binlog/event.h"
#include "pull/file_id.h"

struct feed {
	struct sink *sink;
	struct place place;
	struct open_segment request; /* what segments of the file at hand are opened with */
	struct identity identity;    /* of the server that streams */
	const struct session *session;
	uint8_t session_bytes[SESSION_BYTES_SIZE];

	/* The FORMAT_DESCRIPTION that begins a file, until its segment has it. */
	bool held;
	struct segment_event held_event;
	size_t held_taken;

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
	return feed;
}

void feed_free(struct feed *feed)
{
	free(feed);
}

const struct place *feed_place(const struct feed *feed)
{
	return &feed->place;
}

const uint8_t *feed_identity(const struct feed *feed)
{
	return feed->place.file[0] ? feed->request.identity : NULL;
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
	feed->held = false;
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
	    attached->last_event_position >= attached->good_end)
		return error_set(err, ERROR_DEFECT,
				 "the keeper says that %s is archived to %" PRIu64 " and that its "
				 "last event stands at %" PRIu64,
				 attached->binlog_file, attached->good_end,
				 attached->last_event_position);
	memcpy(place->file, attached->binlog_file, sizeof(place->file));
	place->position = attached->good_end;
	place->last_event_position = attached->last_event_position;
	place->last_event_crc = attached->last_event_crc;
	place->closed = attached->kind == ATTACHED_NEXT;
	return 0;
}

static bool same_place(const struct place *a, const struct place *b)
{
	return strcmp(a->file, b->file) == 0 && a->position == b->position &&
	       a->last_event_position == b->last_event_position &&
	       a->last_event_crc == b->last_event_crc;
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
	feed->place = place;
	feed->request.generation = attached->generation;
	feed->request.file_id = attached->file_id;
	memcpy(feed->request.identity, attached->identity, SEGMENT_IDENTITY_SIZE);
	memcpy(feed->request.binlog_file, place.file, sizeof(place.file));
	return 1;
}

void feed_stream(struct feed *feed, const struct identity *identity, const struct session *session,
		 const char *file)
{
	feed->identity = *identity;
	feed->session = session;
	identity_encode(identity, feed->request.identity);
	snprintf(feed->request.binlog_file, sizeof(feed->request.binlog_file), "%s", file);
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

/* What stands behind the FORMAT_DESCRIPTION of every file that a server of today writes. */
static bool may_be_second(enum flavour flavour, uint8_t type)
{
	if (flavour == FLAVOUR_MYSQL)
		return type == EVENT_PREVIOUS_GTIDS;
	return type == EVENT_MARIADB_GTID_LIST || type == EVENT_MARIADB_START_ENCRYPTION;
}

/* The file's second event is here: now it has an id. */
static int name_file(struct feed *feed, const struct received *item, struct error *err)
{
	if (!may_be_second(feed->identity.flavour, item->type))
		return error_set(err, ERROR_REFUSED,
				 "%s begins with %s where %s is due: which file it is cannot be "
				 "told. Do: begin with a later file (start = FILE)",
				 feed->request.binlog_file, event_type_name(item->type),
				 feed->identity.flavour == FLAVOUR_MYSQL ? "PREVIOUS_GTIDS"
									 : "GTID_LIST");
	if (!item->first || !item->last || item->length > FILE_ID_EVENT_MAX)
		return error_set(
			err, ERROR_REFUSED,
			"the second event (%s) of %s has %" PRIu64 " bytes; %u are allowed "
			"at most. Do on the server: FLUSH BINARY LOGS DELETE_DOMAIN_ID=(ID, ...) "
			"for domains that are no longer used",
			event_type_name(item->type), feed->request.binlog_file, item->length,
			FILE_ID_EVENT_MAX);
	file_id_compute(&feed->identity, feed->request.binlog_file, feed->format_event,
			feed->format_size, item->bytes, item->size, &feed->request.file_id);
	if (!feed->place.file[0])
		feed->request.generation = feed->request.file_id;
	log_info("file.begins", "file", LOG_TEXT(feed->request.binlog_file), LOG_END);
	return 0;
}

int feed_offer(struct feed *feed, const struct received *item, const uint8_t *format_event,
	       size_t format_size, struct error *err)
{
	int r = 0;

	ASSERT(!feed->has_item);
	if (item->kind == RECEIVED_NOTHING) {
		if (item->acknowledge)
			sink_request_again(feed->sink, &feed->place);
		return 0;
	}
	feed->format_event = format_event;
	feed->format_size = format_size;
	if (item->kind == RECEIVED_FILE && feed->held)
		return error_set(err, ERROR_REFUSED,
				 "%s has only one event: nothing says which file it is",
				 feed->request.binlog_file);
	if (item->kind == RECEIVED_EVENT && item->position == PLACE_FIRST_POSITION) {
		feed->held = true;
		feed->held_event = item->event;
		feed->held_taken = 0;
		return 0;
	}
	if (item->kind == RECEIVED_EVENT && feed->held)
		r = name_file(feed, item, err);
	if (r < 0)
		return r;
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
	if (ended)
		sink_end(feed->sink, ended, NULL);
	feed->request.start_position = feed->held ? PLACE_FIRST_POSITION : item->position;
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
	place->position = event->position + event->length;
	place->last_event_position = event->position;
	place->last_event_crc = event->crc;
	place->closed = false;
	place->next_file[0] = '\0';
}

static void end_event(struct feed *feed)
{
	const struct received *item = &feed->item;
	struct place *place = &feed->place;

	event_is_in(feed, &item->event);
	/* What is wrong is kept as it came, but nobody is told that it is safe. */
	if (item->acknowledge && !item->event.crc_wrong)
		sink_request(feed->sink);
	if (item->type != EVENT_ROTATE)
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
	if (feed->held) {
		if (!add(feed, feed->format_event, feed->format_size, &feed->held_taken))
			return 0;
		event_is_in(feed, &feed->held_event);
		feed->held = false;
	}
	if (!add(feed, item->bytes, item->size, &feed->taken))
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
