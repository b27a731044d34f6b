#include "pull/packet.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "binlog/event.h"

#define PACKET_HEADER_SIZE 4u
#define PACKET_PAYLOAD_MAX 0xffffffu
#define STATUS_OK	   0x00
#define STATUS_END	   0xfe
#define STATUS_ERROR	   0xff
#define SEMI_SYNC_MAGIC	   0xef
#define SEMI_SYNC_SIZE	   2u
#define READ_SIZE_MIN	   65536u
#define SERVER_TEXT_MAX	   400
#define ERROR_PACKET_MAX   65536u

/*
 * The buffer holds [begin, end): [begin, payload_end) belongs to the packet at hand, with packet
 * headers cut out; [payload_end, end) is as it came, and its first packet_left bytes belong to the
 * packet at hand too. "Packet" is the logical one, which goes on after each full physical one.
 */
struct packet_reader {
	struct tls_stream *stream;
	uint8_t *buffer;
	size_t begin, payload_end, end;
	size_t handed; /* bytes at begin that the caller has seen: gone at the next call */
	bool heard;

	bool open;	     /* a packet is at hand */
	bool goes_on;	     /* its last physical packet was full: another follows */
	size_t packet_left;  /* bytes of the physical packet behind payload_end */
	uint8_t sequence;    /* of the next physical packet */
	uint64_t event_left; /* in pieces: bytes of the event not handed out yet; else 0 */
	bool event_begun;    /* the status byte has been taken off */
	bool event_first;    /* nothing of the event has been handed out */

	enum packet_semi_sync semi_sync;
	bool acknowledge; /* of the event at hand */
};

struct packet_reader *packet_reader_new(void)
{
	struct packet_reader *reader = calloc(1, sizeof(*reader));

	ASSERT(reader);
	reader->buffer = malloc(PACKET_BUFFER_SIZE);
	ASSERT(reader->buffer);
	return reader;
}

void packet_reader_free(struct packet_reader *reader)
{
	if (!reader)
		return;
	free(reader->buffer);
	free(reader);
}

void packet_reader_start(struct packet_reader *reader, struct tls_stream *stream, bool semi_sync)
{
	*reader = (struct packet_reader){
		.stream = stream,
		.buffer = reader->buffer,
		.sequence = 1,
		.semi_sync = semi_sync ? PACKET_SEMI_SYNC_UNKNOWN : PACKET_SEMI_SYNC_NO,
	};
}

enum packet_semi_sync packet_reader_semi_sync(const struct packet_reader *reader)
{
	return reader->semi_sync;
}

bool packet_reader_heard(struct packet_reader *reader)
{
	bool heard = reader->heard;

	reader->heard = false;
	return heard;
}

/*
 * Packets count up. Behind an event that asks for an acknowledgement both servers clear their NET
 * and count from 1 again (MariaDB: semisync_master.cc, flush_net; MySQL: semisync_source.cc,
 * readSlaveReply).
 */
static int take_sequence(struct packet_reader *reader, uint8_t sequence, struct error *err)
{
	if (reader->acknowledge && !reader->open && sequence == 1)
		reader->sequence = 1;
	if (sequence != reader->sequence)
		return error_set(err, ERROR_DEFECT,
				 "the server sent packet %u where %u was due: the stream is not "
				 "what it must be, connecting again",
				 sequence, reader->sequence);
	reader->sequence++;
	return 0;
}

