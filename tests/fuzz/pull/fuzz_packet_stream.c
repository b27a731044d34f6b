/*
 * Any bytes as what a server sends after the dump command: packets, then events. The first byte
 * says how many bytes a read gives, whether the stream begins within a file or before what is
 * archived of it, whether semi-sync was asked for, and whether the events are given the right CRCs
 * first: else hardly any would get past it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "binlog/event.h"
#include "pull/packet.h"
#include "pull/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tls_stream {
	const uint8_t *bytes;
	size_t left, chunk;
};

/* In place of crypto's. */
ssize_t tls_stream_read(struct tls_stream *stream, void *buffer, size_t size,
			enum tls_want *ret_want, struct error *err)
{
	if (stream->left == 0)
		return error_set(err, ERROR_CLOSED, "the end");
	*ret_want = TLS_WANT_NOTHING;
	size = MIN(size, MIN(stream->left, stream->chunk));
	memcpy(buffer, stream->bytes, size);
	stream->bytes += size;
	stream->left -= size;
	return (ssize_t)size;
}

/* What must hold of an item, and of what the receiver makes of it. */
static int take(struct receiver *receiver, const struct packet_item *item, bool *inside,
		struct error *err)
{
	uint64_t before = receiver_position(receiver);
	struct received received;
	int r;

	ASSERT(item->first == !*inside && item->size > 0);
	ASSERT(item->kind == PACKET_PIECE || (item->first && item->last));
	ASSERT(item->first ? item->size >= EVENT_HEADER_SIZE : true);
	*inside = !item->last;
	r = receiver_take(receiver, item, &received, err);
	if (r < 0)
		return r;
	if (received.kind != RECEIVED_EVENT) {
		ASSERT(received.kind != RECEIVED_FILE ||
		       receiver_position(receiver) == PLACE_FIRST_POSITION);
		return 0;
	}
	ASSERT(received.position == before && received.bytes == item->bytes);
	ASSERT(receiver_position(receiver) == before + (item->last ? received.length : 0));
	if (received.last) {
		ASSERT(received.event.position == before);
		ASSERT(received.event.length == received.length);
		ASSERT(!received.event.gtid_group || received.event.transaction_end);
	}
	return 0;
}

/* Give each event the CRC of its bytes. */
static void sign(uint8_t *bytes, size_t size)
{
	while (size >= 4) {
		size_t length = get_le32(bytes) & 0xffffff;
		uint8_t *event = bytes + 5;
		struct event_crc crc;
		struct error ignored;

		if (length > size - 4)
			return;
		bytes += 4 + length;
		size -= 4 + length;
		if (length > 3 && event[0] == 0xef) {
			event += 2; /* semi-sync */
			length -= 2;
		}
		if (length > 1 && event_crc_init(&crc, (uint32_t)length - 1, &ignored) == 0) {
			event_crc_update(&crc, event, length - 1);
			for (int i = 0; i < EVENT_CRC_SIZE; i++)
				event[length - 1 - EVENT_CRC_SIZE + (size_t)i] =
					(uint8_t)(crc.computed >> (8 * i));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet_reader *reader;
	static struct receiver *receiver;
	struct place place = {.file = "golden-bin.000001",
			      .last_event_position = 256,
			      .position = 285,
			      .last_event_crc = 0x8232ff3f};
	struct tls_stream stream;
	struct packet_item item;
	bool inside = false;
	uint8_t *copy;
	unsigned number;
	struct error err;
	int r = 0;

	if (size < 1)
		return 0;
	if (!reader) {
		reader = packet_reader_new();
		receiver = receiver_new();
	}
	copy = malloc(size);
	ASSERT(copy);
	memcpy(copy, data, size);
	if (data[0] & 2)
		sign(copy + 1, size - 1);
	stream = (struct tls_stream){copy + 1, size - 1, (data[0] >> 2 & 0x1f) * 7u + 1};
	if (!(data[0] & 1))
		place = (struct place){0};
	packet_reader_start(reader, &stream, data[0] & 0x80);
	receiver_start(receiver, &place, "golden-bin.000001", false);
	if ((data[0] & 0x81) == 0x81)
		receiver_set_reread(receiver);
	while (r >= 0) {
		r = packet_reader_next(reader, &item, &number, &err);
		if (r >= 0)
			r = take(receiver, &item, &inside, &err);
	}
	ASSERT(err.message[0]);
	free(copy);
	return 0;
}
