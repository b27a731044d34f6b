#include "pull/receiver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "binlog/event.h"
#include "binlog/format.h"
#include "binlog/heartbeat.h"
#include "binlog/rotate.h"
#include "binlog/transaction.h"
#include "pull/suspect.h"

#define REREADING_FILE                                                                             \
	"re-reading %.128s: %d %%: this server cannot be asked for a position beyond 4 GiB, so "   \
	"what is archived comes again first (MySQL can, with gtid_mode=ON)"

#define REREADING_TRANSACTION                                                                      \
	"re-reading the last transaction of %.128s: %d %%: it is archived in part, and how it "    \
	"began must be seen again"

/*
 * The order of a stream: fake ROTATE (AWAIT_ROTATE), FORMAT_DESCRIPTION (AWAIT_FORMAT), what is
 * archived before the last event (AWAIT_PLACE: of a transaction that is archived in part, or with a
 * server that cannot be asked for the place), the last archived event again (AWAIT_REPEATED, unless
 * the file begins here), then what is new; and from each further fake ROTATE on the same again,
 * without a repetition.
 */
enum expectation { AWAIT_ROTATE, AWAIT_FORMAT, AWAIT_PLACE, AWAIT_REPEATED, AWAIT_EVENT };

struct receiver {
	enum expectation await;
	struct place place; /* where the stream begins */
	bool resumed;	    /* it begins within the file */
	bool reread;	    /* it begins before the place's last event */
	bool reread_file;   /* because the server cannot be asked for another position */
	uint64_t begin_position;
	bool tracker_known;	  /* the tracker's state is that of the position */
	bool transaction_damaged; /* an event of the transaction at hand came with a wrong CRC */

	char file[BINLOG_NAME_MAX + 1];
	char current_file[BINLOG_NAME_MAX + 1]; /* that the server wrote at the connect, or "" */
	bool current;				/* the file is that one, or a later one */
	uint64_t position;			/* of the next event of the file */
	bool file_end;				/* the last one was ROTATE or STOP */
	char next_file[BINLOG_NAME_MAX + 1];

	struct format format;
	uint8_t format_event[FORMAT_EVENT_MAX];
	size_t format_size; /* 0: none has come for this file on this stream */

	struct transaction_tracker tracker;

	/* The event at hand. What it would change is kept apart until it is whole and right. */
	struct event_header header;
	struct event_crc crc;
	bool stored; /* it belongs to the file */
	struct transaction_tracker next_tracker;
	struct transaction_step step;
	struct suspect *suspect;
	bool suspected; /* see receiver_suspected() */

	uint64_t source_position;
	bool at_end;
};

struct receiver *receiver_new(void)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));

	ASSERT(receiver);
	receiver->suspect = suspect_new();
	return receiver;
}

void receiver_free(struct receiver *receiver)
{
	if (!receiver)
		return;
	suspect_free(receiver->suspect);
	free(receiver);
}

uint64_t receiver_begin_position(const struct place *place, bool same_history)
{
	if (same_history || place->transaction_end == 0)
		return place->last_event_position;
	return MIN(place->transaction_end, place->last_event_position);
}

/* From @position on, what is archived comes again. */
static void begin_at(struct receiver *receiver, uint64_t position)
{
	receiver->begin_position = position;
	receiver->position = position;
	receiver->reread = position < receiver->place.last_event_position;
	/* From its beginning, the file comes as if nothing of it were archived. */
	receiver->resumed = !receiver->reread || position > PLACE_FIRST_POSITION;
}

void receiver_start(struct receiver *receiver, const struct place *place, const char *file,
		    bool same_history)
{
	bool goes_on = place->file[0] != '\0';

	receiver->await = AWAIT_ROTATE;
	receiver->place = *place;
	receiver->resumed = false;
	receiver->reread = false;
	receiver->reread_file = false;
	receiver->tracker_known = goes_on && same_history;
	receiver->transaction_damaged &= receiver->tracker_known;
	snprintf(receiver->file, sizeof(receiver->file), "%s", goes_on ? place->file : file);
	receiver->position = PLACE_FIRST_POSITION;
	if (goes_on)
		begin_at(receiver, receiver_begin_position(place, same_history));
	receiver->file_end = false;
	receiver->next_file[0] = '\0';
	receiver->format_size = 0;
	receiver->source_position = 0;
	receiver->at_end = false;
	receiver->current_file[0] = '\0';
	receiver->current = false;
	receiver->suspected = false;
}

