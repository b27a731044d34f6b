#include "unit/cmocka_prelude.h"

#include "pull/packet.h"

#include "unit/pull/dump_builder.h"

static enum packet_semi_sync semi_sync; /* what the last read_all() found */
static bool semi_sync_asked;
static size_t asking_count; /* how many events asked for an acknowledgement */

/* Read everything that is handed out into @got, event after event. Returns the end's code. */
static int read_all(struct tls_stream *stream, struct bytes *got, size_t *ret_pieces,
		    unsigned *ret_number, struct error *err)
{
	struct packet_reader *reader = packet_reader_new();
	struct packet_item item;
	bool inside = false;
	int r;

	*ret_pieces = asking_count = 0;
	packet_reader_start(reader, stream, semi_sync_asked);
	while ((r = packet_reader_next(reader, &item, ret_number, err)) >= 0) {
		if (item.kind == PACKET_NOTHING) {
			assert_int_equal(item.want, TLS_WANT_READ);
			continue;
		}
		assert_true(item.first == !inside);
		if (item.kind == PACKET_EVENT)
			assert_true(item.first && item.last);
		if (item.first)
			assert_true(item.size >= EVENT_HEADER_SIZE);
		inside = !item.last;
		*ret_pieces += item.kind == PACKET_PIECE;
		asking_count += item.acknowledge && item.last;
		bytes_add(got, item.bytes, item.size);
	}
	semi_sync = packet_reader_semi_sync(reader);
	packet_reader_free(reader);
	return r;
}

static void golden_packets(struct bytes *events, struct bytes *wire)
{
	struct bytes file = {0};
	uint8_t sequence = 1;

	file_load(&file, GOLDEN);
	bytes_add(events, file.bytes + BINLOG_MAGIC_SIZE, file.size - BINLOG_MAGIC_SIZE);
	packets_add(wire, &sequence, events);
	bytes_free(&file);
}

static void events_come_whole_whatever_the_chunks(void **state)
{
	struct bytes events = {0}, wire = {0}, got = {0};
	size_t pieces;
	unsigned number;
	struct error err;

	(void)state;
	golden_packets(&events, &wire);
	for (size_t chunk = 1; chunk < 600; chunk++) {
		struct tls_stream stream = {wire.bytes, wire.size, 0, chunk, chunk % 3 == 0, 0};

		got.size = 0;
		assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, ERROR_CLOSED,
			     "closed");
		assert_int_equal(pieces, 0);
		assert_int_equal(got.size, events.size);
		assert_memory_equal(got.bytes, events.bytes, events.size);
	}
	bytes_free(&events);
	bytes_free(&wire);
	bytes_free(&got);
}

/* Around the buffer's halves and the packet's limit, where packets continue or are empty. */
static void large_events_come_in_pieces(void **state)
{
	static const size_t lengths[] = {
		PACKET_EVENT_WHOLE_MAX - 1,
		PACKET_EVENT_WHOLE_MAX,
		PACKET_EVENT_WHOLE_MAX + 1,
		PACKET_BUFFER_SIZE - 4,
		PACKET_BUFFER_SIZE,
		PACKET_BUFFER_SIZE + 1,
		PAYLOAD_MAX - 2,
		PAYLOAD_MAX - 1,
		PAYLOAD_MAX,
		PAYLOAD_MAX + 1,
		2 * PAYLOAD_MAX - 1,
		2 * PAYLOAD_MAX + 5000,
	};
	static const size_t chunks[] = {0, 4096, 65535, 1000003};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct bytes events = {0}, wire = {0}, got = {0};
		size_t body = lengths[i] - EVENT_HEADER_SIZE - EVENT_CRC_SIZE, pieces;
		uint8_t *filler = malloc(body), sequence = 1;
		struct error err;
		unsigned number;

		for (size_t j = 0; j < body; j++)
			filler[j] = (uint8_t)(j * 2654435761u >> 24);
		event_add(&events, EVENT_QUERY, 0, 0, "small", 5);
		event_add(&events, EVENT_WRITE_ROWS_V1, 0, 0, filler, body);
		event_add(&events, EVENT_XID, 0, 0, "12345678", 8);
		packets_add(&wire, &sequence, &events);
		for (size_t j = 0; j < ARRAY_LENGTH(chunks); j++) {
			struct tls_stream stream = {wire.bytes, wire.size, 0, chunks[j], j == 1, 0};

			got.size = 0;
			assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err,
				     ERROR_CLOSED, "closed");
			assert_true((pieces > 0) == (lengths[i] > PACKET_EVENT_WHOLE_MAX));
			assert_int_equal(got.size, events.size);
			assert_memory_equal(got.bytes, events.bytes, events.size);
		}
		free(filler);
		bytes_free(&events);
		bytes_free(&wire);
		bytes_free(&got);
	}
}

