#include "protocol/pull_messages.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/secret.h"
#include "protocol/wire.h"

struct attach_wire {
	uint8_t holds_segment;
	uint8_t segment_id[SEGMENT_ID_SIZE];
};
static_assert(sizeof(struct attach_wire) == 17, "ATTACH's layout");

struct gtid_snapshot_wire {
	uint8_t known;
	le16 count;
	le16 size;
	uint8_t bytes[GTID_SNAPSHOT_SIZE_MAX];
};
static_assert(sizeof(struct gtid_snapshot_wire) == 2565, "the layout of a set of GTIDs");

struct attached_wire {
	uint8_t kind;
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	uint8_t generation[HASH_SIZE];
	uint8_t file_id[HASH_SIZE];
	uint8_t binlog_file[BINLOG_NAME_MAX + 1];
	uint8_t next_file[BINLOG_NAME_MAX + 1];
	le64 good_end;
	le64 last_event_position;
	le32 last_event_crc;
	le64 transaction_end;
	struct gtid_snapshot_wire gtids;
};
static_assert(sizeof(struct attached_wire) == 2980, "ATTACHED's layout");

struct generation_begin_wire {
	uint8_t reason;
	uint8_t before[HASH_SIZE];
	uint8_t after_file[BINLOG_NAME_MAX + 1];
	le64 after_position;
	uint8_t gap;
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
};

struct open_segment_wire {
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	uint8_t generation[HASH_SIZE];
	uint8_t file_id[HASH_SIZE];
	uint8_t binlog_file[BINLOG_NAME_MAX + 1];
	le64 start_position;
	struct gtid_snapshot_wire gtids;
	struct generation_begin_wire begin;
};
static_assert(sizeof(struct open_segment_wire) == 3513, "OPEN_SEGMENT's layout");

struct segment_opened_wire {
	uint8_t header[SEGMENT_HEADER_SIZE];
	uint8_t key[SEGMENT_KEY_SIZE];
};
static_assert(sizeof(struct segment_opened_wire) == 1056, "SEGMENT_OPENED's layout");

struct progress_wire {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	le64 good_end;
	le64 transaction_end;
	le64 transaction_usec;
	le64 received_usec;
	le64 source_position;
	le64 byte_count;
	le32 frame_sequence;
	uint8_t frame_tag[16];
};
static_assert(sizeof(struct progress_wire) == 84, "PROGRESS's layout");

struct segment_closed_wire {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	le64 good_end;
};
static_assert(sizeof(struct segment_closed_wire) == 24, "SEGMENT_CLOSED's layout");

struct state_wire {
	uint8_t state;
	le64 retry_usec;
	uint8_t server[128];
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
	uint8_t connection[PULL_CONNECTION_SIZE];
	le64 caught_up_usec;
};
static_assert(sizeof(struct state_wire) == 694, "STATE's layout");

static void put_gtids(struct gtid_snapshot_wire *wire, const struct gtid_snapshot *gtids)
{
	memset(wire, 0, sizeof(*wire));
	if (!gtids->known)
		return;
	wire->known = 1;
	wire->count = le16_put((uint16_t)gtids->count);
	wire->size = le16_put((uint16_t)gtids->size);
	memcpy(wire->bytes, gtids->bytes, gtids->size);
}

/* A set and nothing else: decoded once, so that nobody behind us can meet bytes that are none. */
static int take_gtids(const struct message *message, const struct gtid_snapshot_wire *wire,
		      struct gtid_snapshot *ret, struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	struct gtid_snapshot gtids = {
		.known = true,
		.count = le16_get(wire->count),
		.size = le16_get(wire->size),
	};

	memset(ret, 0, sizeof(*ret));
	if (wire_take_choice(message, "gtids", wire->known, 1, err) < 0)
		return err->code;
	if (!wire->known)
		return 0;
	memcpy(gtids.bytes, wire->bytes, sizeof(gtids.bytes));
	if (gtid_snapshot_unite(&gtids, ranges, err) < 0)
		return wire_defect(message, "gtids", err);
	gtid_snapshot_take(ret, ranges);
	return 0;
}

