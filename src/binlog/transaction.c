/*
 * The rules are those of the servers' own appliers, read as strictly as they allow:
 *
 * MariaDB: sql/rpl_parallel.cc, is_group_ending() (XID, XA_PREPARE, and QUERY with the text
 * COMMIT, ROLLBACK, XA COMMIT… or XA ROLLBACK…; those are never compressed) and handle_rpl_
 * parallel_thread() (a group whose GTID has FL_STANDALONE ends with its first event that is not
 * Log_event::is_part_of_group()); sql/log_event.h, is_part_of_group() (GTID, INTVAR, RAND,
 * USER_VAR, TABLE_MAP, ANNOTATE_ROWS) and is_group_event().
 *
 * MySQL: libs/mysql/binlog/event/trx_boundary_parser.cpp (Transaction_boundary_parser).
 *
 * Stricter than they are: a standalone group ends only with an event that can be its last (a
 * rows event needs STMT_END_F; the applier's own comment wishes for that), rows right behind a
 * MySQL GTID open a transaction, and statements without a GTID never end one unless BEGIN or
 * COMMIT is said (servers that write such files are not archived).
 */
#include "binlog/transaction.h"

#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/endian.h"

#define QUERY_POST_HEADER_MIN	     13
#define QUERY_DATABASE_LENGTH_OFFSET (EVENT_HEADER_SIZE + 8)
#define QUERY_STATUS_LENGTH_OFFSET   (EVENT_HEADER_SIZE + 11)
#define ROWS_TABLE_ID_SIZE	     6
#define ROWS_FLAG_STATEMENT_END	     0x0001

enum query_kind {
	QUERY_UNREADABLE, /* the text lies outside of what was given */
	QUERY_OPENS,	  /* BEGIN, XA START… */
	QUERY_ENDS,	  /* COMMIT, ROLLBACK, XA COMMIT…, XA ROLLBACK… */
	QUERY_OTHER,
};

static bool text_is(const uint8_t *text, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(text, word, length) == 0;
}

