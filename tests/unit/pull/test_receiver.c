#include "unit/cmocka_prelude.h"

#include "crypto/random.h"
#include "volume/header.h"

#include "unit/pull/receiver_fixture.h"

/* --- how much is allocated -------------------------------------------------------------------- */

static size_t allocation_count;

#ifndef BINVAULT_SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

void *malloc(size_t size)
{
	allocation_count++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocation_count++;
	return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
	allocation_count++;
	return __libc_realloc(pointer, size);
}
#endif

/* --- tests ------------------------------------------------------------------------------------ */

static void a_file_is_taken_from_its_start_byte_for_byte(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;
	const uint8_t *format_event;

	stream_whole(fixture);
	for (size_t piece = 0; piece < 5; piece++) {
		taken_reset(taken);
		receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
		assert_int_equal(receiver_format(fixture->receiver, &format_event), 0);
		/* Only what is large comes in pieces; here what the format is not. */
		assert_ok(offer_all(fixture->receiver, &fixture->stream,
				    piece ? 256 + 40 * piece : 0, taken, &fixture->err),
			  &fixture->err);
		assert_int_equal(taken->stored.size, fixture->file.size - 4);
		assert_memory_equal(taken->stored.bytes, fixture->file.bytes + 4,
				    taken->stored.size);
		assert_int_equal(receiver_position(fixture->receiver), fixture->file.size);
		assert_int_equal(taken->transaction_count, taken->gtid_count);
		assert_true(taken->transaction_count > 20);
		assert_true(taken->file_end);
		assert_int_equal(receiver_format(fixture->receiver, &format_event), 252);
		assert_memory_equal(format_event, fixture->file.bytes + 4, 252);
	}
}

static void a_stream_goes_on_behind_any_event(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;
	size_t count = 0;

	for (size_t at = 4; at < fixture->file.size;) {
		struct place place = place_at(fixture, at);

		taken_reset(taken);
		stream_from(fixture, at);
		receiver_start(fixture->receiver, &place, "", false);
		assert_false(receiver_verified(fixture->receiver));
		assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, taken, &fixture->err),
			  &fixture->err);
		assert_true(receiver_verified(fixture->receiver));
		assert_int_equal(taken->stored.size, fixture->file.size - place.position);
		assert_memory_equal(taken->stored.bytes, fixture->file.bytes + place.position,
				    taken->stored.size);
		at = place.position;
		count++;
	}
	assert_true(count > 100);
}

/* A connection that ends anywhere, also within an event, changes nothing of what is reported. */
static void transactions_are_counted_the_same_over_lost_connections(void **state)
{
	struct fixture *fixture = *state;
	struct taken whole = {0};

	stream_whole(fixture);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &whole, &fixture->err),
		  &fixture->err);
	for (size_t every = 1; every < 4; every++) {
		struct taken *taken = &fixture->taken;
		size_t at = 4, count = 0;

		taken_reset(taken);
		receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
		stream_from(fixture, 4);
		fixture->stream.size -= fixture->file.size - at; /* nothing but the beginning */
		assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, taken, &fixture->err),
			  &fixture->err);
		while (at < fixture->file.size) {
			const uint8_t *event = fixture->file.bytes + at;
			size_t length = get_le32(event + 9);

			assert_ok(offer(fixture->receiver, event, length, 0, taken, &fixture->err),
				  &fixture->err);
			if (++count % every == 0 && at + length < fixture->file.size) {
				struct place place = place_at(fixture, at);
				struct packet_item torn = {.kind = PACKET_PIECE,
							   .bytes = event + length,
							   .size = EVENT_HEADER_SIZE,
							   .first = true};
				struct received received;

				assert_ok(receiver_take(fixture->receiver, &torn, &received,
							&fixture->err),
					  &fixture->err);
				receiver_start(fixture->receiver, &place, "", true);
				stream_from(fixture, at);
				fixture->stream.size -= fixture->file.size - place.position;
				assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, taken,
						    &fixture->err),
					  &fixture->err);
			}
			at += length;
		}
		assert_int_equal(taken->event_count, whole.event_count);
		assert_int_equal(taken->transaction_count, whole.transaction_count);
		assert_int_equal(taken->gtid_count, whole.gtid_count);
	}
	taken_reset(&whole);
}