void receiver_set_current(struct receiver *receiver, const char *file)
{
	snprintf(receiver->current_file, sizeof(receiver->current_file), "%s", file);
	receiver->current = strcmp(receiver->file, file) == 0;
}

void receiver_set_reread(struct receiver *receiver)
{
	ASSERT(receiver->place.file[0] && receiver->await == AWAIT_ROTATE);
	receiver->tracker_known = false; /* it follows the file from its beginning again */
	receiver->reread_file = true;
	begin_at(receiver, PLACE_FIRST_POSITION);
}

int receiver_reread_percent(const struct receiver *receiver)
{
	uint64_t begin = receiver->begin_position;

	if (receiver->await != AWAIT_PLACE)
		return -1;
	return (int)((receiver->position - begin) / ((receiver->place.position - begin) / 100 + 1));
}

void receiver_reread_sentence(const struct receiver *receiver, char *text, size_t size)
{
	snprintf(text, size, receiver->reread_file ? REREADING_FILE : REREADING_TRANSACTION,
		 receiver->file, receiver_reread_percent(receiver));
}

const char *receiver_file(const struct receiver *receiver)
{
	return receiver->file;
}

uint64_t receiver_position(const struct receiver *receiver)
{
	return receiver->position;
}

bool receiver_has_begun(const struct receiver *receiver)
{
	return receiver->await != AWAIT_ROTATE;
}

bool receiver_verified(const struct receiver *receiver)
{
	return receiver->await == AWAIT_EVENT;
}

size_t receiver_format(const struct receiver *receiver, const uint8_t **ret_bytes)
{
	*ret_bytes = receiver->format_event;
	return receiver->format_size;
}

bool receiver_at_end(const struct receiver *receiver)
{
	return receiver->at_end;
}

bool receiver_suspected(const struct receiver *receiver)
{
	return receiver->suspected;
}

uint64_t receiver_source_position(const struct receiver *receiver)
{
	return receiver->source_position;
}

/* --- what is not of the file ----------------------------------------------------------------- */

static int ends_before_place(const struct receiver *receiver, struct error *err)
{
	return error_set(err, ERROR_DIVERGED,
			 "%s of the server ends before %" PRIu64 ", where an archived event "
			 "stands: the server's binlog is not the one archived",
			 receiver->file, receiver->place.last_event_position);
}

/*
 * The files of one history are numbered upwards, with holes. A server that leads back to an earlier
 * one would have us archive it again, behind itself. A base name that changes proves nothing.
 */
static int check_next_file(const struct receiver *receiver, const char *next, struct error *err)
{
	const char *dot = strrchr(receiver->file, '.'), *next_dot = strrchr(next, '.');
	size_t base = dot ? (size_t)(dot - receiver->file) : 0;

	if (!dot || !next_dot || (size_t)(next_dot - next) != base ||
	    memcmp(next, receiver->file, base) != 0 ||
	    strtoull(next_dot + 1, NULL, 10) > strtoull(dot + 1, NULL, 10))
		return 0;
	return error_set(err, ERROR_DEFECT,
			 "behind %s:%" PRIu64 " the server leads back to %s, an earlier file",
			 receiver->file, receiver->position, next);
}

static void begin_file(struct receiver *receiver, const char *file)
{
	snprintf(receiver->file, sizeof(receiver->file), "%s", file);
	receiver->current |= strcmp(receiver->file, receiver->current_file) == 0;
	receiver->position = PLACE_FIRST_POSITION;
	receiver->await = AWAIT_FORMAT;
	receiver->resumed = false;
	receiver->reread = false;
	receiver->tracker_known = false;
	receiver->file_end = false;
	receiver->next_file[0] = '\0';
	receiver->format_size = 0;
}

