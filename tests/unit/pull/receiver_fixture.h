/* A receiver, the golden file, and what comes out of one when the other is offered to it. */
#pragma once

#include "pull/receiver.h"

#include "unit/pull/dump_builder.h"

/* --- a stream of items ------------------------------------------------------------------------ */

struct taken {
	bool counts_only; /* the bytes are not kept */
	struct bytes stored;
	size_t event_count, transaction_count, gtid_count, file_count;
	bool file_end;
	char next_file[BINLOG_NAME_MAX + 1];
	struct segment_event last;
	size_t damaged_count;
	struct segment_event damaged;
};

static inline void taken_reset(struct taken *taken)
{
	bytes_free(&taken->stored);
	*taken = (struct taken){0};
}

static inline void note(struct taken *taken, const struct received *received)
{
	if (received->kind == RECEIVED_FILE) {
		taken->file_count++;
		snprintf(taken->next_file, sizeof(taken->next_file), "%s", received->next_file);
	}
	if (received->kind != RECEIVED_EVENT)
		return;
	if (!taken->counts_only)
		bytes_add(&taken->stored, received->bytes, received->size);
	if (!received->last)
		return;
	taken->event_count++;
	taken->last = received->event;
	taken->transaction_count += received->event.transaction_end;
	taken->gtid_count += received->event.gtid_group != NULL;
	if (received->event.crc_wrong) {
		taken->damaged_count++;
		taken->damaged = received->event;
	}
	taken->file_end = received->file_end;
	if (received->next_file)
		snprintf(taken->next_file, sizeof(taken->next_file), "%s", received->next_file);
}

/* Give one event as one item, or in pieces of @piece bytes. */
static inline int offer(struct receiver *receiver, const uint8_t *event, size_t size, size_t piece,
			struct taken *taken, struct error *err)
{
	struct received received;
	size_t part;
	int r;

	if (!piece || size <= piece)
		piece = size;
	for (size_t at = 0; at < size; at += part) {
		struct packet_item item = {.bytes = event + at, .first = at == 0};

		part = MIN(piece, size - at);
		item.kind = part == size ? PACKET_EVENT : PACKET_PIECE;
		item.size = part;
		item.last = at + part == size;
		r = receiver_take(receiver, &item, &received, err);
		if (r < 0)
			return r;
		note(taken, &received);
	}
	return 0;
}

static inline int offer_all(struct receiver *receiver, const struct bytes *events, size_t piece,
			    struct taken *taken, struct error *err)
{
	for (size_t at = 0; at < events->size;) {
		size_t length = get_le32(events->bytes + at + 9);
		int r = offer(receiver, events->bytes + at, length, piece, taken, err);

		if (r < 0)
			return r;
		at += length;
	}
	return 0;
}

struct fixture {
	struct receiver *receiver;
	struct bytes file; /* the golden one, with its magic number */
	struct bytes stream;
	struct taken taken;
	struct error err;
};

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->receiver = receiver_new();
	file_load(&fixture->file, GOLDEN);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	receiver_free(fixture->receiver);
	bytes_free(&fixture->file);
	bytes_free(&fixture->stream);
	taken_reset(&fixture->taken);
	free(fixture);
	return 0;
}

static const struct place nowhere;

/* The whole golden file as a server streams it from its start. */
static inline void stream_whole(struct fixture *fixture)
{
	fixture->stream.size = 0;
	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + BINLOG_MAGIC_SIZE,
		  fixture->file.size - BINLOG_MAGIC_SIZE);
}

/* The place behind the event at @position. */
static inline struct place place_at(const struct fixture *fixture, size_t position)
{
	struct place place = {.file = GOLDEN_FILE, .last_event_position = position};
	const uint8_t *event = fixture->file.bytes + position;

	place.position = position + get_le32(event + 9);
	place.last_event_crc = get_le32(fixture->file.bytes + place.position - EVENT_CRC_SIZE);
	return place;
}

/* What a server sends before the first event of a stream that begins at @position. */
static inline void stream_from(struct fixture *fixture, size_t position)
{
	size_t format_size = get_le32(fixture->file.bytes + BINLOG_MAGIC_SIZE + 9);
	uint8_t format[1024];

	fixture->stream.size = 0;
	fake_rotate_add(&fixture->stream, position, GOLDEN_FILE);
	if (position > 4) {
		memcpy(format, fixture->file.bytes + BINLOG_MAGIC_SIZE, format_size);
		put_le(format + 13, 0, 4);		       /* log_pos */
		put_le(format + EVENT_HEADER_SIZE + 52, 0, 4); /* created */
		event_sign(format, format_size);
		bytes_add(&fixture->stream, format, format_size);
	}
	bytes_add(&fixture->stream, fixture->file.bytes + position, fixture->file.size - position);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
