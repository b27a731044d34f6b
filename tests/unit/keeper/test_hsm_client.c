#include "unit/cmocka_prelude.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/units.h"
#include "io/clock.h"
#include "keeper/hsm_client.h"
#include "unit/keeper/signer_fixture.h"

struct fixture {
	char directory[64];
	struct signer signer;
	struct loop *loop;
	struct hsm_client *client;
	int connected, lost;
	bool refuse;

	int answers, errors; /* of requests */
	struct error last;
	struct loop_timer timer;
	uint64_t until_usec;
	int *awaited, wanted;
};

static int on_connected(void *context, const struct hsm_signed_state *state, struct error *err)
{
	struct fixture *fixture = context;

	(void)state;
	fixture->connected++;
	return fixture->refuse ? error_set(err, ERROR_DEFECT, "not this one") : 0;
}

static void on_lost(void *context, const struct error *reason)
{
	struct fixture *fixture = context;

	(void)reason;
	fixture->lost++;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct hello hello = {.program = "binvault-keeper", .version = "test"};
	struct hsm_client_options options = {
		.hello = &hello,
		.connected = on_connected,
		.lost = on_lost,
		.context = fixture,
	};
	struct error err = {0};
	char path[100];

	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/binvault-client.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(path, sizeof(path), "%s/hsm.sock", fixture->directory);
	signer_init(&fixture->signer, path);
	options.socket = fixture->signer.socket;
	fixture->signer.stored = true;
	assert_ok(loop_new(&fixture->loop, &err), &err);
	assert_ok(hsm_client_new(fixture->loop, &options, &fixture->client, &err), &err);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hsm_client_free(fixture->client);
	loop_timer_clear(fixture->loop, &fixture->timer);
	loop_free(fixture->loop);
	signer_release(&fixture->signer);
	rmdir(fixture->directory);
	free(fixture);
	return 0;
}

static void look(void *context)
{
	struct fixture *fixture = context;

	if (*fixture->awaited >= fixture->wanted || clock_monotonic_usec() > fixture->until_usec)
		loop_stop(fixture->loop);
	else
		loop_timer_set(fixture->loop, &fixture->timer, 2000, look, fixture);
}

/* Run until the counter has reached this value; false after ten seconds. */
static bool run_until(struct fixture *fixture, int *counter, int wanted)
{
	struct error err = {0};

	fixture->awaited = counter;
	fixture->wanted = wanted;
	fixture->until_usec = clock_monotonic_usec() + 10 * USEC_PER_SEC;
	loop_timer_set(fixture->loop, &fixture->timer, 0, look, fixture);
	assert_ok(loop_run(fixture->loop, &err), &err);
	return *counter >= wanted;
}

/* Only what is ready. */
static void run_until_now(struct fixture *fixture, int *counter)
{
	struct error err = {0};

	fixture->awaited = counter;
	fixture->wanted = 1;
	fixture->until_usec = clock_monotonic_usec() + 5 * USEC_PER_MSEC;
	loop_timer_set(fixture->loop, &fixture->timer, 0, look, fixture);
	assert_ok(loop_run(fixture->loop, &err), &err);
}

static void on_signed(void *owner, const struct hsm_signature *answer, const struct error *reason)
{
	struct fixture *fixture = owner;

	fixture->answers += answer != NULL;
	fixture->errors += answer == NULL;
	if (reason)
		fixture->last = *reason;
}

static void sign(struct fixture *fixture, uint64_t from_size)
{
	static struct hsm_sign_checkpoint request;
	struct tree empty = {0};

	memset(&request, 0, sizeof(request));
	snprintf(request.origin, sizeof(request.origin), "binvault/test");
	request.from_size = from_size;
	tree_root(&empty, &request.from_root);
	request.leaf_count = from_size == 0 ? 1 : 0;
	hsm_client_sign_checkpoint(fixture->client, &request, on_signed, fixture);
}

static void requests_wait_until_the_hsm_is_there(void **state)
{
	struct fixture *fixture = *state;

	sign(fixture, 0);
	assert_false(hsm_client_connected(fixture->client));
	assert_string_not_equal(hsm_client_sentence(fixture->client), "");
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->answers, 1));
	assert_true(hsm_client_connected(fixture->client));
	assert_string_equal(hsm_client_sentence(fixture->client), "");
}