/* The first one confirms what was asked for; a later one says that the file has ended. */
static int take_fake_rotate(struct receiver *receiver, const struct packet_item *item,
			    struct received *received, struct error *err)
{
	struct rotate rotate;
	int r = rotate_decode(item->bytes, item->size, ROTATE_CRC_PROBE, &rotate, err);

	if (r < 0)
		return r;
	if (receiver->await == AWAIT_ROTATE) {
		if (strcmp(rotate.file, receiver->file) != 0 ||
		    rotate.position != receiver->position)
			return error_set(err, ERROR_DEFECT,
					 "%s:%" PRIu64 " was asked for, the server begins with "
					 "%s:%" PRIu64,
					 receiver->file, receiver->position, rotate.file,
					 rotate.position);
		receiver->await = AWAIT_FORMAT;
		return 0;
	}
	if (strcmp(rotate.file, receiver->file) == 0 && rotate.position == receiver->position)
		return 0;
	if (receiver->await == AWAIT_FORMAT && !receiver->resumed)
		return error_set(err, ERROR_DEFECT, "the server sends no event of %s",
				 receiver->file);
	if (receiver->await != AWAIT_EVENT)
		return ends_before_place(receiver, err);
	if (rotate.position != PLACE_FIRST_POSITION || strcmp(rotate.file, receiver->file) == 0)
		return error_set(err, ERROR_DEFECT,
				 "behind %s:%" PRIu64 " the server goes on with %s:%" PRIu64,
				 receiver->file, receiver->position, rotate.file, rotate.position);
	if (receiver->next_file[0] && strcmp(receiver->next_file, rotate.file) != 0)
		return error_set(err, ERROR_REFUSED,
				 "%s says that %s follows, but the server goes on with %s: its "
				 "history was changed",
				 receiver->file, receiver->next_file, rotate.file);
	/* A crash or a shutdown, after which a file has no ROTATE, ends the connection too. */
	if (receiver->current && !receiver->next_file[0])
		return error_set(err, ERROR_DEFECT,
				 "%s ends at %" PRIu64 " without a ROTATE, and the server goes on "
				 "with %s: was it reset (RESET MASTER)?",
				 receiver->file, receiver->position, rotate.file);
	r = check_next_file(receiver, rotate.file, err);
	if (r < 0)
		return r;
	begin_file(receiver, rotate.file);
	received->kind = RECEIVED_FILE;
	received->next_file = receiver->file;
	return 0;
}

/* Servers number their files in one sequence: "bin.000009", "bin.000010" (MariaDB and MySQL,
 * sql/log.cc, find_uniq_filename()). False if the name has no number. */
static bool numbered_next(const char *file, char next[static BINLOG_NAME_MAX + 1])
{
	const char *dot = strrchr(file, '.');
	unsigned long long number;
	char *end;
	int length;

	if (!dot || dot[1] < '0' || dot[1] > '9')
		return false;
	number = strtoull(dot + 1, &end, 10);
	length = snprintf(next, BINLOG_NAME_MAX + 1, "%.*s.%06llu", (int)(dot - file), file,
			  number + 1);
	return *end == '\0' && length > 0 && length <= BINLOG_NAME_MAX;
}

int receiver_take_torn(struct receiver *receiver, struct received *ret_received, struct error *err)
{
	char next[BINLOG_NAME_MAX + 1];

	if (receiver->await != AWAIT_EVENT && receiver->resumed)
		return ends_before_place(receiver, err);
	if (receiver->next_file[0])
		memcpy(next, receiver->next_file, sizeof(next));
	else if (receiver->await != AWAIT_EVENT || receiver->current ||
		 !numbered_next(receiver->file, next))
		return error_set(err, ERROR_DEFECT,
				 "%s is torn at %" PRIu64 ", and no file of the server follows",
				 receiver->file, receiver->position);
	log_warning("file.torn", "file", LOG_TEXT(receiver->file), "position",
		    LOG_NUMBER(receiver->position), "next", LOG_TEXT(next), LOG_END);
	begin_file(receiver, next);
	*ret_received = (struct received){.kind = RECEIVED_FILE, .next_file = receiver->file};
	return 0;
}

