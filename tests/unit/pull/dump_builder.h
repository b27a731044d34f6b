/* Binlog files as a server sends them, and the TLS session that they come out of: from memory. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/endian.h"
#include "binlog/event.h"
#include "crypto/tls_stream.h"
#include "unit/cmocka_prelude.h"

#define GOLDEN		   "tests/golden/mariadb-10.11.binlog"
#define GOLDEN_STOPPED	   "tests/golden/mariadb-10.11-stopped.binlog"
#define GOLDEN_NO_CHECKSUM "tests/golden/mariadb-10.11-no-checksum.binlog"
#define GOLDEN_FILE	   "golden-bin.000001"
#define PAYLOAD_MAX	   0xffffffu

struct bytes {
	uint8_t *bytes;
	size_t size, room;
};

static inline void bytes_add(struct bytes *to, const void *bytes, size_t size)
{
	if (to->size + size > to->room) {
		to->room = 2 * (to->size + size);
		to->bytes = realloc(to->bytes, to->room);
		assert_non_null(to->bytes);
	}
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static inline void bytes_free(struct bytes *bytes)
{
	free(bytes->bytes);
	*bytes = (struct bytes){0};
}

static inline void file_load(struct bytes *to, const char *path)
{
	uint8_t buffer[65536];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		fail_msg("cannot open %s", path);
	while ((size = fread(buffer, 1, sizeof(buffer), file)) > 0)
		bytes_add(to, buffer, size);
	fclose(file);
}

static inline void put_le(uint8_t *bytes, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

/* The CRC over all but the last 4 bytes, which it goes to. */
static inline void event_sign(uint8_t *event, size_t size)
{
	struct event_crc crc;
	struct error err;

	assert_ok(event_crc_init(&crc, (uint32_t)size, &err), &err);
	event_crc_update(&crc, event, size);
	put_le(event + size - EVENT_CRC_SIZE, crc.computed, EVENT_CRC_SIZE);
}

/* An event with a CRC; @log_pos 0: as MariaDB 11.4 writes within transactions. */
static inline void event_add(struct bytes *to, uint8_t type, uint16_t flags, uint32_t log_pos,
			     const void *body, size_t body_size)
{
	size_t size = EVENT_HEADER_SIZE + body_size + EVENT_CRC_SIZE;
	uint8_t *event = calloc(1, size);

	assert_non_null(event);
	put_le(event, flags & EVENT_FLAG_ARTIFICIAL ? 0 : 1700000000, 4);
	event[4] = type;
	put_le(event + 5, 11, 4);
	put_le(event + 9, size, 4);
	put_le(event + 13, log_pos, 4);
	put_le(event + 17, flags, 2);
	memcpy(event + EVENT_HEADER_SIZE, body, body_size);
	event_sign(event, size);
	bytes_add(to, event, size);
	free(event);
}

static inline void rotate_add(struct bytes *to, uint16_t flags, uint32_t log_pos, uint64_t position,
			      const char *file)
{
	uint8_t body[8 + 200];

	put_le(body, position, 8);
	memcpy(body + 8, file, strlen(file));
	event_add(to, EVENT_ROTATE, flags, log_pos, body, 8 + strlen(file));
}

static inline void fake_rotate_add(struct bytes *to, uint64_t position, const char *file)
{
	rotate_add(to, EVENT_FLAG_ARTIFICIAL, 0, position, file);
}

/* --- packets --------------------------------------------------------------------------------- */

/* One logical packet, in as many physical ones as it takes. */
static inline void packet_add(struct bytes *to, uint8_t *sequence, const void *payload, size_t size)
{
	const uint8_t *at = payload;

	for (;;) {
		size_t part = MIN(size, (size_t)PAYLOAD_MAX);
		uint8_t header[4];

		put_le(header, part, 3);
		header[3] = (*sequence)++;
		bytes_add(to, header, sizeof(header));
		bytes_add(to, at, part);
		at += part;
		size -= part;
		if (part < PAYLOAD_MAX)
			return;
	}
}

/* One event in a packet, behind @before. */
static inline void event_packet_add(struct bytes *to, uint8_t *sequence, const void *before,
				    size_t before_size, const uint8_t *event)
{
	size_t length = get_le32(event + 9);
	uint8_t *payload = malloc(before_size + length);

	assert_non_null(payload);
	memcpy(payload, before, before_size);
	memcpy(payload + before_size, event, length);
	packet_add(to, sequence, payload, before_size + length);
	free(payload);
}

/* Each event of @events in a packet of its own. */
static inline void packets_add(struct bytes *to, uint8_t *sequence, const struct bytes *events)
{
	for (size_t at = 0; at < events->size; at += get_le32(events->bytes + at + 9))
		event_packet_add(to, sequence, "\0", 1, events->bytes + at);
}

/* The same with semi-sync: XID events ask for an acknowledgement, and then the server counts
 * anew. */
static inline void semi_sync_packets_add(struct bytes *to, uint8_t *sequence,
					 const struct bytes *events)
{
	for (size_t at = 0; at < events->size; at += get_le32(events->bytes + at + 9)) {
		bool asks = events->bytes[at + 4] == EVENT_XID;

		event_packet_add(to, sequence, asks ? "\0\xef\1" : "\0\xef\0", 3,
				 events->bytes + at);
		if (asks)
			*sequence = 1;
	}
}

/* --- the session: what tls_stream_read() reads ------------------------------------------------ */

struct tls_stream {
	const uint8_t *bytes;
	size_t size, at;
	size_t chunk; /* bytes a read gives at most, 0: no limit */
	bool dry;     /* every second read finds nothing */
	bool turn;
};

ssize_t tls_stream_read(struct tls_stream *stream, void *buffer, size_t size,
			enum tls_want *ret_want, struct error *err)
{
	size_t left = stream->size - stream->at;

	stream->turn = !stream->turn;
	if (left == 0)
		return error_set(err, ERROR_CLOSED, "the peer closed the connection");
	*ret_want = TLS_WANT_NOTHING;
	if (stream->dry && stream->turn) {
		*ret_want = TLS_WANT_READ;
		return 0;
	}
	size = MIN(size, left);
	if (stream->chunk)
		size = MIN(size, stream->chunk);
	memcpy(buffer, stream->bytes + stream->at, size);
	stream->at += size;
	return (ssize_t)size;
}
