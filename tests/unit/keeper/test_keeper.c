#include "unit/cmocka_prelude.h"

#include "unit/keeper/keeper_fixture.h"

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void a_new_archive_starts_pulling_from_the_configured_place(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_START);
}

static void a_closed_segment_is_sealed_signed_and_resumed_behind(void **state)
{
	struct fixture *fixture = *state;
	const struct segment_sealed_record *sealed;
	struct attached attached;
	struct held held;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	fixture_progress(fixture, &held);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 10, fixture_is_sealed, fixture));
	assert_true(fixture_run_until(fixture, 10, fixture_is_signed, fixture));
	sealed = state_sealed(store_state(fixture->keeper->store), "orders", NULL);
	assert_int_equal(sealed->end.summary.event_end, 204);
	assert_int_equal(sealed->end.summary.event_count, 2);
	assert_int_equal(sealed->end.ended, SEGMENT_ENDED_SIZE);
	assert_true(sealed->gtid_ranges_known);

	fixture_puller_leave(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_RESUME);
	assert_string_equal(attached.binlog_file, "bin.000001");
	assert_int_equal(attached.good_end, 204);
	assert_int_equal(attached.last_event_position, 104);
	assert_int_equal(attached.last_event_crc, 104);
}

static void after_a_rotate_pulling_goes_on_in_the_next_file(void **state)
{
	struct fixture *fixture = *state;
	struct attached attached;
	struct held held;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_ROTATE, "bin.000002");
	fixture_closed(fixture, &held);
	/* The next one is opened before the last is sealed, its puller dies before an event. */
	fixture_open(fixture, "bin.000002", 4, &held);
	held_release(&held);
	fixture_puller_leave(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_NEXT);
	assert_string_equal(attached.binlog_file, "bin.000001");
	assert_string_equal(attached.next_file, "bin.000002");
	assert_int_equal(attached.good_end, 104);
	assert_true(fixture_is_sealed(fixture));

	/* … and the same after a restart: the newest sealed segment holds no event. */
	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	fixture_start(fixture);
	attached = fixture_attach(fixture);
	assert_int_equal(attached.kind, ATTACHED_NEXT);
	assert_string_equal(attached.next_file, "bin.000002");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_new_archive_starts_pulling_from_the_configured_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_closed_segment_is_sealed_signed_and_resumed_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_rotate_pulling_goes_on_in_the_next_file,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
