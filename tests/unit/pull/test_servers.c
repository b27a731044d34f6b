#include "unit/cmocka_prelude.h"

#include <string.h>

#include "base/checked.h"
#include "base/units.h"
#include "pull/servers.h"

static struct config_source source = {
	.servers = {{(char *)"db7", 3306}, {(char *)"db8", 3307}, {(char *)"db9", 3308}},
	.server_count = 3,
};

static void lose(struct servers *servers, int code, const char *sentence, uint64_t sec)
{
	const struct servers_now now = {sec * USEC_PER_SEC, (sec + 1000) * USEC_PER_SEC, 0};

	servers_failed(servers, code, sentence, &now);
}

static void the_next_server_is_tried_at_once_and_then_whose_time_comes_first(void **state)
{
	struct servers servers;

	(void)state;
	source.server_count = 3;
	servers_init(&servers, &source, 0);
	assert_int_equal(servers.index, 0);
	lose(&servers, ERROR_REFUSED, "a", 100);
	assert_int_equal(servers.index, 1);
	assert_int_equal(servers_try_usec(&servers), 0);
	lose(&servers, ERROR_UNAVAILABLE, "b", 100);
	assert_int_equal(servers.index, 2);
	lose(&servers, ERROR_REFUSED, "c", 100);
	/* db8 alone failed in a way that passes: it is next, and soon. */
	assert_int_equal(servers.index, 1);
	assert_int_equal(servers_try_usec(&servers), 100 * USEC_PER_SEC + 100 * USEC_PER_MSEC);
	assert_int_equal(servers.retry_usec, 1100 * USEC_PER_SEC + 100 * USEC_PER_MSEC);
}

static void a_server_that_works_is_kept_and_has_one_more_try(void **state)
{
	struct servers servers;

	(void)state;
	source.server_count = 3;
	servers_init(&servers, &source, 0);
	lose(&servers, ERROR_REFUSED, "a", 100);
	servers_worked(&servers);
	servers_steady(&servers);
	assert_int_equal(servers.index, 1);
	lose(&servers, ERROR_CLOSED, "cut", 200);
	assert_int_equal(servers.index, 1);
	lose(&servers, ERROR_UNAVAILABLE, "down", 201);
	assert_int_equal(servers.index, 2);
	/* Who refuses us has no more to say. */
	servers_worked(&servers);
	servers_steady(&servers);
	lose(&servers, ERROR_REFUSED, "no", 300);
	assert_int_not_equal(servers.index, 2);
}

static void a_stream_that_never_lasts_backs_off_at_each_server(void **state)
{
	struct servers servers;
	uint64_t last = 0;

	(void)state;
	source.server_count = 2;
	servers_init(&servers, &source, 0);
	for (uint64_t i = 0; i < 40; i++) {
		const struct servers_now now = {MAX(servers_try_usec(&servers), last), 0,
						UINT64_MAX / 2};

		last = now.monotonic_usec;
		servers_worked(&servers);
		servers_failed(&servers, ERROR_CLOSED, "cut", &now);
	}
	assert_true(last > 10 * USEC_PER_SEC);
}

static void a_server_whose_history_changes_is_asked_again_itself(void **state)
{
	const struct servers_now now = {150 * USEC_PER_SEC, 0, 0};
	struct servers servers;

	(void)state;
	source.server_count = 2;
	servers_init(&servers, &source, 0);
	servers_stay(&servers, "diverged", 170 * USEC_PER_SEC, &now);
	assert_int_equal(servers.index, 0);
	assert_int_equal(servers_try_usec(&servers), 170 * USEC_PER_SEC);
	assert_int_equal(servers.retry_usec, 20 * USEC_PER_SEC);
}