static void what_the_hsm_refuses_is_told_and_the_connection_stays(void **state)
{
	struct fixture *fixture = *state;

	signer_start(&fixture->signer);
	sign(fixture, 77);
	assert_true(run_until(fixture, &fixture->errors, 1));
	assert_int_equal(fixture->last.code, ERROR_REFUSED);
	assert_int_equal(fixture->lost, 0);
	sign(fixture, 0);
	assert_true(run_until(fixture, &fixture->answers, 1));
}

static void it_connects_again_after_the_hsm_has_ended(void **state)
{
	struct fixture *fixture = *state;

	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->connected, 1));
	signer_stop(&fixture->signer);
	assert_true(run_until(fixture, &fixture->lost, 1));
	sign(fixture, 0);
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->answers, 1));
	assert_int_equal(fixture->connected, 2);
}

static void a_cancelled_request_is_never_answered(void **state)
{
	struct fixture *fixture = *state;

	sign(fixture, 77);
	sign(fixture, 77);
	hsm_client_cancel(fixture->client, fixture);
	sign(fixture, 0);
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->answers, 1));
	assert_int_equal(fixture->errors, 0);
}

static void a_request_that_ends_the_hsm_each_time_is_given_up(void **state)
{
	struct fixture *fixture = *state;

	/* With a stored state of another size than asked for it answers; so make it vanish. */
	fixture->signer.lose_memory = true;
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->connected, 1));
	for (int i = 0; i < 6 && fixture->errors == 0; i++) {
		fixture->signer.lose_signature = true;
		if (i == 0)
			sign(fixture, 0);
		run_until(fixture, &fixture->lost, i + 1);
	}
	assert_int_equal(fixture->errors, 1);
	assert_int_equal(fixture->answers, 0);
	assert_int_equal(fixture->lost, 5);
}

static void a_refused_connection_is_tried_again_later(void **state)
{
	struct fixture *fixture = *state;

	fixture->refuse = true;
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->connected, 2));
	assert_int_equal(fixture->lost, 0);
	assert_string_equal(hsm_client_sentence(fixture->client), "not this one");
	fixture->refuse = false;
	sign(fixture, 0);
	assert_true(run_until(fixture, &fixture->answers, 1));
}

static void what_the_hsm_said_before_it_ended_stays_its_sentence(void **state)
{
	struct fixture *fixture = *state;
	int ticks = 0;

	fixture->signer.refusal = "the token is not there";
	signer_start(&fixture->signer);
	for (int i = 0; i < 50 && !strstr(hsm_client_sentence(fixture->client), "token"); i++) {
		usleep(20000);
		run_until_now(fixture, &ticks);
	}
	signer_stop(&fixture->signer);
	for (int i = 0; i < 20; i++) {
		usleep(20000);
		run_until_now(fixture, &ticks);
	}
	assert_string_equal(hsm_client_sentence(fixture->client), "the token is not there");
	fixture->signer.refusal = NULL;
	signer_start(&fixture->signer);
	assert_true(run_until(fixture, &fixture->connected, 1));
	assert_string_equal(hsm_client_sentence(fixture->client), "");
}

static void the_queue_has_an_end(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < HSM_CLIENT_QUEUE_MAX; i++)
		sign(fixture, 0);
	assert_int_equal(fixture->errors, 0);
	sign(fixture, 0);
	assert_int_equal(fixture->errors, 1);
	assert_int_equal(fixture->last.code, ERROR_UNAVAILABLE);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(requests_wait_until_the_hsm_is_there),
		TEST(what_the_hsm_refuses_is_told_and_the_connection_stays),
		TEST(it_connects_again_after_the_hsm_has_ended),
		TEST(a_cancelled_request_is_never_answered),
		TEST(a_request_that_ends_the_hsm_each_time_is_given_up),
		TEST(a_refused_connection_is_tried_again_later),
		TEST(what_the_hsm_said_before_it_ended_stays_its_sentence),
		TEST(the_queue_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
