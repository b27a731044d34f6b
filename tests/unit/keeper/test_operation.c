#include "unit/cmocka_prelude.h"

#include "keeper/operator.h"
#include "keeper/gap.h"
#include "keeper/pause.h"
#include "keeper/quota.h"
#include "keeper/status.h"
#include "protocol/observed.h"
#include "unit/keeper/keeper_fixture.h"

#define HOUR (3600 * USEC_PER_SEC)

static const struct operator_caller caller = {.uid = 7, .gid = 8, .may_operate = true};

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

static struct source *source(struct fixture *fixture)
{
	return fixture->keeper->sources[0];
}

/* A verb's answer: its code, and the sentence in @err. */
typedef int verb(struct keeper *keeper, const struct operator_caller *caller, const json_t *request,
		 json_t *reply, struct error *err);

static int ask(struct fixture *fixture, verb *answer, const char *reason, struct error *err)
{
	json_t *request = json_object(), *reply = json_object();
	int r;

	json_put_string(request, "source", "orders");
	if (reason)
		json_put_string(request, "reason", reason);
	r = answer(fixture->keeper, &caller, request, reply, err);
	json_decref(request);
	json_decref(reply);
	return r;
}

static json_t *status(struct fixture *fixture)
{
	json_t *reply = json_object(), *only;
	struct error err = {0};

	assert_ok(status_answer(fixture->keeper, NULL, NULL, reply, &err), &err);
	only = json_incref(json_array_get(json_object_get(reply, "sources"), 0));
	json_decref(reply);
	return only;
}

static uint64_t number(const json_t *object, const char *key)
{
	uint64_t value = 0;
	struct error err = {0};

	assert_ok(json_get_u64(object, key, &value, &err), &err);
	return value;
}

/* Until the keeper has read what was sent to it before. */
static bool covered_to(void *context)
{
	struct fixture *fixture = context;
	char file[BINLOG_NAME_MAX + 1];
	uint64_t position;

	return coverage_place(source(fixture), file, &position) && position >= 204;
}

static bool is_observed(void *context)
{
	struct fixture *fixture = context;

	return source(fixture)->coverage.report != NULL;
}

static void archive_two_events(struct fixture *fixture, struct held *held)
{
	fixture_open(fixture, "bin.000002", 4, held);
	held_event(held, 0);
	held_event(held, 0);
	fixture_progress(fixture, held);
	assert_true(fixture_run_until(fixture, 5, covered_to, fixture));
}

/* --- pause ----------------------------------------------------------------------------------- */

static void a_pause_reaches_the_puller_and_lasts_over_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	json_t *only;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_PULL);
	assert_fails(ask(fixture, pause_answer_pause, "", &err), &err, ERROR_USAGE,
		     "a reason is missing");
	assert_fails(ask(fixture, pause_answer_resume, NULL, &err), &err, ERROR_USAGE,
		     "source 'orders' is not paused");
	assert_ok(ask(fixture, pause_answer_pause, "the server moves", &err), &err);
	fixture_receive_any(fixture, 5);
	fixture_take_control(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_PAUSE);
	assert_non_null(strstr(fixture->control.sentence, "by user 7: the server moves. Do: "));
	assert_fails(ask(fixture, pause_answer_pause, "again", &err), &err, ERROR_EXISTS,
		     "paused already, by user 7: the server moves");

	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_PAUSE);
	only = status(fixture);
	assert_false(json_is_true(json_object_get(only, "normal")));
	assert_int_equal(number(json_object_get(only, "paused"), "uid"), 7);
	json_decref(only);
	assert_ok(ask(fixture, pause_answer_resume, NULL, &err), &err);
	fixture_receive_any(fixture, 5);
	fixture_take_control(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_PULL);
	only = status(fixture);
	assert_null(json_object_get(only, "paused"));
	json_decref(only);
}

/* --- gaps ------------------------------------------------------------------------------------ */

static void begin_with_gap(struct fixture *fixture, uint8_t number, uint64_t gap_count)
{
	const struct generation_record record = {.source = "orders",
						 .generation = {{0xab, number}},
						 .before = {{number}},
						 .reason = GENERATION_RESET,
						 .binlog_file = "bin.000001",
						 .after_file = "bin.000002",
						 .gap = true,
						 .gap_count = gap_count,
						 .sentence = "the server was reset"};
	struct error err = {0};

	assert_ok(keeper_append(fixture->keeper, generation_record_encode(&record), &err), &err);
}