static void a_flipped_bit_anywhere_is_found(void **state)
{
	struct fixture *fixture = *state;

	for (size_t at = 4; at < fixture->file.size; at++) {
		taken_reset(&fixture->taken);
		stream_whole(fixture);
		fixture->stream.bytes[fixture->stream.size - fixture->file.size + at] ^=
			(uint8_t)(1 << at % 8);
		receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
		for (size_t event = 0; event < fixture->stream.size;) {
			size_t length = get_le32(fixture->stream.bytes + event + 9);
			int r;

			/* The packet reader cuts by the length, and compares it to the packet. */
			if (length < EVENT_HEADER_SIZE || length > fixture->stream.size - event)
				break;
			r = offer(fixture->receiver, fixture->stream.bytes + event, length, 0,
				  &fixture->taken, &fixture->err);
			if (r < 0)
				break;
			event += length;
		}
		assert_true(fixture->taken.event_count <= 200);
		assert_true(fixture->taken.stored.size < fixture->file.size - 4);
		assert_memory_equal(fixture->taken.stored.bytes, fixture->file.bytes + 4,
				    fixture->taken.stored.size);
	}
}

static void another_last_event_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 256), other;

	stream_from(fixture, 256);
	other = place;
	other.last_event_crc ^= 1;
	receiver_start(fixture->receiver, &other, "", true);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DIVERGED, "whose CRC differs from the archived one's");
	other = place;
	other.position++;
	receiver_start(fixture->receiver, &other, "", true);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DIVERGED, "whose length differs from the archived one's");
	assert_int_equal(fixture->taken.event_count, 0);
}

static void a_server_whose_file_ended_before_the_last_event_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 256);

	stream_from(fixture, 256);
	fixture->stream.size -= fixture->file.size - 256;
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000002");
	receiver_start(fixture->receiver, &place, "", true);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DIVERGED, "ends before 256, where an archived event");
}

static void a_heartbeat_where_the_last_event_is_due_says_that_it_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 256);

	stream_from(fixture, 256);
	fixture->stream.size -= fixture->file.size - 256;
	event_add(&fixture->stream, EVENT_HEARTBEAT, 0, 256, GOLDEN_FILE, strlen(GOLDEN_FILE));
	receiver_start(fixture->receiver, &place, "", true);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DIVERGED, "ends before 256, where an archived event");
}

/* The file without its ROTATE has come. */
static void receive_all_but_the_end(struct fixture *fixture)
{
	stream_whole(fixture);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	fixture->stream.size -= 48;
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(receiver_position(fixture->receiver), 13165);
}

/* MySQL sends the second kind, MariaDB a sub-header beyond 4 GiB. */
static void a_heartbeat_of_each_kind_says_where_the_server_is(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t log_pos;
		const char *body;
		size_t size;
	} kinds[] = {
		{EVENT_HEARTBEAT, 13165, GOLDEN_FILE, sizeof(GOLDEN_FILE) - 1},
		{EVENT_HEARTBEAT, 0, "\x6d\x33\0\0\0\0\0\0" GOLDEN_FILE, sizeof(GOLDEN_FILE) + 7},
		{EVENT_HEARTBEAT_V2, 0, "\1\x11" GOLDEN_FILE "\2\x09\xfe\x6d\x33\0\0\0\0\0\0\0",
		 sizeof(GOLDEN_FILE) + 13},
		{EVENT_HEARTBEAT_V2, 0, "\xff", 1}, /* of a kind to come */
	};
	struct fixture *fixture = *state;

	receive_all_but_the_end(fixture);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bytes beside = {0};

		assert_int_equal(receiver_at_end(fixture->receiver), i > 0);
		event_add(&beside, kinds[i].type, 0, kinds[i].log_pos, kinds[i].body,
			  kinds[i].size);
		assert_ok(offer_all(fixture->receiver, &beside, 0, &fixture->taken, &fixture->err),
			  &fixture->err);
		assert_int_equal(receiver_source_position(fixture->receiver), 13165);
		bytes_free(&beside);
	}
}

