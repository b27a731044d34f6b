#include "unit/cmocka_prelude.h"

#include "unit/pull/receiver_fixture.h"

/* Damage byte @offset of the event at @position of the file. */
static void damage(struct fixture *fixture, size_t position, size_t offset)
{
	fixture->file.bytes[position + offset] ^= 0x10;
}

/* Where the first event of @type stands. */
static size_t find_event(const struct fixture *fixture, uint8_t type)
{
	for (size_t at = 4; at < fixture->file.size; at += get_le32(fixture->file.bytes + at + 9)) {
		if (fixture->file.bytes[at + 4] == type)
			return at;
	}
	fail_msg("there is no event of type %u", type);
	return 0;
}

/* One connection from the start of the file: its result. */
static int connect_once(struct fixture *fixture)
{
	stream_whole(fixture);
	taken_reset(&fixture->taken);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	return offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err);
}

static void an_event_that_is_damaged_the_same_twice_is_taken_as_it_came(void **state)
{
	static const uint8_t types[] = {EVENT_QUERY, EVENT_MARIADB_GTID, EVENT_XID, EVENT_TABLE_MAP,
					EVENT_MARIADB_GTID_LIST};
	struct fixture *fixture = *state;
	struct taken whole = {0};

	assert_ok(connect_once(fixture), &fixture->err);
	whole = fixture->taken;
	whole.stored = (struct bytes){0};
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		size_t at = find_event(fixture, types[i]);

		damage(fixture, at, EVENT_HEADER_SIZE + 3);
		assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT, "event says CRC");
		assert_true(receiver_suspected(fixture->receiver));
		assert_int_equal(receiver_position(fixture->receiver), at);
		assert_ok(connect_once(fixture), &fixture->err);
		assert_false(receiver_suspected(fixture->receiver));
		assert_int_equal(fixture->taken.stored.size, fixture->file.size - 4);
		assert_memory_equal(fixture->taken.stored.bytes, fixture->file.bytes + 4,
				    fixture->taken.stored.size);
		assert_int_equal(fixture->taken.damaged_count, 1);
		assert_int_equal(fixture->taken.damaged.position, at);
		assert_int_equal(fixture->taken.damaged.time_usec, 0);
		assert_false(fixture->taken.damaged.transaction_end);
		/* What it said is not relied on: of its transaction no GTID is told. */
		assert_true(fixture->taken.gtid_count <= whole.gtid_count);
		assert_true(fixture->taken.gtid_count + 1 >= whole.gtid_count);
		damage(fixture, at, EVENT_HEADER_SIZE + 3);
	}
}

static void an_event_that_is_damaged_differently_is_never_taken(void **state)
{
	struct fixture *fixture = *state;
	size_t at = find_event(fixture, EVENT_QUERY);

	damage(fixture, at, 30);
	assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT, "event says CRC");
	for (size_t offset = 31; offset < 35; offset++) {
		damage(fixture, at, offset);
		assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT,
			     "other bytes than on the connection before: event says CRC");
		assert_false(receiver_suspected(fixture->receiver));
	}
}

static void a_damaged_event_in_pieces_is_taken_the_third_time(void **state)
{
	static const uint8_t body[1000];
	struct fixture *fixture = *state;
	struct taken *taken = &fixture->taken;

	fake_rotate_add(&fixture->stream, 4, GOLDEN_FILE);
	bytes_add(&fixture->stream, fixture->file.bytes + 4, 252);
	event_add(&fixture->stream, EVENT_IGNORABLE, 0, 0, body, sizeof(body));
	fixture->stream.bytes[fixture->stream.size - 500] ^= 1;
	for (int i = 0; i < 3; i++) {
		int r;

		taken_reset(taken);
		receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
		r = offer_all(fixture->receiver, &fixture->stream, 300, taken, &fixture->err);
		if (i < 2)
			assert_fails(r, &fixture->err, ERROR_DEFECT, "event says CRC");
		else
			assert_ok(r, &fixture->err);
		assert_int_equal(receiver_suspected(fixture->receiver), i < 2);
	}
	assert_int_equal(taken->damaged_count, 1);
	assert_int_equal(taken->damaged.length, 1023);
}

/* The last archived event may be one, and may have been damaged since. */
static void a_last_event_that_is_damaged_the_same_twice_is_gone_on_behind(void **state)
{
	struct fixture *fixture = *state;
	size_t at = find_event(fixture, EVENT_QUERY);
	struct place place = place_at(fixture, at);

	damage(fixture, at, 30);
	stream_from(fixture, at);
	receiver_start(fixture->receiver, &place, "", false);
	assert_fails(
		offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		&fixture->err, ERROR_DEFECT, "event says CRC");
	receiver_start(fixture->receiver, &place, "", false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_int_equal(fixture->taken.damaged_count, 0);
	assert_int_equal(fixture->taken.stored.size, fixture->file.size - place.position);
}

/* Its position and its length are not a matter of its CRC. */
static void a_damaged_event_that_does_not_fit_is_never_taken(void **state)
{
	struct fixture *fixture = *state;
	size_t at = find_event(fixture, EVENT_QUERY);

	damage(fixture, at, 13); /* log_pos */
	for (int i = 0; i < 3; i++) {
		assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT,
			     "bytes are missing before it");
		assert_false(receiver_suspected(fixture->receiver));
	}
	damage(fixture, at, 13);
	damage(fixture, 4, 30); /* FORMAT_DESCRIPTION */
	for (int i = 0; i < 3; i++)
		assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT,
			     "the beginning of");
}

/* A ROTATE that says nothing: the server says in its own words that the file has ended. */
static void a_damaged_rotate_does_not_name_the_next_file(void **state)
{
	struct fixture *fixture = *state;
	size_t at = find_event(fixture, EVENT_ROTATE);

	damage(fixture, at, EVENT_HEADER_SIZE + 9);
	assert_fails(connect_once(fixture), &fixture->err, ERROR_DEFECT, "event says CRC");
	stream_whole(fixture);
	fake_rotate_add(&fixture->stream, 4, "golden-bin.000002");
	taken_reset(&fixture->taken);
	receiver_start(fixture->receiver, &nowhere, GOLDEN_FILE, false);
	assert_ok(offer_all(fixture->receiver, &fixture->stream, 0, &fixture->taken, &fixture->err),
		  &fixture->err);
	assert_false(fixture->taken.file_end);
	assert_int_equal(fixture->taken.file_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_that_is_damaged_the_same_twice_is_taken_as_it_came),
		TEST(an_event_that_is_damaged_differently_is_never_taken),
		TEST(a_damaged_event_in_pieces_is_taken_the_third_time),
		TEST(a_last_event_that_is_damaged_the_same_twice_is_gone_on_behind),
		TEST(a_damaged_event_that_does_not_fit_is_never_taken),
		TEST(a_damaged_rotate_does_not_name_the_next_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