int attach_send(int fd, const struct attach *attach, struct error *err)
{
	struct attach_wire wire = {.holds_segment = attach->holds_segment};

	memcpy(wire.segment_id, attach->segment_id, sizeof(wire.segment_id));
	return message_send(fd, MESSAGE_ATTACH, &wire, sizeof(wire), NULL, 0, err);
}

int attach_decode(const struct message *message, struct attach *ret, struct error *err)
{
	struct attach_wire wire;

	if (wire_expect(message, MESSAGE_ATTACH, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "holds_segment", wire.holds_segment, 1, err) < 0)
		return err->code;
	ret->holds_segment = wire.holds_segment != 0;
	memcpy(ret->segment_id, wire.segment_id, sizeof(wire.segment_id));
	return 0;
}

int attached_send(int fd, const struct attached *attached, struct error *err)
{
	struct attached_wire wire = {
		.kind = (uint8_t)attached->kind,
		.good_end = le64_put(attached->good_end),
		.last_event_position = le64_put(attached->last_event_position),
		.last_event_crc = le32_put(attached->last_event_crc),
		.transaction_end = le64_put(attached->transaction_end),
	};

	memcpy(wire.identity, attached->identity, sizeof(wire.identity));
	memcpy(wire.generation, attached->generation.bytes, sizeof(wire.generation));
	memcpy(wire.file_id, attached->file_id.bytes, sizeof(wire.file_id));
	wire_put_text(wire.binlog_file, sizeof(wire.binlog_file), attached->binlog_file);
	wire_put_text(wire.next_file, sizeof(wire.next_file), attached->next_file);
	put_gtids(&wire.gtids, &attached->gtids);
	return message_send(fd, MESSAGE_ATTACHED, &wire, sizeof(wire), NULL, 0, err);
}

int attached_decode(const struct message *message, struct attached *ret, struct error *err)
{
	struct attached attached = {.kind = ATTACHED_START};
	struct attached_wire wire;
	bool has_file;
	bool has_next;

	if (wire_expect(message, MESSAGE_ATTACHED, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "kind", wire.kind, ATTACHED_CONTINUE, err) < 0)
		return err->code;
	attached.kind = (enum attached_kind)wire.kind;
	has_file = attached.kind == ATTACHED_RESUME || attached.kind == ATTACHED_NEXT;
	has_next = attached.kind == ATTACHED_NEXT;
	if (wire_take_name(message, "binlog_file", wire.binlog_file, sizeof(wire.binlog_file),
			   name_check_binlog, !has_file, attached.binlog_file, err) < 0 ||
	    wire_take_name(message, "next_file", wire.next_file, sizeof(wire.next_file),
			   name_check_binlog, !has_next, attached.next_file, err) < 0 ||
	    take_gtids(message, &wire.gtids, &attached.gtids, err) < 0)
		return err->code;
	memcpy(attached.identity, wire.identity, sizeof(wire.identity));
	memcpy(attached.generation.bytes, wire.generation, sizeof(wire.generation));
	memcpy(attached.file_id.bytes, wire.file_id, sizeof(wire.file_id));
	attached.good_end = le64_get(wire.good_end);
	attached.last_event_position = le64_get(wire.last_event_position);
	attached.last_event_crc = le32_get(wire.last_event_crc);
	attached.transaction_end = le64_get(wire.transaction_end);
	*ret = attached;
	return 0;
}

static void put_begin(struct generation_begin_wire *wire, const struct generation_begin *begin)
{
	memset(wire, 0, sizeof(*wire));
	if (!begin->reason)
		return;
	wire->reason = (uint8_t)begin->reason;
	memcpy(wire->before, begin->before.bytes, sizeof(wire->before));
	wire_put_text(wire->after_file, sizeof(wire->after_file), begin->after_file);
	wire->after_position = le64_put(begin->after_position);
	wire->gap = begin->gap;
	wire_put_sentence(wire->sentence, sizeof(wire->sentence), begin->sentence);
}

