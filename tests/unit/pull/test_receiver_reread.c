#include "unit/cmocka_prelude.h"

#include "unit/pull/receiver_fixture.h"

#define GIBIBYTE (UINT64_C(1) << 30)

/* A stream from the file's beginning, to go on behind @place. */
static int reread(struct fixture *fixture, const struct place *place)
{
	taken_reset(&fixture->taken);
	receiver_start(fixture->receiver, place, "", true);
	receiver_set_reread(fixture->receiver);
	return offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err);
}

static void what_is_archived_is_passed_over_up_to_any_event(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;

	stream_whole(fixture);
	/* Behind FORMAT_DESCRIPTION no server is asked so: that is at 4. */
	for (size_t at = 256; at < fixture->file.size;) {
		struct place place = place_at(fixture, at);

		assert_ok(reread(fixture, &place), &fixture->err);
		assert_true(receiver_verified(fixture->receiver));
		assert_int_equal(receiver_reread_percent(fixture->receiver), -1);
		assert_int_equal(taken->stored.size, fixture->file.size - place.position);
		if (taken->stored.size > 0)
			assert_memory_equal(taken->stored.bytes,
					    fixture->file.bytes + place.position,
					    taken->stored.size);
		at = place.position;
	}
}

/* As many transactions behind the place as a stream that was never interrupted has there. */
static void transactions_are_followed_from_the_beginning(void **state)
{
	struct fixture *fixture = *state;
	size_t before = 0, whole;

	stream_whole(fixture);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	whole = fixture->taken.gtid_count;
	for (size_t at = 256; at < fixture->file.size;) {
		struct place place = place_at(fixture, at);
		size_t length = get_le32(fixture->file.bytes + at + 9);

		assert_ok(reread(fixture, &place), &fixture->err);
		assert_true(fixture->taken.gtid_count <= whole - before);
		before = whole - fixture->taken.gtid_count;
		at += length;
	}
	assert_int_equal(before, whole);
}

/* Offered whole to a new receiver: of which event it said that a transaction ends with it. */
static size_t transaction_ends(struct fixture *fixture, uint64_t *ends, size_t size)
{
	size_t count = 0, seen = 0;

	stream_whole(fixture);
	taken_reset(&fixture->taken);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	for (size_t at = 0; at < fixture->stream.size;) {
		size_t length = get_le32(fixture->stream.bytes + at + 9);

		assert_ok(offer(fixture->receiver, fixture->stream.bytes + at, length, 0,
				&fixture->taken, &fixture->err),
			  &fixture->err);
		at += length;
		if (fixture->taken.gtid_count == seen)
			continue;
		seen = fixture->taken.gtid_count;
		assert_true(count < size);
		ends[count++] = receiver_position(fixture->receiver);
	}
	return count;
}

/*
 * Whoever archived the place has died, and the keeper knows where the last whole transaction ends:
 * not one of those that end behind the place is without its GTID, wherever that is.
 */
static void a_transaction_that_is_archived_in_part_has_its_gtid_at_its_end(void **state)
{
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;
	uint64_t ends[256], begin;
	size_t count = transaction_ends(fixture, ends, ARRAY_LENGTH(ends)), whole = 0, inside = 0;

	assert_true(count > 20);
	for (size_t at = 4; at < fixture->file.size;) {
		struct place place = place_at(fixture, at);

		while (whole < count && ends[whole] <= place.position)
			whole++;
		place.transaction_end = whole > 0 ? ends[whole - 1] : 4;
		taken_reset(taken);
		receiver_free(fixture->receiver);
		fixture->receiver = receiver_new();
		begin = receiver_begin_position(&place, false);
		assert_int_equal(begin, MIN(place.transaction_end, at));
		inside += begin < at;
		stream_from(fixture, begin);
		receiver_start(fixture->receiver, &place, "", false);
		assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, taken, &fixture->err),
			  &fixture->err);
		assert_true(receiver_verified(fixture->receiver));
		assert_int_equal(taken->stored.size, fixture->file.size - place.position);
		assert_memory_equal(taken->stored.bytes, fixture->file.bytes + place.position,
				    taken->stored.size);
		assert_int_equal(taken->gtid_count, count - whole);
		assert_int_equal(taken->transaction_count, taken->gtid_count);
		at = place.position;
	}
	assert_true(inside > 50);
}