static void expect(const void *payload, size_t size, int code, const char *words,
		   unsigned expected_number)
{
	struct bytes wire = {0}, got = {0};
	uint8_t sequence = 1;
	size_t pieces;
	unsigned number;
	struct error err;

	packet_add(&wire, &sequence, payload, size);
	for (size_t chunk = 0; chunk < 3; chunk++) {
		struct tls_stream stream = {wire.bytes, wire.size, 0, chunk, false, false};

		assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, code, words);
		assert_int_equal(number, expected_number);
		assert_int_equal(got.size, 0);
	}
	bytes_free(&wire);
	bytes_free(&got);
}

static void an_error_of_the_server_is_told_with_its_number_and_printable(void **state)
{
	static const char packet[] = "\xff\xd4\x04#HY000Could not find\x1b[31m first log";

	(void)state;
	expect(packet, sizeof(packet) - 1, ERROR_REFUSED,
	       "the server ended the dump with 1236: Could not find?[31m first log", 1236);
	expect("\xff\x01\x00", 3, ERROR_REFUSED, "ended the dump with 1: ", 1);
	expect("\xff", 1, ERROR_REFUSED, "ended the dump with 0: ", 0);
}

static void an_end_of_the_dump_is_no_event(void **state)
{
	(void)state;
	expect("\xfe\x00\x00\x02\x00", 5, ERROR_CLOSED, "the server ended the dump", 0);
}

static void what_is_no_event_is_refused(void **state)
{
	uint8_t event[64] = {0};

	(void)state;
	expect("", 0, ERROR_DEFECT, "a packet of 0 bytes", 0);
	expect(event, 10, ERROR_DEFECT, "a packet of 10 bytes", 0);
	memset(event, 7, sizeof(event));
	expect(event, sizeof(event), ERROR_DEFECT, "begins with 0x07", 0);
	memset(event, 0, sizeof(event));
	event[10] = 19; /* its length, of a payload that has more */
	expect(event, sizeof(event), ERROR_DEFECT, "is longer than its header says", 0);
	event[10] = 200;
	expect(event, sizeof(event), ERROR_DEFECT, "is shorter than its header says", 0);
	event[10] = 5;
	expect(event, sizeof(event), ERROR_DEFECT, "", 0);
}

static void an_error_larger_than_any_is_refused_before_the_buffer_is_full(void **state)
{
	size_t size = 2 * PACKET_BUFFER_SIZE;
	uint8_t *payload = calloc(1, size);

	(void)state;
	payload[0] = 0xff;
	expect(payload, size, ERROR_DEFECT, "no error is so long", 0);
	free(payload);
}

static void a_packet_out_of_sequence_is_refused(void **state)
{
	struct bytes wire = {0}, got = {0}, events = {0};
	uint8_t sequence = 2;
	struct tls_stream stream;
	size_t pieces;
	unsigned number;
	struct error err;

	(void)state;
	event_add(&events, EVENT_QUERY, 0, 0, "small", 5);
	packets_add(&wire, &sequence, &events);
	stream = (struct tls_stream){wire.bytes, wire.size, 0, 0, false, false};
	assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, ERROR_DEFECT,
		     "packet 2 where 1 was due");
	bytes_free(&wire);
	bytes_free(&events);
}