static int accept_gap(struct fixture *fixture, const char *generation, const char *reason,
		      struct error *err)
{
	json_t *request = json_object(), *reply = json_object();
	int r;

	json_put_string(request, "source", "orders");
	if (generation)
		json_put_string(request, "generation", generation);
	json_put_string(request, "reason", reason);
	r = gap_answer_accept(fixture->keeper, &caller, request, reply, err);
	if (r == 0)
		assert_string_equal(json_string_value(json_object_get(reply, "sentence")),
				    "the server was reset");
	json_decref(request);
	json_decref(reply);
	return r;
}

static void expect_gaps(struct fixture *fixture, uint64_t count, uint64_t open)
{
	json_t *only = status(fixture), *accepted = json_object_get(only, "gaps_accepted");

	assert_int_equal(number(only, "gaps"), count);
	assert_int_equal(number(only, "gaps_open"), open);
	assert_int_equal(json_array_size(accepted), count - open);
	assert_int_equal(gap_needs_attention(source(fixture)), open > 0);
	json_decref(only);
}

static void a_gap_needs_attention_until_a_person_has_accepted_it(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	json_t *only, *accepted;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	expect_gaps(fixture, 0, 0);
	assert_fails(accept_gap(fixture, "ab", "why", &err), &err, ERROR_NOT_FOUND,
		     "no generation ab of source 'orders' begins with a gap. Do: binvault list");
	begin_with_gap(fixture, 1, 1);
	begin_with_gap(fixture, 2, 2);
	expect_gaps(fixture, 2, 2);
	assert_fails(accept_gap(fixture, NULL, "why", &err), &err, ERROR_USAGE, "generation");
	assert_fails(accept_gap(fixture, "", "why", &err), &err, ERROR_USAGE, "is no generation");
	assert_fails(accept_gap(fixture, "AB", "why", &err), &err, ERROR_USAGE, "is no generation");
	assert_fails(accept_gap(fixture, "ab01", "", &err), &err, ERROR_USAGE,
		     "a reason is missing");
	assert_fails(accept_gap(fixture, "ab", "why", &err), &err, ERROR_USAGE,
		     "2 generations of source 'orders' that begin with a gap have the digits ab");
	assert_ok(accept_gap(fixture, "ab01", "the test data was made anew", &err), &err);
	expect_gaps(fixture, 2, 1);
	assert_fails(accept_gap(fixture, "ab01", "again", &err), &err, ERROR_EXISTS,
		     "by user 7: the test data was made anew: a gap is accepted once");

	fixture_stop(fixture);
	fixture_start(fixture);
	expect_gaps(fixture, 2, 1);
	assert_ok(accept_gap(fixture, "ab02", "and again", &err), &err);
	expect_gaps(fixture, 2, 0);
	only = status(fixture);
	accepted = json_array_get(json_object_get(only, "gaps_accepted"), 0);
	assert_int_equal(number(accepted, "uid"), 7);
	assert_string_equal(json_string_value(json_object_get(accepted, "reason")),
			    "the test data was made anew");
	assert_string_equal(json_string_value(json_object_get(accepted, "sentence")),
			    "the server was reset");
	json_decref(only);
	begin_with_gap(fixture, 3, 3);
	expect_gaps(fixture, 3, 1);
}

static void an_unknown_source_cannot_be_paused(void **state)
{
	struct fixture *fixture = *state;
	json_t *request = json_object(), *reply = json_object();
	struct error err = {0};

	fixture_start(fixture);
	json_put_string(request, "source", "nobody");
	json_put_string(request, "reason", "why");
	assert_fails(pause_answer_pause(fixture->keeper, &caller, request, reply, &err), &err,
		     ERROR_NOT_FOUND, "there is no source 'nobody'");
	json_decref(request);
	json_decref(reply);
}

/* --- quota ----------------------------------------------------------------------------------- */