static bool text_begins(const uint8_t *text, size_t length, const char *word)
{
	return length >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/*
 * The servers write the words that end a transaction themselves, in upper case and without
 * comments (MySQL bug #50407), and "ROLLBACK TO `savepoint`" ends nothing: only the exact text
 * does. What could begin one is taken for a beginning, since that can only delay an end.
 */
static enum query_kind query_kind(const uint8_t *text, size_t given, size_t length)
{
	static const char *const opening[] = {"BEGIN", "START TRANSACTION", "XA START", "XA BEGIN"};

	if (given < MIN(length, strlen("START TRANSACTION")))
		return QUERY_UNREADABLE;
	for (size_t i = 0; i < ARRAY_LENGTH(opening); i++)
		if (given >= strlen(opening[i]) &&
		    strncasecmp((const char *)text, opening[i], strlen(opening[i])) == 0)
			return QUERY_OPENS;
	if (text_is(text, length, "COMMIT") || text_is(text, length, "ROLLBACK") ||
	    text_begins(text, length, "XA COMMIT") || text_begins(text, length, "XA ROLLBACK"))
		return QUERY_ENDS;
	return QUERY_OTHER;
}

/* post-header, status variables, database name and a NUL, then the text up to the CRC */
static enum query_kind query_read(const struct transaction_tracker *tracker,
				  const struct event_header *header, const uint8_t *event,
				  size_t size)
{
	size_t post_header_end = EVENT_HEADER_SIZE + (size_t)tracker->query_post_header_length;
	size_t text, end;

	if (checked_sub((size_t)header->length, tracker->crc_size, &end) ||
	    MIN(size, end) < post_header_end)
		return QUERY_UNREADABLE;
	text = post_header_end + get_le16(event + QUERY_STATUS_LENGTH_OFFSET) +
	       event[QUERY_DATABASE_LENGTH_OFFSET] + 1;
	if (text >= end || text > size)
		return QUERY_UNREADABLE;
	return query_kind(event + text, MIN(size, end) - text, end - text);
}

static bool is_rows(uint8_t type)
{
	return (type >= EVENT_WRITE_ROWS_V1 && type <= EVENT_DELETE_ROWS_V1) ||
	       (type >= EVENT_WRITE_ROWS && type <= EVENT_DELETE_ROWS) ||
	       type == EVENT_PARTIAL_UPDATE_ROWS ||
	       (type >= EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1 &&
		type <= EVENT_MARIADB_DELETE_ROWS_COMPRESSED);
}

static bool rows_end_statement(const struct event_header *header, const uint8_t *event, size_t size)
{
	const size_t flags = EVENT_HEADER_SIZE + ROWS_TABLE_ID_SIZE;

	return header->length >= flags + 2 && size >= flags + 2 &&
	       (get_le16(event + flags) & ROWS_FLAG_STATEMENT_END);
}

/* Events about the file, not about data: they may stand between any two events. */
static bool is_about_file(const struct event_header *header)
{
	switch (header->type) {
	case EVENT_START_V3:
	case EVENT_SLAVE:
	case EVENT_HEARTBEAT:
	case EVENT_HEARTBEAT_V2:
	case EVENT_PREVIOUS_GTIDS:
	case EVENT_MARIADB_CHECKPOINT:
	case EVENT_MARIADB_GTID_LIST:
	case EVENT_MARIADB_START_ENCRYPTION:
		return true;
	default:
		return false;
	}
}

/*
 * Events that stand in transactions only. One that is not listed, and comes between two, is taken
 * to stand there by itself: it may be of a type that we do not know.
 */
static bool is_group_event(uint8_t type)
{
	switch (type) {
	case EVENT_QUERY:
	case EVENT_INTVAR:
	case EVENT_APPEND_BLOCK:
	case EVENT_DELETE_FILE:
	case EVENT_RAND:
	case EVENT_USER_VAR:
	case EVENT_XID:
	case EVENT_BEGIN_LOAD_QUERY:
	case EVENT_EXECUTE_LOAD_QUERY:
	case EVENT_TABLE_MAP:
	case EVENT_ROWS_QUERY:
	case EVENT_VIEW_CHANGE:
	case EVENT_XA_PREPARE:
	case EVENT_TRANSACTION_PAYLOAD:
	case EVENT_MARIADB_ANNOTATE:
	case EVENT_MARIADB_QUERY_COMPRESSED:
		return true;
	default:
		return is_rows(type);
	}
}

/* Does the event end a transaction that is open by BEGIN or by a GTID that is not standalone? */
static bool ends_open(enum query_kind query, uint8_t type)
{
	return type == EVENT_XID || type == EVENT_XA_PREPARE || query == QUERY_ENDS;
}

static enum transaction_state after_standalone(enum query_kind query,
					       const struct event_header *header,
					       const uint8_t *event, size_t size)
{
	if (is_rows(header->type))
		return rows_end_statement(header, event, size) ? TRANSACTION_NONE
							       : TRANSACTION_STANDALONE;
	switch (header->type) {
	case EVENT_QUERY:
		/* No server writes BEGIN here. If one does, it has not ended anything. */
		return query == QUERY_OPENS || query == QUERY_UNREADABLE ? TRANSACTION_OPEN
									 : TRANSACTION_NONE;
	case EVENT_MARIADB_QUERY_COMPRESSED:
	case EVENT_EXECUTE_LOAD_QUERY:
	case EVENT_XID:
	case EVENT_XA_PREPARE:
		return TRANSACTION_NONE;
	default:
		return TRANSACTION_STANDALONE;
	}
}

static enum transaction_state after_mysql_gtid(enum query_kind query,
					       const struct event_header *header)
{
	switch (header->type) {
	case EVENT_QUERY:
		/* DDL, and XA COMMIT, stand alone; BEGIN, and what may be it, do not. */
		return query == QUERY_OTHER || query == QUERY_ENDS ? TRANSACTION_NONE
								   : TRANSACTION_OPEN;
	case EVENT_XID:
	case EVENT_XA_PREPARE:
	case EVENT_TRANSACTION_PAYLOAD: /* BEGIN to XID, compressed into one event */
	case EVENT_INCIDENT:
		return TRANSACTION_NONE;
	case EVENT_INTVAR:
	case EVENT_RAND:
	case EVENT_USER_VAR:
	case EVENT_TRANSACTION_CONTEXT:
	case EVENT_IGNORABLE:
		return TRANSACTION_GTID;
	default:
		return header->flags & EVENT_FLAG_IGNORABLE ? TRANSACTION_GTID : TRANSACTION_OPEN;
	}
}

static enum transaction_state next_state(const struct transaction_tracker *tracker,
					 const struct event_header *header, const uint8_t *event,
					 size_t size)
{
	enum query_kind query = header->type == EVENT_QUERY
					? query_read(tracker, header, event, size)
					: QUERY_OTHER;

	switch (tracker->state) {
	case TRANSACTION_STANDALONE:
		return after_standalone(query, header, event, size);
	case TRANSACTION_GTID:
		return after_mysql_gtid(query, header);
	case TRANSACTION_NONE: /* without a GTID: open until a COMMIT is said */
	case TRANSACTION_OPEN:
	default:
		return ends_open(query, header->type) ? TRANSACTION_NONE : TRANSACTION_OPEN;
	}
}

/* A new transaction: what was open before it was never ended. */
static void begin(struct transaction_tracker *tracker, const struct event_header *header,
		  struct transaction_step *step)
{
	step->starts = true;
	step->inside = true;
	step->abandoned = tracker->state != TRANSACTION_NONE;
	tracker->gtid_is_known = false;
	tracker->timestamp = header->timestamp;
}

static void feed_gtid(struct transaction_tracker *tracker, const struct event_header *header,
		      const uint8_t *event, size_t size, struct transaction_step *step)
{
	struct gtid_event decoded;
	struct error ignored;

	begin(tracker, header, step);
	if (gtid_event_decode(header, event, size, &decoded, &ignored) < 0) {
		tracker->state = TRANSACTION_OPEN;
		return;
	}
	tracker->gtid_is_known = decoded.is_known;
	tracker->gtid = decoded.gtid;
	if (header->type != EVENT_MARIADB_GTID)
		tracker->state = TRANSACTION_GTID;
	else if (decoded.flags & GTID_FLAG_STANDALONE)
		tracker->state = TRANSACTION_STANDALONE;
	else
		tracker->state = TRANSACTION_OPEN;
}

/* Any other event that is, or may be, part of a transaction. */
static void feed_group_event(struct transaction_tracker *tracker, const struct event_header *header,
			     const uint8_t *event, size_t size, struct transaction_step *step)
{
	if (tracker->state == TRANSACTION_NONE && !is_group_event(header->type))
		return;
	if (tracker->state == TRANSACTION_NONE)
		begin(tracker, header, step);
	else if (tracker->timestamp == 0) /* its beginning has not been seen */
		tracker->timestamp = header->timestamp;
	step->inside = true;
	tracker->state = next_state(tracker, header, event, size);
	step->ends = tracker->state == TRANSACTION_NONE;
}

void transaction_feed(struct transaction_tracker *tracker, const struct event_header *header,
		      const uint8_t *event, size_t size, struct transaction_step *ret_step)
{
	struct transaction_step step = {0};

	if (is_about_file(header)) {
		step.inside = tracker->state != TRANSACTION_NONE;
	} else if (header->type == EVENT_FORMAT_DESCRIPTION || header->type == EVENT_ROTATE ||
		   header->type == EVENT_STOP) {
		/* No transaction crosses a file: a server that went down left it torn. */
		step.abandoned = tracker->state != TRANSACTION_NONE;
		tracker->state = TRANSACTION_NONE;
	} else if (header->type == EVENT_INCIDENT && tracker->state != TRANSACTION_GTID) {
		step.inside = tracker->state != TRANSACTION_NONE;
	} else if (gtid_event_is(header->type)) {
		feed_gtid(tracker, header, event, size, &step);
	} else {
		feed_group_event(tracker, header, event, size, &step);
	}
	if (step.inside) {
		step.gtid_is_known = tracker->gtid_is_known;
		step.gtid = tracker->gtid;
		step.timestamp = tracker->timestamp;
	}
	*ret_step = step;
}

void transaction_doubt(struct transaction_tracker *tracker, struct transaction_step *step)
{
	/* Within a transaction that it left as it was, it may be any event of that. */
	if (tracker->state == TRANSACTION_OPEN && !step->starts)
		return;
	tracker->state = TRANSACTION_OPEN;
	tracker->gtid_is_known = false;
	tracker->timestamp = 0;
	*step = (struct transaction_step){.inside = true};
}

void transaction_init(struct transaction_tracker *tracker, const struct format *format)
{
	transaction_resume(tracker, format, true);
}

void transaction_resume(struct transaction_tracker *tracker, const struct format *format,
			bool is_boundary)
{
	ASSERT(format->post_header_length[EVENT_QUERY] >= QUERY_POST_HEADER_MIN);
	*tracker = (struct transaction_tracker){
		.state = is_boundary ? TRANSACTION_NONE : TRANSACTION_OPEN,
		.query_post_header_length = format->post_header_length[EVENT_QUERY],
		.crc_size = format_crc_size(format),
	};
}