/* --- semi-sync ------------------------------------------------------------------------------- */

/* A ROTATE made for the stream, and @file's events. */
static void golden_stream(struct bytes *events)
{
	struct bytes file = {0};

	file_load(&file, GOLDEN);
	fake_rotate_add(events, BINLOG_MAGIC_SIZE, GOLDEN_FILE);
	bytes_add(events, file.bytes + BINLOG_MAGIC_SIZE, file.size - BINLOG_MAGIC_SIZE);
	bytes_free(&file);
}

static size_t count_of(const struct bytes *events, uint8_t type)
{
	size_t count = 0;

	for (size_t at = 0; at < events->size; at += get_le32(events->bytes + at + 9))
		count += events->bytes[at + 4] == type;
	return count;
}

/* Read @wire in chunks of all sizes: the same events each time. */
static void read_in_chunks(const struct bytes *wire, const struct bytes *events,
			   enum packet_semi_sync expected, size_t asking)
{
	struct bytes got = {0};
	size_t pieces;
	unsigned number;
	struct error err;

	semi_sync_asked = true;
	for (size_t chunk = 1; chunk < 200; chunk++) {
		struct tls_stream stream = {wire->bytes, wire->size, 0, chunk, chunk % 3 == 0, 0};

		got.size = 0;
		assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, ERROR_CLOSED,
			     "closed");
		assert_int_equal(semi_sync, expected);
		assert_int_equal(asking_count, asking);
		assert_int_equal(got.size, events->size);
		assert_memory_equal(got.bytes, events->bytes, events->size);
	}
	semi_sync_asked = false;
	bytes_free(&got);
}

static void events_that_ask_for_an_acknowledgement_are_told_from_others(void **state)
{
	struct bytes events = {0}, wire = {0};
	uint8_t sequence = 1;

	(void)state;
	golden_stream(&events);
	semi_sync_packets_add(&wire, &sequence, &events);
	assert_true(count_of(&events, EVENT_XID) > 3);
	read_in_chunks(&wire, &events, PACKET_SEMI_SYNC_YES, count_of(&events, EVENT_XID));
	bytes_free(&events);
	bytes_free(&wire);
}

static void a_server_without_semi_sync_is_found_out_by_its_first_packet(void **state)
{
	struct bytes events = {0}, wire = {0};
	uint8_t sequence = 1;

	(void)state;
	golden_stream(&events);
	packets_add(&wire, &sequence, &events);
	/* An event of a second that looks like it, which is none. */
	event_add(&events, EVENT_QUERY, 0, 0, "small", 5);
	events.bytes[events.size - EVENT_HEADER_SIZE - 5 - EVENT_CRC_SIZE] = 0xef;
	events.bytes[events.size - EVENT_HEADER_SIZE - 5 - EVENT_CRC_SIZE + 1] = 0x01;
	event_packet_add(&wire, &sequence, "\0", 1,
			 events.bytes + events.size - EVENT_HEADER_SIZE - 5 - EVENT_CRC_SIZE);
	read_in_chunks(&wire, &events, PACKET_SEMI_SYNC_NO, 0);
	bytes_free(&events);
	bytes_free(&wire);
}

/* The second packet after a first one with semi-sync. */
static void expect_behind(const void *before, size_t before_size, const char *words)
{
	struct bytes events = {0}, wire = {0}, got = {0};
	struct tls_stream stream;
	uint8_t sequence = 1;
	size_t pieces;
	unsigned number;
	struct error err;

	fake_rotate_add(&events, BINLOG_MAGIC_SIZE, GOLDEN_FILE);
	semi_sync_packets_add(&wire, &sequence, &events);
	event_packet_add(&wire, &sequence, before, before_size, events.bytes);
	stream = (struct tls_stream){wire.bytes, wire.size, 0, 0, false, false};
	semi_sync_asked = true;
	assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, ERROR_DEFECT, words);
	assert_int_equal(got.size, events.size);
	semi_sync_asked = false;
	bytes_free(&events);
	bytes_free(&wire);
	bytes_free(&got);
}