static void a_heartbeat_from_elsewhere_says_that_something_is_missing(void **state)
{
	static const struct {
		uint32_t log_pos;
		const char *file;
	} elsewhere[] = {{13164, GOLDEN_FILE}, {99999, GOLDEN_FILE}, {13165, "golden-bin.000002"}};
	struct fixture *fixture = *state;

	receive_all_but_the_end(fixture);
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		struct bytes beside = {0};

		event_add(&beside, EVENT_HEARTBEAT, 0, elsewhere[i].log_pos, elsewhere[i].file,
			  strlen(elsewhere[i].file));
		assert_fails(
			offer_all(fixture->receiver, &beside, 0, &fixture->taken, &fixture->err),
			&fixture->err, ERROR_DEFECT,
			"and what has come ends at " GOLDEN_FILE ":13165");
		bytes_free(&beside);
	}
}

static void a_heartbeat_is_no_beginning_of_a_file(void **state)
{
	struct fixture *fixture = *state;

	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	event_add(&fixture->stream, EVENT_HEARTBEAT, 0, 256, GOLDEN_FILE, strlen(GOLDEN_FILE));
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "sends no FORMAT_DESCRIPTION of " GOLDEN_FILE);
}

static void what_is_beside_the_file_is_not_stored(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;

	stream_whole(fixture);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	for (size_t at = 0; at < fixture->stream.size;) {
		size_t length = get_le32(fixture->stream.bytes + at + 9);
		struct bytes beside = {0};

		assert_ok(offer(fixture->receiver, fixture->stream.bytes + at, length, 0, taken,
				&fixture->err),
			  &fixture->err);
		event_add(&beside, EVENT_HEARTBEAT, 0,
			  (uint32_t)receiver_position(fixture->receiver), GOLDEN_FILE,
			  strlen(GOLDEN_FILE));
		event_add(&beside, EVENT_MARIADB_GTID_LIST, EVENT_FLAG_ARTIFICIAL, 13213,
			  "\0\0\0\0", 4);
		if (receiver_verified(fixture->receiver))
			assert_ok(offer_all(fixture->receiver, &beside, 0, taken, &fixture->err),
				  &fixture->err);
		bytes_free(&beside);
		at += length;
	}
	assert_int_equal(taken->stored.size, fixture->file.size - 4);
	assert_memory_equal(taken->stored.bytes, fixture->file.bytes + 4, taken->stored.size);
	assert_int_equal(receiver_source_position(fixture->receiver), 13213);
}

static void a_missing_event_is_seen_by_the_position_of_the_next(void **state)
{
	struct fixture *fixture = *state;
	size_t second = 4 + 252;
	size_t third = second + get_le32(fixture->file.bytes + second + 9);

	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	bytes_add(&fixture->stream, fixture->file.bytes + third, fixture->file.size - third);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "bytes are missing before it");
}