/*
 * What the server says that it has sent must be what has come: else something was left out on the
 * way, which no event behind it would show for as long as none comes.
 */
static int check_heartbeat(const struct receiver *receiver, const struct heartbeat *heartbeat,
			   struct error *err)
{
	uint64_t here = heartbeat->is_modulo ? (uint32_t)receiver->position : receiver->position;

	if (strcmp(heartbeat->file, receiver->file) == 0 && heartbeat->position == here)
		return 0;
	return error_set(err, ERROR_DEFECT,
			 "the server says that it has sent all up to %s:%" PRIu64 ", and what has "
			 "come ends at %s:%" PRIu64,
			 heartbeat->file, heartbeat->position, receiver->file, receiver->position);
}

/*
 * A server sends one when it has come to the end of its binlog; so nothing stands at the position
 * that was asked for. One of a kind that is not known says no more than that.
 */
static int take_heartbeat(struct receiver *receiver, const struct packet_item *item,
			  struct error *err)
{
	struct heartbeat heartbeat;
	struct error ignored;
	int r;

	if (receiver->await == AWAIT_REPEATED || receiver->await == AWAIT_PLACE)
		return ends_before_place(receiver, err);
	if (receiver->await != AWAIT_EVENT)
		return error_set(err, ERROR_DEFECT, "the server sends no FORMAT_DESCRIPTION of %s",
				 receiver->file);
	if (heartbeat_decode(item->bytes, item->size, EVENT_CRC_SIZE, receiver->format.flavour,
			     &heartbeat, &ignored) == 0) {
		r = check_heartbeat(receiver, &heartbeat, err);
		if (r < 0)
			return r;
		receiver->source_position = receiver->position;
	}
	receiver->at_end = true;
	return 0;
}

/* The FORMAT_DESCRIPTION says how to read the rest, repeated or not. */
static int take_format(struct receiver *receiver, const struct packet_item *item, struct error *err)
{
	struct format format;
	int r;

	if (item->kind != PACKET_EVENT)
		return error_set(err, ERROR_DEFECT, "FORMAT_DESCRIPTION is too long");
	r = event_crc_check_whole(item->bytes, item->size, err);
	if (r == 0)
		r = format_decode(item->bytes, item->size, &format, err);
	if (r < 0)
		return error_prefix(err, "the beginning of %s", receiver->file);
	if (format.checksum != FORMAT_CHECKSUM_CRC32)
		return error_set(
			err, ERROR_REFUSED,
			"%s was written with binlog_checksum=NONE: damage on the way could "
			"not be seen; begin with a later file (start = FILE)",
			receiver->file);
	receiver->format = format;
	memcpy(receiver->format_event, item->bytes, item->size);
	receiver->format_size = item->size;
	if (!receiver->resumed)
		transaction_init(&receiver->tracker, &receiver->format);
	else if (!receiver->tracker_known)
		transaction_resume(&receiver->tracker, &receiver->format,
				   receiver->position == receiver->place.transaction_end);
	receiver->await = AWAIT_EVENT;
	if (receiver->reread)
		receiver->await = AWAIT_PLACE;
	else if (receiver->resumed)
		receiver->await = AWAIT_REPEATED;
	return 0;
}

/* --- what is --------------------------------------------------------------------------------- */