/* Take over as much of [payload_end, end) as belongs to the packet at hand. */
static int cut_packets(struct packet_reader *reader, struct error *err)
{
	for (;;) {
		uint8_t *header = reader->buffer + reader->payload_end;
		size_t take = MIN(reader->packet_left, reader->end - reader->payload_end);
		size_t length;
		int r;

		reader->payload_end += take;
		reader->packet_left -= take;
		if (reader->packet_left > 0 || (reader->open && !reader->goes_on))
			return 0;
		header = reader->buffer + reader->payload_end;
		if (reader->end - reader->payload_end < PACKET_HEADER_SIZE)
			return 0;
		length = get_le32(header) & PACKET_PAYLOAD_MAX;
		r = take_sequence(reader, header[3], err);
		if (r < 0)
			return r;
		if (reader->open) {
			/* Once in 16 MiB: close the hole that the header leaves in the event. */
			memmove(header, header + PACKET_HEADER_SIZE,
				reader->end - reader->payload_end - PACKET_HEADER_SIZE);
			reader->end -= PACKET_HEADER_SIZE;
		} else {
			reader->payload_end += PACKET_HEADER_SIZE;
			reader->begin = reader->payload_end;
			reader->open = true;
			reader->event_begun = false;
		}
		reader->packet_left = length;
		reader->goes_on = length == PACKET_PAYLOAD_MAX;
	}
}

/* Read what the stream has; returns 0 with *ret_want set if it has nothing. */
static int fill(struct packet_reader *reader, enum tls_want *ret_want, struct error *err)
{
	ssize_t size;

	/* What is empty begins anew, in memory that the processor's caches still hold. */
	if (PACKET_BUFFER_SIZE - reader->end < READ_SIZE_MIN || reader->begin == reader->end) {
		memmove(reader->buffer, reader->buffer + reader->begin,
			reader->end - reader->begin);
		reader->payload_end -= reader->begin;
		reader->end -= reader->begin;
		reader->begin = 0;
	}
	ASSERT(reader->end < PACKET_BUFFER_SIZE);
	size = tls_stream_read(reader->stream, reader->buffer + reader->end,
			       PACKET_BUFFER_SIZE - reader->end, ret_want, err);
	if (size < 0)
		return (int)size;
	if (size > 0)
		reader->heard = true;
	reader->end += (size_t)size;
	return size > 0;
}

/* "1236: Could not find first log file name …" out of 0xff, u16 number, '#' and a state, text. */
static int server_error(const uint8_t *payload, size_t size, unsigned *ret_number,
			struct error *err)
{
	const uint8_t *text = payload + MIN(size, (size_t)3);
	size_t length = size - (size_t)(text - payload);
	char clean[SERVER_TEXT_MAX + 1];
	size_t i;