static void the_bytes_of_a_day_are_counted_over_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct held held;

	fixture_config(fixture, "max-bytes-per-day = 200\n");
	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_PULL);
	archive_two_events(fixture, &held);
	fixture_receive_any(fixture, 5);
	fixture_take_control(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_LIMIT);
	assert_non_null(strstr(fixture->control.sentence, "max-bytes-per-day = 200 B is used up"));
	assert_int_equal(fixture->control.until_usec % (24 * HOUR), 0);
	assert_true(fixture->control.until_usec > clock_realtime_usec());
	held_end(&held, SEGMENT_ENDED_SHUTDOWN, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 10, fixture_is_sealed, fixture));
	assert_int_equal(quota_used(source(fixture), clock_realtime_usec()), 200);

	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	fixture_start(fixture);
	assert_int_equal(quota_used(source(fixture), clock_realtime_usec()), 200);
	fixture_attach(fixture);
	assert_int_equal(fixture->control.kind, CONTROL_LIMIT);
	/* Whoever asks nevertheless gets nothing. */
	fixture_ask(fixture, "bin.000002", 204);
	assert_fails(message_expect(&fixture->message, MESSAGE_SEGMENT_OPENED, &err), &err,
		     ERROR_NO_SPACE, "max-bytes-per-day = 200 B is used up: 200 B of today");
}

static void the_segments_of_an_hour_are_counted_where_they_are_opened(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct held held;

	fixture_config(fixture, "max-segments-per-hour = 1\n");
	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	archive_two_events(fixture, &held);
	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 10, fixture_is_sealed, fixture));
	assert_int_equal(fixture->control.kind, CONTROL_PULL);
	fixture_ask(fixture, "bin.000002", 204);
	assert_fails(message_expect(&fixture->message, MESSAGE_SEGMENT_OPENED, &err), &err,
		     ERROR_NO_SPACE, "max-segments-per-hour = 1 is used up");
	assert_int_equal(fixture->control.kind, CONTROL_LIMIT);
	assert_int_equal(fixture->control.until_usec % HOUR, 0);
}

static void a_limit_ends_with_its_day_and_its_hour(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t now = 500000 * HOUR + 17; /* some hour */
	struct control control;
	struct error err = {0};

	fixture_config(fixture, "max-segments-per-hour = 2\nmax-bytes-per-day = 1000\n");
	fixture_start(fixture);
	quota_opened(source(fixture), now);
	assert_ok(quota_check(source(fixture), now, &err), &err);
	quota_opened(source(fixture), now);
	assert_fails(quota_check(source(fixture), now, &err), &err, ERROR_NO_SPACE, "per-hour = 2");
	assert_true(quota_control(source(fixture), now, &control));
	assert_int_equal(control.until_usec, 500001 * HOUR);
	assert_false(quota_control(source(fixture), control.until_usec, &control));
	assert_ok(quota_check(source(fixture), now + HOUR, &err), &err);

	quota_sealed(source(fixture), 999, now + HOUR);
	assert_false(quota_control(source(fixture), now + HOUR, &control));
	quota_sealed(source(fixture), 1, now + HOUR);
	assert_true(quota_control(source(fixture), now + HOUR, &control));
	assert_int_equal(control.until_usec % (24 * HOUR), 0);
	assert_false(quota_control(source(fixture), control.until_usec, &control));
}

/* --- coverage -------------------------------------------------------------------------------- */

/* bin.000001 to bin.000003, of 1000 bytes each. */
static void send_observed(struct fixture *fixture, struct observed *observed)
{
	struct observed_file file = {.name = "bin.000000", .size = 1000};
	uint8_t list[3 * OBSERVED_FILE_SIZE_MAX];
	struct error err = {0};
	size_t size = 0;
	int fd;

	for (unsigned i = 1; i <= 3; i++) {
		file.name[9] = (char)('0' + i);
		size += observed_file_encode(&file, list + size);
	}
	observed->file_count = 3;
	fd = channel_body_new(list, size, &err);
	assert_ok(fd, &err);
	assert_ok(observed_send(fixture->puller, observed, fd, &err), &err);
	close(fd);
	assert_true(fixture_run_until(fixture, 5, is_observed, fixture));
}