/* MariaDB 11.4 writes no position into events of a transaction; 4 GiB wrap it. */
static void positions_are_counted_and_compared_modulo_4_gib(void **state)
{
	struct fixture *fixture = *state;
	struct bytes last = {0}, *stream = &fixture->stream;
	struct place place = {.file = GOLDEN_FILE, .last_event_position = UINT32_MAX - 100};
	size_t size = EVENT_HEADER_SIZE + 8 + EVENT_CRC_SIZE;

	event_add(&last, EVENT_XID, 0, (uint32_t)(place.last_event_position + size), "12345678", 8);
	place.position = place.last_event_position + last.size;
	place.last_event_crc = get_le32(last.bytes + last.size - EVENT_CRC_SIZE);
	stream_from(fixture, 300);
	stream->size -= fixture->file.size - 300; /* only rotate and format */
	put_le(stream->bytes + EVENT_HEADER_SIZE, place.last_event_position, 8);
	event_sign(stream->bytes, get_le32(stream->bytes + 9));
	bytes_add(stream, last.bytes, last.size);
	event_add(stream, EVENT_IGNORABLE, 0, 0, "unknown position", 16);
	for (unsigned i = 1; i < 6; i++)
		event_add(stream, EVENT_IGNORABLE, 0,
			  (uint32_t)(place.position + EVENT_HEADER_SIZE + 16 + EVENT_CRC_SIZE +
				     i * size),
			  "12345678", 8);
	receiver_start(fixture->receiver, &place, "", false);
	assert_ok(offer_all(fixture->receiver, stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(fixture->taken.event_count, 6);
	assert_true(receiver_position(fixture->receiver) > UINT32_MAX);
	bytes_free(&last);
}

static void files_follow_each_other_by_name(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;

	/* The golden file ends with a ROTATE to 000002. */
	stream_whole(fixture);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000002");
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(taken->file_count, 1);
	assert_string_equal(receiver_file(fixture->receiver), "golden-bin.000002");
	assert_int_equal(receiver_position(fixture->receiver), 4 + 252);

	stream_whole(fixture);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000003");
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, taken, &fixture->err),
		&fixture->err, ERROR_REFUSED,
		"golden-bin.000001 says that golden-bin.000002 follows, but the server goes on "
		"with golden-bin.000003");
}

static void a_file_that_a_crash_ended_is_followed_by_any(void **state)
{
	struct fixture *fixture = *state;

	stream_whole(fixture);
	fixture->stream.size = 0;
	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000007");
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(fixture->taken.file_count, 1);
	assert_string_equal(fixture->taken.next_file, "golden-bin.000007");
}

/* ROTATE, FORMAT_DESCRIPTION and the archived event again: the server cannot send the rest. */
static void stream_torn(struct fixture *fixture)
{
	size_t size = 0;

	stream_from(fixture, 256);
	for (int i = 0; i < 3; i++)
		size += get_le32(fixture->stream.bytes + size + 9);
	fixture->stream.size = size;
}

static void a_file_that_is_torn_is_followed_by_the_next_number(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 256);
	struct received received;

	stream_torn(fixture);
	receiver_start(fixture->receiver, &place, "", false);
	assert_fails(receiver_take_torn(fixture->receiver, &received, &fixture->err), &fixture->err,
		     ERROR_DIVERGED, "ends before");

	receiver_start(fixture->receiver, &place, "", false);
	receiver_set_current(fixture->receiver, GOLDEN_FILE);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_fails(receiver_take_torn(fixture->receiver, &received, &fixture->err), &fixture->err,
		     ERROR_DEFECT, "is torn at 285, and no file of the server follows");

	receiver_start(fixture->receiver, &place, "", false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_ok(receiver_take_torn(fixture->receiver, &received, &fixture->err), &fixture->err);
	assert_int_equal(received.kind, RECEIVED_FILE);
	assert_string_equal(received.next_file, "golden-bin.000002");

	/* Of which no event came: the server is not what it seems. */
	assert_fails(receiver_take_torn(fixture->receiver, &received, &fixture->err), &fixture->err,
		     ERROR_DEFECT, "golden-bin.000002 is torn at 4");

	/* The archive knows already that the file ended, and with which one it goes on. */
	place.closed = true;
	snprintf(place.next_file, sizeof(place.next_file), "golden-bin.000007");
	receiver_start(fixture->receiver, &place, "", false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_ok(receiver_take_torn(fixture->receiver, &received, &fixture->err), &fixture->err);
	assert_string_equal(received.next_file, "golden-bin.000007");
}

static void the_numbers_of_files_grow_a_digit(void **state)
{
	static const struct {
		const char *file, *next; /* NULL: it has none */
	} files[] = {
		{"bin.000009", "bin.000010"},
		{"bin.999999", "bin.1000000"},
		{"a.b.000001", "a.b.000002"},
		{"bin", NULL},
		{"bin.", NULL},
		{"bin.00001x", NULL},
		{"bin.x", NULL},
	};
	struct fixture *fixture = *state;
	struct received received;

	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		fixture->stream.size = 0;
		fake_rotate_add(&fixture->stream, 4, files[i].file);
		bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
		receiver_start(fixture->receiver, &nowhere, files[i].file, false);
		assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken,
				    &fixture->err),
			  &fixture->err);
		if (files[i].next) {
			assert_ok(receiver_take_torn(fixture->receiver, &received, &fixture->err),
				  &fixture->err);
			assert_string_equal(received.next_file, files[i].next);
		} else {
			assert_fails(
				receiver_take_torn(fixture->receiver, &received, &fixture->err),
				&fixture->err, ERROR_DEFECT, "no file of the server follows");
		}
	}
}

