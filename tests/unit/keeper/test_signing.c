/* Checkpoints, rollback, planted wraps, policy and space: what stops or names a state. */
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

static bool alarm_is_raised(void *context)
{
	struct fixture *fixture = context;

	return fixture->keeper->alarm_count > 0;
}

static void leaves_are_signed_in_one_checkpoint_a_second(void **state)
{
	struct fixture *fixture = *state;
	int before;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_signed, fixture));
	before = fixture->signer.sign_count;
	for (int i = 0; i < 20; i++) {
		const struct orphan_record orphan = {.path = "segments/x/2026-01/y.seg",
						     .reason = "for the test"};
		struct error err = {0};

		assert_ok(keeper_append(fixture->keeper, orphan_record_encode(&orphan), &err),
			  &err);
		fixture_run_until(fixture, 0, fixture_never, NULL);
	}
	assert_true(fixture_run_until(fixture, 5, fixture_is_signed, fixture));
	assert_in_range(fixture->signer.sign_count - before, 1, 2);
}

static void a_signature_that_was_lost_is_made_again(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size;
	struct hash root;

	fixture->signer.lose_signature = true;
	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 10, fixture_is_signed, fixture));
	store_checkpoint(fixture->keeper->store, &size, &root);
	assert_int_equal(size, store_tree(fixture->keeper->store)->size);
	assert_false(fixture->signer.lose_signature);
}

static void a_checkpoint_that_was_signed_and_not_appended_is_completed_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	/* The keeper dies between: nobody asks again before the next one. */
	fixture_start(fixture);
	fixture->signer.tree = *store_tree(fixture->keeper->store);
	fixture_stop(fixture);
	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_signed, fixture));
	fixture_stop(fixture);
	fixture_start(fixture);
	assert_int_equal(fixture_run_until(fixture, 1, fixture_never, NULL), false);
	assert_false(fixture->keeper->failed);
	assert_int_equal(err.code, 0);
}

static void an_archive_behind_what_was_signed_is_rolled_back(void **state)
{
	struct fixture *fixture = *state;
	struct hash leaf = {{1}};
	struct error err = {0};

	for (int i = 0; i < 10; i++)
		tree_append(&fixture->signer.tree, &leaf);
	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_false(fixture_run_until(fixture, 5, fixture_never, NULL));
	assert_fails(keeper_run(fixture->keeper, &err), &err, ERROR_DEFECT, "rolled back");
}

static void another_history_than_the_signed_one_is_a_fork(void **state)
{
	struct fixture *fixture = *state;
	struct hash leaf = {{1}};
	struct error err = {0};

	tree_append(&fixture->signer.tree, &leaf);
	fixture_start(fixture); /* without the signer: the config leaf is another */
	signer_start(&fixture->signer);
	assert_false(fixture_run_until(fixture, 10, fixture_never, NULL));
	assert_fails(keeper_run(fixture->keeper, &err), &err, ERROR_DEFECT, "fork");
}

static void a_lost_hsm_state_is_named_and_ingest_goes_on(void **state)
{
	struct fixture *fixture = *state;

	fixture->signer.forget = true;
	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, alarm_is_raised, fixture));
	assert_non_null(fixture_alarm(fixture, "hsm state lost"));
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
}

static void a_planted_period_is_found_when_it_is_unwrapped(void **state)
{
	struct fixture *fixture = *state;
	struct period_record record;
	const struct period_record *good;
	const struct secret *key;
	struct error err = {0};

	fixture_start(fixture);
	assert_ok(periods_current(fixture->keeper->periods, "orders", "default", &good, &key, &err),
		  &err);
	/* Somebody else's record around a wrap that the HSM does unwrap. */
	record = *good;
	record.id[0] ^= 1;
	assert_ok(keeper_append(fixture->keeper, period_record_encode(&record), &err), &err);
	fixture_stop(fixture);
	signer_start(&fixture->signer);
	fixture_start(fixture);
	assert_true(fixture_run_until(fixture, 5, alarm_is_raised, fixture));
	assert_non_null(fixture_alarm(fixture, "wrap wrong"));
	assert_non_null(strstr(fixture_alarm(fixture, "wrap wrong")->sentence, "binvault verify"));
	/* New segments do not use it. */
	assert_ok(periods_current(fixture->keeper->periods, "orders", "default", &good, &key, &err),
		  &err);
	assert_memory_not_equal(good->id, record.id, STORE_ID_SIZE);
}

