#include "unit/cmocka_prelude.h"

#include "keeper/operator.h"
#include "keeper/status.h"
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

static json_t *status(struct fixture *fixture)
{
	json_t *reply = json_object();
	struct error err = {0};

	assert_ok(status_answer(fixture->keeper, NULL, NULL, reply, &err), &err);
	return reply;
}

static json_t *only_source(const json_t *reply)
{
	const json_t *sources = json_object_get(reply, "sources");

	assert_int_equal(json_array_size(sources), 1);
	return json_array_get(sources, 0);
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const char *text;
	struct error err = {0};

	assert_ok(json_get_string(object, key, &text, &err), &err);
	assert_string_equal(text, expected);
}

static bool has_progress(void *context)
{
	struct fixture *fixture = context;

	return fixture->keeper->sources[0]->has_progress &&
	       fixture->keeper->sources[0]->progress.good_end == 204;
}

static void without_a_puller_a_source_needs_attention(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	fixture_start(fixture);
	reply = status(fixture);
	assert_true(json_is_false(json_object_get(reply, "normal")));
	assert_text(only_source(reply), "state", "no puller");
	assert_text(json_object_get(reply, "keys"), "hsm", "away");
	json_decref(reply);
}

static void what_is_durable_is_covered_before_and_after_the_seal(void **state)
{
	struct fixture *fixture = *state;
	struct pull_status streaming = {.state = PULL_STREAMING, .server = "db1:3306"};
	struct error err = {0};
	struct held held;
	json_t *reply;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_ok(pull_status_send(fixture->puller, &streaming, &err), &err);
	fixture_open(fixture, "bin.000001", 4, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	fixture_progress(fixture, &held);
	assert_true(fixture_run_until(fixture, 5, has_progress, fixture));
	reply = status(fixture);
	assert_true(json_is_true(json_object_get(reply, "normal")));
	assert_text(only_source(reply), "state", "streaming");
	assert_text(only_source(reply), "server", "db1:3306");
	assert_text(json_object_get(only_source(reply), "covered"), "file", "bin.000001");
	assert_text(json_object_get(only_source(reply), "covered"), "position", "204");
	json_decref(reply);

	held_end(&held, SEGMENT_ENDED_SIZE, NULL);
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 5, fixture_is_sealed, fixture));
	reply = status(fixture);
	assert_text(json_object_get(only_source(reply), "covered"), "position", "204");
	assert_int_equal(json_array_size(json_object_get(only_source(reply), "segments")), 0);
	json_decref(reply);
}

static void what_a_puller_cannot_do_is_shown_with_its_sentence(void **state)
{
	struct fixture *fixture = *state;
	struct pull_status waiting = {
		.state = PULL_WAITING,
		.retry_usec = 5,
		.sentence = "db1 refused the login. Do: binvault source test orders",
	};
	struct error err = {0};
	json_t *reply;

	signer_start(&fixture->signer);
	fixture_start(fixture);
	fixture_attach(fixture);
	assert_ok(pull_status_send(fixture->puller, &waiting, &err), &err);
	fixture_run_until(fixture, 0, fixture_never, NULL);
	fixture_run_until(fixture, 1, fixture_never, NULL);
	reply = status(fixture);
	assert_true(json_is_false(json_object_get(reply, "normal")));
	assert_text(only_source(reply), "state", "waiting");
	assert_text(only_source(reply), "sentence", waiting.sentence);
	json_decref(reply);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_puller_a_source_needs_attention),
		TEST(what_is_durable_is_covered_before_and_after_the_seal),
		TEST(what_a_puller_cannot_do_is_shown_with_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