	*ret_number = size >= 3 ? get_le16(payload + 1) : 0;
	if (length >= 6 && text[0] == '#') {
		text += 6;
		length -= 6;
	}
	length = MIN(length, (size_t)SERVER_TEXT_MAX);
	for (i = 0; i < length; i++)
		clean[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
	clean[i] = '\0';
	return error_set(err, ERROR_REFUSED, "the server ended the dump with %u: %s", *ret_number,
			 clean);
}

/*
 * What stands between the status byte and the event. Returns its size. A server that does without
 * it has no semi-sync; one that has it has it in every packet.
 */
static int take_semi_sync(struct packet_reader *reader, const uint8_t *bytes, struct error *err)
{
	if (reader->semi_sync == PACKET_SEMI_SYNC_UNKNOWN)
		reader->semi_sync =
			bytes[0] == SEMI_SYNC_MAGIC ? PACKET_SEMI_SYNC_YES : PACKET_SEMI_SYNC_NO;
	reader->acknowledge = false;
	if (reader->semi_sync == PACKET_SEMI_SYNC_NO)
		return 0;
	if (bytes[0] != SEMI_SYNC_MAGIC || bytes[1] > 1)
		return error_set(err, ERROR_DEFECT,
				 "the server sent an event behind %#04x %#04x, where semi-sync has "
				 "0xef and 0 or 1 in every packet",
				 bytes[0], bytes[1]);
	reader->acknowledge = bytes[1] == 1;
	return SEMI_SYNC_SIZE;
}

/* What begins a payload, and how the event behind it will be handed out. 1: known; 0: more is
 * needed. */
static int begin_event(struct packet_reader *reader, unsigned *ret_number, struct error *err)
{
	const uint8_t *payload = reader->buffer + reader->begin;
	size_t size = reader->payload_end - reader->begin;
	bool whole = reader->packet_left == 0 && !reader->goes_on;
	size_t before = 1 + (reader->semi_sync == PACKET_SEMI_SYNC_NO ? 0 : SEMI_SYNC_SIZE);
	struct event_header header;
	int r;

	if (whole && size >= 1 && payload[0] == STATUS_ERROR)
		return server_error(payload, size, ret_number, err);
	if (whole && size < 9 && size >= 1 && payload[0] == STATUS_END)
		return error_set(err, ERROR_CLOSED, "the server ended the dump");
	/* Without semi-sync too the first event, a ROTATE, has these two bytes more. */
	if (size < before + EVENT_HEADER_SIZE) {
		if (whole)
			return error_set(err, ERROR_DEFECT,
					 "the server sent a packet of %zu bytes, too few for an "
					 "event",
					 size);
		return 0;
	}
	if (payload[0] == STATUS_ERROR && size > ERROR_PACKET_MAX)
		return error_set(err, ERROR_DEFECT,
				 "the server sent an error of more than %zu bytes: no error is so "
				 "long",
				 size);
	if (payload[0] == STATUS_ERROR)
		return 0;
	if (payload[0] != STATUS_OK)
		return error_set(err, ERROR_DEFECT,
				 "the server sent a packet that begins with %#04x, not an event",
				 payload[0]);
	r = take_semi_sync(reader, payload + 1, err);
	if (r < 0)
		return r;
	before = 1 + (size_t)r;
	r = event_header_decode(payload + before, size - before, &header, err);
	if (r < 0)
		return r;
	reader->begin += before;
	reader->event_begun = true;
	reader->event_first = true;
	reader->event_left = header.length;
	return 1;
}

static int wrong_length(const struct packet_reader *reader, struct error *err)
{
	return error_set(err, ERROR_DEFECT,
			 "the server sent an event whose packet %s than its header says",
			 reader->event_left ? "is shorter" : "is longer");
}

/* Hand out from [begin, payload_end): 1 if there is something to hand out. */
static int hand_out(struct packet_reader *reader, struct packet_item *ret_item, struct error *err)
{
	size_t size = reader->payload_end - reader->begin;
	bool whole = reader->packet_left == 0 && !reader->goes_on;
	bool first = reader->event_first;
	bool small = first && reader->event_left <= PACKET_EVENT_WHOLE_MAX;

	if (size > reader->event_left || (whole && size < reader->event_left)) {
		reader->event_left -= MIN(reader->event_left, (uint64_t)size);
		return wrong_length(reader, err);
	}
	if (!whole && (small || size < PACKET_EVENT_WHOLE_MAX))
		return 0;
	reader->event_left -= size;
	*ret_item = (struct packet_item){
		.kind = small ? PACKET_EVENT : PACKET_PIECE,
		.bytes = reader->buffer + reader->begin,
		.size = size,
		.first = first,
		.last = reader->event_left == 0,
		.acknowledge = reader->acknowledge,
	};
	reader->handed = size;
	reader->event_first = false;
	if (whole)
		reader->open = false;
	return 1;
}

int packet_reader_next(struct packet_reader *reader, struct packet_item *ret_item,
		       unsigned *ret_server_error, struct error *err)
{
	enum tls_want want = TLS_WANT_NOTHING;
	int r;

	*ret_server_error = 0;
	reader->begin += reader->handed;
	reader->handed = 0;
	for (;;) {
		r = cut_packets(reader, err);
		if (r < 0)
			return r;
		if (reader->open && !reader->event_begun) {
			r = begin_event(reader, ret_server_error, err);
			if (r < 0)
				return r;
		}
		if (reader->open && reader->event_begun) {
			r = hand_out(reader, ret_item, err);
			if (r != 0)
				return r;
		}
		r = fill(reader, &want, err);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret_item = (struct packet_item){.kind = PACKET_NOTHING, .want = want};
			return 0;
		}
	}
}