static int check_position(const struct receiver *receiver, struct error *err)
{
	const struct event_header *header = &receiver->header;
	uint64_t end;

	if (receiver->file_end)
		return error_set(err, ERROR_DEFECT,
				 "%s:%" PRIu64 ": an event (%s) behind the end of the file",
				 receiver->file, receiver->position, event_type_name(header->type));
	if (checked_add(receiver->position, (uint64_t)header->length, &end) || end > INT64_MAX)
		return error_set(err, ERROR_DEFECT, "%s:%" PRIu64 ": no position of a file",
				 receiver->file, receiver->position);
	if (header->log_pos != 0 && header->log_pos != (uint32_t)end)
		return error_set(err, ERROR_DEFECT,
				 "%s:%" PRIu64 ": the event (%s) says that it ends at %u, not at "
				 "%" PRIu64 ": bytes are missing before it",
				 receiver->file, receiver->position, event_type_name(header->type),
				 header->log_pos, end);
	if ((header->type == EVENT_FORMAT_DESCRIPTION) !=
	    (receiver->position == PLACE_FIRST_POSITION))
		return error_set(err, ERROR_DEFECT, "%s:%" PRIu64 ": %s stands there",
				 receiver->file, receiver->position, event_type_name(header->type));
	return 0;
}

static int not_the_archived(const struct receiver *receiver, const char *what, struct error *err)
{
	return error_set(err, ERROR_DIVERGED,
			 "%s:%" PRIu64 ": the server has an event whose %s differs from the "
			 "archived one's (which ends at %" PRIu64 ", CRC %08x): its binlog is not "
			 "the one archived, because it was reset or restored to an earlier state",
			 receiver->file, receiver->place.last_event_position, what,
			 receiver->place.position, receiver->place.last_event_crc);
}

/* While what is archived is read again: has its last event come? */
static int look_for_place(struct receiver *receiver, struct error *err)
{
	uint64_t last = receiver->place.last_event_position;

	if (receiver->await != AWAIT_PLACE || receiver->position < last)
		return 0;
	if (receiver->position > last)
		return error_set(err, ERROR_DIVERGED,
				 "no event of the server's %s begins at %" PRIu64 ", where an "
				 "archived one stands: its binlog is not the one archived",
				 receiver->file, last);
	receiver->await = AWAIT_REPEATED;
	return 0;
}

/* The first bytes of an event of the file. */
static int begin_event(struct receiver *receiver, const struct packet_item *item, struct error *err)
{
	int r = look_for_place(receiver, err);

	if (r < 0)
		return r;
	if (receiver->await == AWAIT_REPEATED &&
	    receiver->header.length !=
		    receiver->place.position - receiver->place.last_event_position)
		return not_the_archived(receiver, "length", err);
	r = check_position(receiver, err);
	if (r == 0)
		r = event_crc_init(&receiver->crc, receiver->header.length, err);
	if (r < 0)
		return r;
	receiver->next_tracker = receiver->tracker;
	transaction_feed(&receiver->next_tracker, &receiver->header, item->bytes,
			 MIN(item->size, (size_t)TRANSACTION_PREFIX_SIZE), &receiver->step);
	suspect_begin(receiver->suspect, receiver->file, receiver->position);
	return 0;
}

/*
 * Is the event's CRC right, or wrong again in an event of the same bytes? In the second case that
 * is what the source has, and nothing that the event says is relied on.
 */
static int check_crc(struct receiver *receiver, const struct packet_item *item, bool *ret_wrong,
		     struct error *err)
{
	bool whole = item->first && item->last;
	int r = event_crc_check(&receiver->crc, err);

	*ret_wrong = false;
	if (r == 0)
		return 0;
	/* It was archived, as it came or before it was damaged, and is not archived again. */
	if (receiver->await == AWAIT_PLACE) {
		transaction_doubt(&receiver->next_tracker, &receiver->step);
		*ret_wrong = true;
		return 0;
	}
	switch (suspect_judge(receiver->suspect, receiver->file, receiver->position,
			      whole ? item->bytes : NULL, receiver->header.length)) {
	case SUSPECT_SAME:
		transaction_doubt(&receiver->next_tracker, &receiver->step);
		*ret_wrong = true;
		return 0;
	case SUSPECT_DIFFERENT:
		return error_prefix(err,
				    "%s:%" PRIu64 ": other bytes than on the connection before",
				    receiver->file, receiver->position);
	case SUSPECT_FIRST:
	default:
		receiver->suspected = true;
		return error_prefix(err, "%s:%" PRIu64, receiver->file, receiver->position);
	}
}