static void what_is_told_joins_the_sentences(void **state)
{
	struct pull_status status;
	struct servers servers;
	char large[MESSAGE_SENTENCE_SIZE];

	(void)state;
	source.server_count = 2;
	servers_init(&servers, &source, 0);
	assert_false(servers_status(&servers, &status));
	lose(&servers, ERROR_REFUSED, "db7:3306 refused the login (1045)", 100);
	assert_true(servers_status(&servers, &status));
	assert_int_equal(status.state, PULL_WAITING); /* for db8 */
	assert_string_equal(status.sentence, "db7:3306 refused the login (1045)");
	lose(&servers, ERROR_REFUSED, "it has log_bin=OFF", 100);
	assert_true(servers_status(&servers, &status));
	assert_int_equal(status.state, PULL_REFUSED);
	assert_string_equal(status.sentence,
			    "db7:3306 refused the login (1045); db8:3307: it has log_bin=OFF");
	assert_true(status.retry_usec > 1100 * USEC_PER_SEC);
	/* Each has half of the room, and what the other one leaves. */
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	servers.index = 1;
	lose(&servers, ERROR_REFUSED, large, 100);
	assert_true(servers_status(&servers, &status));
	assert_int_equal(strlen(status.sentence), MESSAGE_SENTENCE_SIZE - 1);
	assert_non_null(strstr(status.sentence, "(1045); db8:3307: xxx"));
	assert_string_equal(status.sentence + MESSAGE_SENTENCE_SIZE - 5, "x...");
	/* The same words once. */
	servers.index = 0;
	lose(&servers, ERROR_USAGE, "tls-ca cannot be read", 100);
	servers.index = 1;
	lose(&servers, ERROR_USAGE, "tls-ca cannot be read", 100);
	assert_true(servers_status(&servers, &status));
	assert_string_equal(status.sentence, "db7:3306: tls-ca cannot be read");
	servers.index = 1;
	servers_worked(&servers);
	assert_false(servers_status(&servers, &status));
}

static void one_server_is_told_without_its_name(void **state)
{
	struct pull_status status;
	struct servers servers;

	(void)state;
	source.server_count = 1;
	servers_init(&servers, &source, 0);
	lose(&servers, ERROR_EXISTS, "server-id 1 is used", 100);
	assert_true(servers_status(&servers, &status));
	assert_string_equal(status.sentence, "server-id 1 is used");
	assert_int_equal(status.state, PULL_REFUSED);
	assert_true(servers_try_usec(&servers) >= 3700 * USEC_PER_SEC);
	servers_forgive(&servers, 200 * USEC_PER_SEC);
	assert_int_equal(servers_try_usec(&servers), 200 * USEC_PER_SEC);
}

static void another_server_goes_on_only_after_a_round_and_a_while(void **state)
{
	struct config_source group = {.server_count = 2, .failover_usec = 15 * USEC_PER_SEC};
	struct servers_now now = {.monotonic_usec = 100 * USEC_PER_SEC, .realtime_usec = 1};
	char first[] = "db1", second[] = "db2";
	struct servers servers;

	(void)state;
	group.servers[0] = (struct config_server){first, 3306};
	group.servers[1] = (struct config_server){second, 3306};
	servers_init(&servers, &group, now.monotonic_usec);
	servers_failed(&servers, ERROR_UNAVAILABLE, "it is down", &now);
	assert_string_equal(servers_current(&servers)->host, "db2");
	now.monotonic_usec += 16 * USEC_PER_SEC;
	assert_false(servers_may_fail_over(&servers, now.monotonic_usec)); /* no round yet */
	servers_passed_over(&servers, "another server", &now);
	assert_true(servers_may_fail_over(&servers, now.monotonic_usec));
	/* The stream stood, and was lost: a new round, and a new while. */
	now.monotonic_usec += USEC_PER_SEC;
	servers_lost(&servers, now.monotonic_usec);
	servers_failed(&servers, ERROR_UNAVAILABLE, "it is down", &now);
	assert_string_equal(servers_current(&servers)->host, "db2");
	servers_passed_over(&servers, "another server", &now);
	assert_false(servers_may_fail_over(&servers, now.monotonic_usec));
	assert_true(servers_may_fail_over(&servers, now.monotonic_usec + group.failover_usec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_server_is_tried_at_once_and_then_whose_time_comes_first),
		cmocka_unit_test(a_server_that_works_is_kept_and_has_one_more_try),
		cmocka_unit_test(a_stream_that_never_lasts_backs_off_at_each_server),
		cmocka_unit_test(a_server_whose_history_changes_is_asked_again_itself),
		cmocka_unit_test(what_is_told_joins_the_sentences),
		cmocka_unit_test(one_server_is_told_without_its_name),
		cmocka_unit_test(another_server_goes_on_only_after_a_round_and_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