static void the_file_that_the_server_writes_does_not_end_without_a_rotate(void **state)
{
	struct fixture *fixture = *state;

	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000002");
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	receiver_set_current(fixture->receiver, "golden-bin.000002");
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(fixture->taken.file_count, 1);

	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	receiver_set_current(fixture->receiver, GOLDEN_FILE);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT,
		"ends at 256 without a ROTATE, and the server goes on with golden-bin.000002");
}

static void nothing_follows_the_end_of_a_file_in_it(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 256);

	stream_whole(fixture);
	event_add(&fixture->stream, EVENT_XID, 0, 0, "12345678", 8);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "behind the end of the file");

	/* The archive says that a crash ended it there. */
	stream_from(fixture, 256);
	place.closed = true;
	snprintf(place.next_file, sizeof(place.next_file), "golden-bin.000002");
	receiver_start(fixture->receiver, &place, "", false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "behind the end of the file");
}

static void a_stream_must_begin_where_it_was_asked_to(void **state)
{
	struct fixture *fixture = *state;

	stream_whole(fixture);
	receiver_start(fixture->receiver, &nowhere, "golden-bin.000009", false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT,
		"golden-bin.000009:4 was asked for, the server begins with "
		"golden-bin.000001:4");
	fixture->stream.size = 0;
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "sends FORMAT_DESCRIPTION where ROTATE is due");
	fixture->stream.size = 0;
	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	event_add(&fixture->stream, EVENT_XID, 0, 0, "12345678", 8);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "sends XID where FORMAT_DESCRIPTION is due");
}

static void a_file_without_checksums_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct bytes file = {0};

	file_load(&file, GOLDEN_NO_CHECKSUM);
	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, file.bytes + 4, file.size - 4);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_REFUSED, "was written with binlog_checksum=NONE");
	bytes_free(&file);
}

/* As MariaDB does for a client that does not know GTIDs: BEGIN, in the same room. */
static void rewrite_gtid(uint8_t *event)
{
	static const char text[] = "BEGIN";
	size_t length = get_le32(event + 9);

	assert_int_equal(length, EVENT_HEADER_SIZE + 13 + 1 + strlen(text) + EVENT_CRC_SIZE);
	event[4] = EVENT_QUERY;
	memset(event + EVENT_HEADER_SIZE, 0, 14);
	memcpy(event + EVENT_HEADER_SIZE + 14, text, strlen(text));
	event_sign(event, length);
}

static void a_file_whose_gtids_were_rewritten_is_refused_at_the_first(void **state)
{
	struct fixture *fixture = *state;

	for (size_t at = 4; at < fixture->file.size; at += get_le32(fixture->file.bytes + at + 9)) {
		uint8_t *event = fixture->file.bytes + at, before[42];
		char words[80];

		if (event[4] != EVENT_MARIADB_GTID || get_le32(event + 9) != 42)
			continue;
		memcpy(before, event, 42);
		rewrite_gtid(event);
		stream_whole(fixture);
		taken_reset(&fixture->taken);
		receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
		snprintf(words, sizeof(words), "%s:%zu: a transaction begins with QUERY",
			 GOLDEN_FILE, at);
		assert_fails(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken,
				       &fixture->err),
			     &fixture->err, ERROR_REFUSED, words);
		assert_int_equal(receiver_position(fixture->receiver), at);
		memcpy(event, before, 42);
	}
}