static void describe_event(const struct receiver *receiver, bool crc_wrong,
			   struct segment_event *event)
{
	const struct transaction_step *step = &receiver->step;

	*event = (struct segment_event){
		.position = receiver->position,
		.length = receiver->header.length,
		.crc = event_crc_stored(&receiver->crc),
		.crc_wrong = crc_wrong,
		.time_usec = crc_wrong ? 0 : receiver->header.timestamp * USEC_PER_SEC,
		.transaction_end = step->ends,
	};
	if (!step->ends)
		return;
	event->transaction_usec = step->timestamp * USEC_PER_SEC;
	if (step->gtid_is_known) {
		event->gtid_group = step->gtid.group.bytes;
		event->gtid_group_size = step->gtid.group.size;
		event->gtid_sequence = step->gtid.sequence;
	}
}

/* ROTATE names the next file; only now is its CRC known to be right. */
static int take_file_end(struct receiver *receiver, const struct packet_item *item,
			 struct error *err)
{
	struct rotate rotate;
	int r;

	receiver->file_end = true;
	if (receiver->header.type != EVENT_ROTATE)
		return 0;
	if (!item->first)
		return error_set(err, ERROR_DEFECT, "ROTATE is too long");
	r = rotate_decode(item->bytes, item->size, ROTATE_CRC_PRESENT, &rotate, err);
	if (r < 0)
		return r;
	r = check_next_file(receiver, rotate.file, err);
	if (r < 0)
		return r;
	memcpy(receiver->next_file, rotate.file, sizeof(receiver->next_file));
	return 0;
}

/*
 * Every event group of MariaDB begins with a GTID event. To a client that does not say that it
 * knows those (@mariadb_slave_capability), the server sends BEGIN, or a comment, of the same size
 * and with a right CRC in its place: such a copy could never be told from the file later.
 */
static int check_beginning(const struct receiver *receiver, struct error *err)
{
	if (receiver->format.flavour != FLAVOUR_MARIADB || !receiver->step.starts ||
	    receiver->header.type == EVENT_MARIADB_GTID)
		return 0;
	return error_set(
		err, ERROR_REFUSED,
		"%s:%" PRIu64 ": a transaction begins with %s and not with a GTID: what is "
		"sent is not what stands in the server's file. Do: connect to the server "
		"itself, without a proxy that keeps or pools sessions",
		receiver->file, receiver->position, event_type_name(receiver->header.type));
}

/* Nobody is told that a transaction is safe in which an event has a wrong CRC. */
static void note_damage(struct receiver *receiver, bool crc_wrong)
{
	if (crc_wrong)
		receiver->transaction_damaged = true;
	else if (receiver->step.starts)
		receiver->transaction_damaged = false;
}

/* The last byte has come: the event is right, or an error; then it counts. */
static int end_event(struct receiver *receiver, const struct packet_item *item,
		     struct received *received, struct error *err)
{
	bool repeated = receiver->await == AWAIT_REPEATED;
	bool crc_wrong;
	int r = check_crc(receiver, item, &crc_wrong, err);

	if (r < 0)
		return r;
	if (repeated && event_crc_stored(&receiver->crc) != receiver->place.last_event_crc)
		return not_the_archived(receiver, "CRC", err);
	if (!crc_wrong && !repeated)
		r = check_beginning(receiver, err);
	if (r == 0 && !crc_wrong &&
	    (receiver->header.type == EVENT_ROTATE || receiver->header.type == EVENT_STOP))
		r = take_file_end(receiver, item, err);
	if (r < 0)
		return r;
	describe_event(receiver, crc_wrong, &received->event);
	note_damage(receiver, crc_wrong);
	received->acknowledge = item->acknowledge && !receiver->transaction_damaged &&
				receiver->await != AWAIT_PLACE;
	/* Whether the rest of its transaction was right, only who followed it himself knows. */
	received->verified = repeated && !receiver->transaction_damaged &&
			     (receiver->tracker_known || item->acknowledge);
	received->file_end = receiver->file_end;
	received->next_file = receiver->next_file[0] ? receiver->next_file : NULL;
	receiver->position += receiver->header.length;
	/* Of a transaction that the puller followed itself, the end has been seen already. */
	if (!repeated || !receiver->tracker_known)
		receiver->tracker = receiver->next_tracker;
	if (repeated) {
		receiver->tracker_known = true;
		receiver->await = AWAIT_EVENT;
		/* A segment said that the file ends here: nothing more may come in it. */
		receiver->file_end |= receiver->place.closed;
		if (receiver->place.next_file[0])
			memcpy(receiver->next_file, receiver->place.next_file,
			       sizeof(receiver->next_file));
	}
	return 0;
}