/* Who has followed it himself has seen how it began. */
static void a_stream_of_ones_own_goes_on_at_the_last_event(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 911);
	char text[256];

	place.transaction_end = 256; /* where an event begins */
	assert_int_equal(receiver_begin_position(&place, true), 911);
	assert_int_equal(receiver_begin_position(&place, false), 256);
	receiver_start(fixture->receiver, &place, "", false);
	stream_from(fixture, 256);
	fixture->stream.size -= fixture->file.size - 256;
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(receiver_reread_percent(fixture->receiver), 0);
	receiver_reread_sentence(fixture->receiver, text, sizeof(text));
	assert_string_equal(text, "re-reading the last transaction of " GOLDEN_FILE ": 0 %: it is "
				  "archived in part, and how it began must be seen again");
}

static void it_says_how_far_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 12000);
	int last = -1;

	place.last_event_position = 13000;
	place.position = 13100;
	stream_whole(fixture);
	receiver_start(fixture->receiver, &place, "", false);
	receiver_set_reread(fixture->receiver);
	for (size_t at = 0; at < fixture->stream.size;) {
		size_t length = get_le32(fixture->stream.bytes + at + 9);
		int percent = receiver_reread_percent(fixture->receiver);

		assert_true(percent >= last && percent <= 100);
		last = percent;
		if (offer(fixture->receiver, fixture->stream.bytes + at, length, 0, &fixture->taken,
			  &fixture->err) < 0)
			break;
		at += length;
	}
	assert_true(last > 90);
}

/* Only what is new of the file at hand is gone on with so. */
static void the_next_file_is_taken_from_its_beginning(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 911);

	stream_whole(fixture);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000002");
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	assert_ok(reread(fixture, &place), &fixture->err);
	assert_int_equal(fixture->taken.file_count, 1);
	assert_true(receiver_verified(fixture->receiver));
	assert_int_equal(fixture->taken.stored.size, fixture->file.size - place.position + 252);
}

static void another_history_is_found_out(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 911), other;

	stream_whole(fixture);
	other = place;
	other.last_event_crc ^= 1;
	assert_fails(reread(fixture, &other), &fixture->err, ERROR_DIVERGED,
		     "whose CRC differs from the archived one's");
	other = place;
	other.last_event_position++;
	assert_fails(reread(fixture, &other), &fixture->err, ERROR_DIVERGED,
		     "no event of the server's golden-bin.000001 begins at 912");
	fixture->stream.size -= fixture->file.size - 911;
	event_add(&fixture->stream, EVENT_HEARTBEAT, 0, 256, GOLDEN_FILE, strlen(GOLDEN_FILE));
	assert_fails(reread(fixture, &place), &fixture->err, ERROR_DIVERGED, "ends before 911");
	assert_int_equal(fixture->taken.event_count, 0);
}

/* The archive has it as it was, or as it came: here it counts no more. */
static void what_was_damaged_since_is_passed_over_too(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 911);

	stream_whole(fixture);
	fixture->stream.bytes[fixture->stream.size - fixture->file.size + 256 + 20] ^= 1;
	assert_ok(reread(fixture, &place), &fixture->err);
	assert_int_equal(fixture->taken.stored.size, fixture->file.size - place.position);
}

/* --- beyond 4 GiB ---------------------------------------------------------------------------- */

static uint8_t buffer[2u << 20];