static void what_the_server_lists_shows_how_far_it_is_ahead(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = clock_realtime_usec();
	struct observed observed = {
		.observed_usec = now,
		.server_usec = now,
		.server = "db1:3306",
		.expire_usec = 48 * HOUR,
		.given_file = "bin.000002",
		.given_position = 204,
		.given_gtids = "0-11-5",
		.gtids = "0-11-7",
	};
	struct held held;
	json_t *only;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	archive_two_events(fixture, &held);
	send_observed(fixture, &observed);
	coverage_caught_up(source(fixture), now - HOUR);
	only = status(fixture);
	assert_int_equal(number(only, "behind"), 1796);
	assert_true(number(only, "behind_usec") >= HOUR);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(only, "covered"), "gtids")),
		"0-11-5");
	/* Longer than maximum-uncovered, and it says why. */
	assert_int_equal(number(only, "missed_since"), now - HOUR);
	assert_non_null(strstr(json_string_value(json_object_get(only, "sentence")), "KiB ahead"));
	assert_false(json_is_true(json_object_get(only, "normal")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(only, "purge"), "file")),
		"bin.000002");
	assert_true(number(json_object_get(only, "purge"), "usec") <= 47 * HOUR);
	assert_true(number(json_object_get(only, "purge"), "usec") > 46 * HOUR);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(only, "observed"), "gtids")),
		"0-11-7");
	json_decref(only);
	held_release(&held);
}

static void what_was_listed_and_is_durable_now_is_covered(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = clock_realtime_usec();
	struct observed observed = {
		.observed_usec = now - HOUR,
		.given_file = "bin.000003",
		.given_position = 1005, /* not durable yet */
		.given_gtids = "0-11-5",
	};
	struct held held;
	json_t *only;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	send_observed(fixture, &observed);
	fixture_open(fixture, "bin.000003", 4, &held);
	for (int i = 0; i < 10; i++)
		held_event(&held, 0);
	fixture_progress(fixture, &held);
	assert_true(fixture_run_until(fixture, 5, covered_to, fixture));
	assert_int_equal(source(fixture)->coverage.until_usec, now - HOUR);
	only = status(fixture);
	assert_int_equal(number(only, "behind"), 0);
	assert_null(json_object_get(json_object_get(only, "covered"), "gtids"));
	/* Only the file that is being written could be missing, and that is never purged. */
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(only, "purge"), "file")), "");
	assert_null(json_object_get(json_object_get(only, "purge"), "usec"));
	json_decref(only);
	held_release(&held);
}

static void a_report_that_saw_nothing_leaves_the_last_one_and_a_warning(void **state)
{
	struct fixture *fixture = *state;
	struct observed observed = {.observed_usec = 5};
	struct observed nothing = {.observed_usec = 6, .sentence = "the login was refused"};
	struct error err = {0};
	json_t *only, *seen;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	send_observed(fixture, &observed);
	assert_ok(observed_send(fixture->puller, &nothing, -1, &err), &err);
	fixture_run_until(fixture, 1, fixture_never, NULL);
	only = status(fixture);
	seen = json_object_get(only, "observed");
	assert_int_equal(number(seen, "time"), 5);
	assert_int_equal(number(seen, "failed"), 6);
	assert_string_equal(json_string_value(json_object_get(seen, "sentence")),
			    "the login was refused");
	assert_true(json_is_true(json_object_get(only, "normal")));
	json_decref(only);
}

static void a_list_that_lies_about_its_length_ends_the_conversation(void **state)
{
	struct fixture *fixture = *state;
	struct observed observed = {.file_count = 9};
	struct error err = {0};
	int fd;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	fd = channel_body_new("nothing", 7, &err);
	assert_ok(fd, &err);
	assert_ok(observed_send(fixture->puller, &observed, fd, &err), &err);
	close(fd);
	assert_true(fixture_run_until(fixture, 5, fixture_readable, &fixture->puller));
	assert_int_equal(message_receive(fixture->puller, &fixture->message, &err), 0);
	assert_int_equal(source(fixture)->stage, SOURCE_AWAY);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_pause_reaches_the_puller_and_lasts_over_a_restart),
		TEST(a_gap_needs_attention_until_a_person_has_accepted_it),
		TEST(an_unknown_source_cannot_be_paused),
		TEST(the_bytes_of_a_day_are_counted_over_a_restart),
		TEST(the_segments_of_an_hour_are_counted_where_they_are_opened),
		TEST(a_limit_ends_with_its_day_and_its_hour),
		TEST(what_the_server_lists_shows_how_far_it_is_ahead),
		TEST(what_was_listed_and_is_durable_now_is_covered),
		TEST(a_report_that_saw_nothing_leaves_the_last_one_and_a_warning),
		TEST(a_list_that_lies_about_its_length_ends_the_conversation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