static int take_begin(const struct message *message, const struct generation_begin_wire *wire,
		      struct generation_begin *ret, struct error *err)
{
	struct generation_begin begin = {0};

	if (wire_take_choice(message, "reason", wire->reason, GENERATION_REASON_LAST, err) < 0 ||
	    wire_take_name(message, "after_file", wire->after_file, sizeof(wire->after_file),
			   name_check_binlog, !wire->reason, begin.after_file, err) < 0 ||
	    wire_take_choice(message, "gap", wire->gap, 1, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire->sentence, sizeof(wire->sentence),
			       begin.sentence, err) < 0)
		return err->code;
	begin.reason = (enum generation_reason)wire->reason;
	memcpy(begin.before.bytes, wire->before, HASH_SIZE);
	begin.after_position = le64_get(wire->after_position);
	begin.gap = wire->gap;
	*ret = begin;
	return 0;
}

int open_segment_send(int fd, const struct open_segment *request, struct error *err)
{
	struct open_segment_wire wire = {.start_position = le64_put(request->start_position)};

	memcpy(wire.identity, request->identity, sizeof(wire.identity));
	memcpy(wire.generation, request->generation.bytes, sizeof(wire.generation));
	memcpy(wire.file_id, request->file_id.bytes, sizeof(wire.file_id));
	wire_put_text(wire.binlog_file, sizeof(wire.binlog_file), request->binlog_file);
	put_gtids(&wire.gtids, &request->gtids);
	put_begin(&wire.begin, &request->begin);
	return message_send(fd, MESSAGE_OPEN_SEGMENT, &wire, sizeof(wire), NULL, 0, err);
}