/* An event of @length bytes that says where it ends, or a large one in pieces, all but zeros. */
static int offer_zeros(struct fixture *fixture, uint64_t end, uint32_t length, uint32_t *ret_crc)
{
	uint8_t head[EVENT_HEADER_SIZE] = {0}, tail[EVENT_CRC_SIZE];
	size_t left = length;
	struct event_crc crc;
	int r = 0;

	put_le(head, 1700000000, 4);
	head[4] = EVENT_IGNORABLE;
	put_le(head + 9, length, 4);
	put_le(head + 13, (uint32_t)end, 4);
	assert_ok(event_crc_init(&crc, length, &fixture->err), &fixture->err);
	for (int pass = 0; pass < 2; pass++) {
		left = length;
		while (r == 0 && left > 0) {
			size_t part = MIN(left, sizeof(buffer));
			struct packet_item item = {
				.kind = part == length ? PACKET_EVENT : PACKET_PIECE,
				.bytes = buffer,
				.size = part,
				.first = left == length,
				.last = left == part,
			};
			struct received received;

			memset(buffer, 0, sizeof(buffer));
			if (item.first)
				memcpy(buffer, head, sizeof(head));
			if (pass == 1 && item.last)
				memcpy(buffer + part - EVENT_CRC_SIZE, tail, sizeof(tail));
			if (pass == 0)
				event_crc_update(&crc, buffer, part);
			else
				r = receiver_take(fixture->receiver, &item, &received,
						  &fixture->err);
			if (pass == 1 && r == 0)
				note(&fixture->taken, &received);
			left -= part;
		}
		put_le(tail, crc.computed, sizeof(tail));
	}
	*ret_crc = crc.computed;
	return r;
}

/* FORMAT_DESCRIPTION, GTID_LIST, and large events to beyond 4 GiB; returns where they end. */
static uint64_t offer_large_file(struct fixture *fixture, uint64_t *ret_last, uint32_t *ret_crc)
{
	const uint32_t length = GIBIBYTE - 1000;
	uint64_t at = 4;
	size_t list;

	stream_whole(fixture);
	list = get_le32(fixture->file.bytes + 256 + 9);
	fixture->stream.size -= fixture->file.size - 256 - list;
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	for (at = 256 + list; at <= 4 * GIBIBYTE; at += length) {
		*ret_last = at;
		assert_ok(offer_zeros(fixture, at + length, length, ret_crc), &fixture->err);
	}
	return at;
}

static void a_file_beyond_4_gib_is_counted_in_64_bits_and_gone_on_with(void **state)
{
	struct fixture *fixture = *state;
	struct place place = {.file = GOLDEN_FILE};
	uint32_t crc;
	uint64_t end;

	/* Whole, as it is archived. Its bytes are too many to be kept here. */
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	fixture->taken.counts_only = true;
	end = offer_large_file(fixture, &place.last_event_position, &place.last_event_crc);
	assert_true(end > 4 * GIBIBYTE);
	assert_int_equal(receiver_position(fixture->receiver), end);
	assert_int_equal(fixture->taken.last.position, place.last_event_position);
	place.position = end;

	/* Again, to go on behind it. */
	taken_reset(&fixture->taken);
	fixture->taken.counts_only = true;
	receiver_start(fixture->receiver, &place, "", false);
	receiver_set_reread(fixture->receiver);
	assert_int_equal(offer_large_file(fixture, &end, &crc), place.position);
	assert_true(receiver_verified(fixture->receiver));
	assert_int_equal(fixture->taken.event_count, 0);
	assert_ok(offer_zeros(fixture, place.position + 100, 100, &crc), &fixture->err);
	assert_int_equal(fixture->taken.event_count, 1);
	assert_int_equal(fixture->taken.last.position, place.position);
	assert_fails(offer_zeros(fixture, place.position + 201, 100, &crc), &fixture->err,
		     ERROR_DEFECT, "bytes are missing before it");
}

/* The FORMAT_DESCRIPTION of such a dump says where it ends in the file, and is no event of it. */
static void a_dump_by_a_64_bit_position_repeats_the_format_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct place place = place_at(fixture, 911);

	fake_rotate_add(&fixture->stream, 911, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	bytes_add(&fixture->stream, fixture->file.bytes + 911, fixture->file.size - 911);
	receiver_start(fixture->receiver, &place, "", false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(fixture->taken.stored.size, fixture->file.size - place.position);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_archived_is_passed_over_up_to_any_event),
		TEST(transactions_are_followed_from_the_beginning),
		TEST(a_transaction_that_is_archived_in_part_has_its_gtid_at_its_end),
		TEST(a_stream_of_ones_own_goes_on_at_the_last_event),
		TEST(it_says_how_far_it_is),
		TEST(the_next_file_is_taken_from_its_beginning),
		TEST(another_history_is_found_out),
		TEST(what_was_damaged_since_is_passed_over_too),
		TEST(a_file_beyond_4_gib_is_counted_in_64_bits_and_gone_on_with),
		TEST(a_dump_by_a_64_bit_position_repeats_the_format_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