static void a_packet_of_the_other_kind_is_refused(void **state)
{
	(void)state;
	expect_behind("\0", 1, "an event behind 0000 0000, where semi-sync has 0xef");
	expect_behind("\0\xef\2", 3, "an event behind 0xef 0x02");
	expect_behind("\0\xee\1", 3, "an event behind 0xee 0x01");
}

static void only_behind_an_event_that_asks_may_packets_be_counted_anew(void **state)
{
	static const char *const before[] = {"\0\xef\0", "\0\xef\1"};
	struct bytes events = {0}, wire = {0}, got = {0};
	struct error err;
	unsigned number;
	size_t pieces;

	(void)state;
	fake_rotate_add(&events, BINLOG_MAGIC_SIZE, GOLDEN_FILE);
	semi_sync_asked = true;
	for (size_t asks = 0; asks < 2; asks++) {
		uint8_t sequences[] = {1, 2, 1, 2};
		struct tls_stream stream;

		wire.size = got.size = 0;
		for (size_t i = 0; i < ARRAY_LENGTH(sequences); i++)
			event_packet_add(&wire, &sequences[i], before[asks && i == 1], 3,
					 events.bytes);
		stream = (struct tls_stream){wire.bytes, wire.size, 0, 0, false, false};
		assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err,
			     asks ? ERROR_CLOSED : ERROR_DEFECT,
			     asks ? "closed" : "packet 1 where 3 was due");
		assert_int_equal(got.size, events.size * (asks ? 4 : 2));
	}
	semi_sync_asked = false;
	bytes_free(&events);
	bytes_free(&wire);
	bytes_free(&got);
}

static void the_last_piece_of_a_large_event_asks_too(void **state)
{
	static const size_t bodies[] = {PACKET_EVENT_WHOLE_MAX,
					PAYLOAD_MAX - 3 - EVENT_HEADER_SIZE - EVENT_CRC_SIZE,
					2 * PAYLOAD_MAX};

	(void)state;
	semi_sync_asked = true;
	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		struct bytes events = {0}, wire = {0}, got = {0};
		uint8_t *filler = calloc(1, bodies[i]), sequence = 1;
		struct tls_stream stream;
		struct error err;
		unsigned number;
		size_t pieces;

		fake_rotate_add(&events, BINLOG_MAGIC_SIZE, GOLDEN_FILE);
		event_add(&events, EVENT_XID, 0, 0, filler, bodies[i]);
		event_add(&events, EVENT_QUERY, 0, 0, "small", 5);
		semi_sync_packets_add(&wire, &sequence, &events);
		stream = (struct tls_stream){wire.bytes, wire.size, 0, 65535, false, false};
		assert_fails(read_all(&stream, &got, &pieces, &number, &err), &err, ERROR_CLOSED,
			     "closed");
		assert_true(pieces > 0);
		assert_int_equal(asking_count, 1);
		assert_int_equal(got.size, events.size);
		assert_memory_equal(got.bytes, events.bytes, events.size);
		free(filler);
		bytes_free(&events);
		bytes_free(&wire);
		bytes_free(&got);
	}
	semi_sync_asked = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_whole_whatever_the_chunks),
		cmocka_unit_test(large_events_come_in_pieces),
		cmocka_unit_test(an_error_of_the_server_is_told_with_its_number_and_printable),
		cmocka_unit_test(an_end_of_the_dump_is_no_event),
		cmocka_unit_test(what_is_no_event_is_refused),
		cmocka_unit_test(an_error_larger_than_any_is_refused_before_the_buffer_is_full),
		cmocka_unit_test(a_packet_out_of_sequence_is_refused),
		cmocka_unit_test(events_that_ask_for_an_acknowledgement_are_told_from_others),
		cmocka_unit_test(a_server_without_semi_sync_is_found_out_by_its_first_packet),
		cmocka_unit_test(a_packet_of_the_other_kind_is_refused),
		cmocka_unit_test(only_behind_an_event_that_asks_may_packets_be_counted_anew),
		cmocka_unit_test(the_last_piece_of_a_large_event_asks_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