int open_segment_decode(const struct message *message, struct open_segment *ret, struct error *err)
{
	struct open_segment request;
	struct open_segment_wire wire;

	if (wire_expect(message, MESSAGE_OPEN_SEGMENT, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_name(message, "binlog_file", wire.binlog_file, sizeof(wire.binlog_file),
			   name_check_binlog, false, request.binlog_file, err) < 0 ||
	    take_gtids(message, &wire.gtids, &request.gtids, err) < 0 ||
	    take_begin(message, &wire.begin, &request.begin, err) < 0)
		return err->code;
	memcpy(request.identity, wire.identity, sizeof(wire.identity));
	memcpy(request.generation.bytes, wire.generation, sizeof(wire.generation));
	memcpy(request.file_id.bytes, wire.file_id, sizeof(wire.file_id));
	request.start_position = le64_get(wire.start_position);
	*ret = request;
	return 0;
}

int segment_opened_send(int fd, const struct segment_opened *opened, const int *fds,
			size_t fd_count, struct error *err)
{
	struct segment_opened_wire wire;
	int result;

	memcpy(wire.header, opened->header, sizeof(wire.header));
	memcpy(wire.key, opened->key, sizeof(wire.key));
	result = message_send(fd, MESSAGE_SEGMENT_OPENED, &wire, sizeof(wire), fds, fd_count, err);
	secret_wipe(&wire, sizeof(wire));
	return result;
}

int segment_opened_decode(const struct message *message, struct segment_opened *ret,
			  struct error *err)
{
	if (wire_expect(message, MESSAGE_SEGMENT_OPENED, sizeof(struct segment_opened_wire), 1,
			CHANNEL_FDS_MAX, err) < 0)
		return err->code;
	/* Straight from the message, so that the key stands nowhere else for a moment. */
	memcpy(ret->header, message->body, sizeof(ret->header));
	memcpy(ret->key, message->body + offsetof(struct segment_opened_wire, key),
	       sizeof(ret->key));
	return 0;
}

int progress_send(int fd, const struct progress *progress, struct error *err)
{
	struct progress_wire wire = {
		.good_end = le64_put(progress->good_end),
		.transaction_end = le64_put(progress->transaction_end),
		.transaction_usec = le64_put(progress->transaction_usec),
		.received_usec = le64_put(progress->received_usec),
		.source_position = le64_put(progress->source_position),
		.byte_count = le64_put(progress->byte_count),
		.frame_sequence = le32_put(progress->frame_sequence),
	};

	memcpy(wire.segment_id, progress->segment_id, sizeof(wire.segment_id));
	memcpy(wire.frame_tag, progress->frame_tag, sizeof(wire.frame_tag));
	return message_send(fd, MESSAGE_PROGRESS, &wire, sizeof(wire), NULL, 0, err);
}

int progress_decode(const struct message *message, struct progress *ret, struct error *err)
{
	struct progress_wire wire;

	if (wire_expect(message, MESSAGE_PROGRESS, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	*ret = (struct progress){
		.good_end = le64_get(wire.good_end),
		.transaction_end = le64_get(wire.transaction_end),
		.transaction_usec = le64_get(wire.transaction_usec),
		.received_usec = le64_get(wire.received_usec),
		.source_position = le64_get(wire.source_position),
		.byte_count = le64_get(wire.byte_count),
		.frame_sequence = le32_get(wire.frame_sequence),
	};
	memcpy(ret->segment_id, wire.segment_id, sizeof(wire.segment_id));
	memcpy(ret->frame_tag, wire.frame_tag, sizeof(wire.frame_tag));
	return 0;
}

int segment_closed_send(int fd, const struct segment_closed *closed, struct error *err)
{
	struct segment_closed_wire wire = {.good_end = le64_put(closed->good_end)};

	memcpy(wire.segment_id, closed->segment_id, sizeof(wire.segment_id));
	return message_send(fd, MESSAGE_SEGMENT_CLOSED, &wire, sizeof(wire), NULL, 0, err);
}

int segment_closed_decode(const struct message *message, struct segment_closed *ret,
			  struct error *err)
{
	struct segment_closed_wire wire;

	if (wire_expect(message, MESSAGE_SEGMENT_CLOSED, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	memcpy(ret->segment_id, wire.segment_id, sizeof(wire.segment_id));
	ret->good_end = le64_get(wire.good_end);
	return 0;
}

int pull_status_send(int fd, const struct pull_status *status, struct error *err)
{
	struct state_wire wire = {
		.state = (uint8_t)status->state,
		.retry_usec = le64_put(status->retry_usec),
		.caught_up_usec = le64_put(status->caught_up_usec),
	};

	wire_put_sentence(wire.server, sizeof(wire.server), status->server);
	wire_put_sentence(wire.sentence, sizeof(wire.sentence), status->sentence);
	wire_put_text(wire.connection, sizeof(wire.connection), status->connection);
	return message_send(fd, MESSAGE_STATE, &wire, sizeof(wire), NULL, 0, err);
}

int pull_status_decode(const struct message *message, struct pull_status *ret, struct error *err)
{
	struct pull_status status;
	struct state_wire wire;

	if (wire_expect(message, MESSAGE_STATE, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "state", wire.state, PULL_LIMITED, err) < 0 ||
	    wire_take_sentence(message, "server", wire.server, sizeof(wire.server), status.server,
			       err) < 0 ||
	    wire_take_sentence(message, "sentence", wire.sentence, sizeof(wire.sentence),
			       status.sentence, err) < 0 ||
	    wire_take_text(message, "connection", wire.connection, sizeof(wire.connection),
			   status.connection, err) < 0)
		return err->code;
	status.caught_up_usec = le64_get(wire.caught_up_usec);
	status.state = (enum pull_state)wire.state;
	status.retry_usec = le64_get(wire.retry_usec);
	*ret = status;
	return 0;
}