static int take_stored(struct receiver *receiver, const struct packet_item *item,
		       struct received *received, struct error *err)
{
	int r = item->first ? begin_event(receiver, item, err) : 0;

	if (r < 0)
		return r;
	event_crc_update(&receiver->crc, item->bytes, item->size);
	suspect_update(receiver->suspect, item->bytes, item->size);
	*received = (struct received){
		.kind = receiver->await == AWAIT_EVENT ? RECEIVED_EVENT : RECEIVED_NOTHING,
		.type = receiver->header.type,
		.bytes = item->bytes,
		.size = item->size,
		.first = item->first,
		.last = item->last,
		.position = receiver->position,
		.length = receiver->header.length,
	};
	return item->last ? end_event(receiver, item, received, err) : 0;
}

/* --- both ------------------------------------------------------------------------------------ */

static int take_first(struct receiver *receiver, const struct packet_item *item,
		      struct received *received, struct error *err)
{
	const struct event_header *header = &receiver->header;
	bool fake_rotate = header->type == EVENT_ROTATE && (header->flags & EVENT_FLAG_ARTIFICIAL);

	if (fake_rotate && item->kind != PACKET_EVENT)
		return error_set(err, ERROR_DEFECT, "ROTATE is too long");
	if (fake_rotate)
		return take_fake_rotate(receiver, item, received, err);
	if (receiver->await == AWAIT_ROTATE ||
	    (receiver->await == AWAIT_FORMAT && header->type != EVENT_FORMAT_DESCRIPTION &&
	     event_is_stored(header, true)))
		return error_set(err, ERROR_DEFECT, "the server sends %s where %s is due",
				 event_type_name(header->type),
				 receiver->await == AWAIT_ROTATE ? "ROTATE" : "FORMAT_DESCRIPTION");
	if (header->type == EVENT_FORMAT_DESCRIPTION && receiver->await == AWAIT_FORMAT) {
		int r = take_format(receiver, item, err);

		if (r < 0)
			return r;
	}
	if (receiver->stored)
		return take_stored(receiver, item, received, err);
	if (heartbeat_is(header->type) && item->kind == PACKET_EVENT)
		return take_heartbeat(receiver, item, err);
	return 0;
}

int receiver_take(struct receiver *receiver, const struct packet_item *item,
		  struct received *ret_received, struct error *err)
{
	int r;

	ASSERT(item->kind == PACKET_EVENT || item->kind == PACKET_PIECE);
	*ret_received = (struct received){.kind = RECEIVED_NOTHING};
	if (!item->first)
		return receiver->stored ? take_stored(receiver, item, ret_received, err) : 0;
	r = event_header_decode(item->bytes, item->size, &receiver->header, err);
	if (r < 0)
		return r;
	receiver->at_end = false;
	receiver->stored = event_is_stored(&receiver->header,
					   receiver->resumed && receiver->await != AWAIT_EVENT);
	/* Of a dump by COM_BINLOG_DUMP_GTID it has the log_pos of the file's own. */
	if (receiver->resumed && receiver->position > PLACE_FIRST_POSITION &&
	    receiver->await == AWAIT_FORMAT && receiver->header.type == EVENT_FORMAT_DESCRIPTION)
		receiver->stored = false;
	return take_first(receiver, item, ret_received, err);
}