static void a_volume_without_room_gives_no_segment(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture->config->reserve = UINT64_C(60) << 40;
	fixture_attach(fixture);
	fixture_ask(fixture, "bin.000001", 4);
	assert_fails(message_expect(&fixture->message, MESSAGE_SEGMENT_OPENED, &err), &err,
		     ERROR_NO_SPACE, "is the reserve");
	assert_non_null(fixture_alarm(fixture, "volume full"));
	fixture->config->reserve = UINT64_C(16) << 20;
	fixture_ask(fixture, "bin.000001", 4);
	assert_ok(message_expect(&fixture->message, MESSAGE_SEGMENT_OPENED, &err), &err);
	message_release(&fixture->message);
	assert_null(fixture_alarm(fixture, "volume full"));
}

static void a_volume_without_room_is_told_of_before_anybody_asks(void **state)
{
	struct fixture *fixture = *state;

	fixture->config->reserve = UINT64_C(60) << 40;
	fixture_start(fixture);
	assert_non_null(fixture_alarm(fixture, "volume full"));
}

static void a_second_puller_of_a_source_is_turned_away(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	int first;

	fixture_start(fixture);
	fixture_puller_connect(fixture);
	first = fixture->puller;
	{
		char path[CONFIG_SOCKET_PATH_SIZE];

		assert_ok(config_socket_pull(fixture->config, "orders", path, &err), &err);
		fixture->puller = channel_connect(path, &err);
	}
	fixture_receive(fixture, 5);
	assert_fails(message_expect(&fixture->message, MESSAGE_HELLO, &err), &err, ERROR_BUSY,
		     "another puller of source orders is connected");
	close(first);
}

static void a_message_out_of_place_ends_the_conversation_only(void **state)
{
	struct fixture *fixture = *state;
	struct open_segment request = {.start_position = 4};
	struct error err = {0};

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_puller_connect(fixture);
	snprintf(request.binlog_file, sizeof(request.binlog_file), "bin.000001");
	assert_ok(open_segment_send(fixture->puller, &request, &err), &err);
	assert_true(fixture_run_until(fixture, 5, fixture_readable, &fixture->puller));
	assert_int_equal(message_receive(fixture->puller, &fixture->message, &err), 0);
	fixture_puller_leave(fixture);
	assert_int_equal(fixture_attach(fixture).kind, ATTACHED_START);
}

static bool puller_is_gone(void *context)
{
	struct fixture *fixture = context;

	return fixture->keeper->sources[0]->fd < 0;
}

static void progress_beyond_what_the_file_can_hold_ends_the_conversation(void **state)
{
	struct fixture *fixture = *state;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	for (int lie = 0; lie < 2; lie++) {
		struct held held;

		fixture_attach(fixture);
		fixture_open(fixture, "bin.000001", 4, &held);
		held_event(&held, 0);
		if (lie == 0)
			held.sequence++; /* a frame that is not written */
		else
			held.position += 2 << 20; /* more bytes than two frames hold */
		fixture_progress(fixture, &held);
		assert_true(fixture_run_until(fixture, 5, puller_is_gone, fixture));
		assert_false(fixture->keeper->sources[0]->has_progress);
		held_release(&held);
		fixture_puller_leave(fixture);
	}
}

static void bytes_that_were_durable_and_are_not_sealed_raise_an_alarm(void **state)
{
	struct fixture *fixture = *state;
	const struct keeper_alarm *alarm;
	struct held held;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held.position += 100; /* not so */
	fixture_progress(fixture, &held);
	held_release(&held);
	fixture_puller_leave(fixture);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	alarm = fixture_alarm(fixture, "bytes of orders lost");
	assert_non_null(alarm);
	assert_non_null(strstr(alarm->sentence, "to position 204 and is sealed to 104"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(leaves_are_signed_in_one_checkpoint_a_second),
		TEST(a_signature_that_was_lost_is_made_again),
		TEST(a_checkpoint_that_was_signed_and_not_appended_is_completed_after_a_restart),
		TEST(an_archive_behind_what_was_signed_is_rolled_back),
		TEST(another_history_than_the_signed_one_is_a_fork),
		TEST(a_lost_hsm_state_is_named_and_ingest_goes_on),
		TEST(a_planted_period_is_found_when_it_is_unwrapped),
		TEST(a_volume_without_room_gives_no_segment),
		TEST(a_volume_without_room_is_told_of_before_anybody_asks),
		TEST(a_second_puller_of_a_source_is_turned_away),
		TEST(progress_beyond_what_the_file_can_hold_ends_the_conversation),
		TEST(bytes_that_were_durable_and_are_not_sealed_raise_an_alarm),
		TEST(a_message_out_of_place_ends_the_conversation_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