static void a_stop_ends_a_file_without_naming_the_next(void **state)
{
	struct fixture *fixture = *state;
	struct bytes file = {0};

	file_load(&file, GOLDEN_STOPPED);
	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, file.bytes + 4, file.size - 4);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_true(fixture->taken.file_end);
	assert_string_equal(fixture->taken.next_file, "");
	bytes_free(&file);
}

/* From the socket to a frame's ciphertext, everything in memory that was there before. */
static void no_event_allocates(void **state)
{
	struct fixture *fixture = *state;
	struct segment_header header = {.block_size = 4096,
					.start_position = 4,
					.source = "orders",
					.binlog_file = GOLDEN_FILE};
	const struct segment_writer_options options = {.compression_level = 1};
	struct packet_reader *reader = packet_reader_new();
	struct segment_writer *writer = NULL;
	struct segment_output output;
	struct secret key = {0};
	struct bytes wire = {0};
	struct tls_stream stream;
	struct packet_item item;
	struct received received;
	uint8_t sequence = 1;
	unsigned number;
	size_t before, frames = 0;
	int r;

	stream_whole(fixture);
	packets_add(&wire, &sequence, &fixture->stream);
	assert_ok(secret_init(&key, 32, &fixture->err), &fixture->err);
	assert_ok(segment_writer_new(&header, &key, &options, &writer, &fixture->err),
		  &fixture->err);
	stream = (struct tls_stream){wire.bytes, wire.size, 0, 777, true, false};
	packet_reader_start(reader, &stream, false);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	random_bytes(&number, sizeof(number)); /* once, the library makes its generator */
	before = allocation_count;
	while ((r = packet_reader_next(reader, &item, &number, &fixture->err)) >= 0) {
		if (item.kind == PACKET_NOTHING)
			continue;
		assert_ok(receiver_take(fixture->receiver, &item, &received, &fixture->err),
			  &fixture->err);
		if (received.kind != RECEIVED_EVENT)
			continue;
		assert_int_equal(segment_writer_add(writer, received.bytes, received.size),
				 received.size);
		segment_writer_event_end(writer, &received.event);
		if (frames++ % 8 == 0 || received.file_end) {
			segment_writer_build(writer, 1, &output);
			segment_writer_written(writer);
		}
	}
	assert_int_equal(r, ERROR_CLOSED);
	assert_int_equal(allocation_count, before);
	assert_int_equal(segment_writer_state(writer)->summary.event_end, fixture->file.size);
	segment_writer_free(writer);
	secret_release(&key);
	packet_reader_free(reader);
	bytes_free(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_taken_from_its_start_byte_for_byte),
		TEST(a_stream_goes_on_behind_any_event),
		TEST(transactions_are_counted_the_same_over_lost_connections),
		TEST(a_flipped_bit_anywhere_is_found),
		TEST(another_last_event_is_refused),
		TEST(a_server_whose_file_ended_before_the_last_event_is_refused),
		TEST(a_heartbeat_where_the_last_event_is_due_says_that_it_is_not_there),
		TEST(a_heartbeat_of_each_kind_says_where_the_server_is),
		TEST(a_heartbeat_from_elsewhere_says_that_something_is_missing),
		TEST(a_heartbeat_is_no_beginning_of_a_file),
		TEST(what_is_beside_the_file_is_not_stored),
		TEST(a_missing_event_is_seen_by_the_position_of_the_next),
		TEST(positions_are_counted_and_compared_modulo_4_gib),
		TEST(files_follow_each_other_by_name),
		TEST(a_file_that_a_crash_ended_is_followed_by_any),
		TEST(a_file_that_is_torn_is_followed_by_the_next_number),
		TEST(the_numbers_of_files_grow_a_digit),
		TEST(the_file_that_the_server_writes_does_not_end_without_a_rotate),
		TEST(nothing_follows_the_end_of_a_file_in_it),
		TEST(a_stream_must_begin_where_it_was_asked_to),
		TEST(a_file_without_checksums_is_refused),
		TEST(a_file_whose_gtids_were_rewritten_is_refused_at_the_first),
		TEST(a_stop_ends_a_file_without_naming_the_next),
		TEST(no_event_allocates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
