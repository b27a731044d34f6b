#include "unit/cmocka_prelude.h"

#include "pull/synchrony.h"

#define REALTIME UINT64_C(1700000000000000)

static struct synchrony synchrony;
static struct synchrony_now now;

static void pass(uint64_t usec)
{
	now.monotonic_usec += usec;
	now.realtime_usec += usec;
}

static int setup(void **state)
{
	(void)state;
	now = (struct synchrony_now){1000, REALTIME};
	synchrony_begin(&synchrony, &now);
	return 0;
}

static void connect_to(const char *absent)
{
	pass(USEC_PER_SEC);
	synchrony_connected(&synchrony, absent, &now);
}

static void take(bool asked)
{
	synchrony_took(&synchrony, asked, &now);
}

static void acknowledge(uint64_t position)
{
	const struct acknowledgement sent = {.file = "bin.000001", .position = position};

	synchrony_acknowledged(&synchrony, &sent, false, &now);
}

static void step(const char *trouble)
{
	synchrony_step(&synchrony, trouble, &now);
}

static void expect_off(const char *words)
{
	assert_false(synchrony.state.on);
	if (!strstr(synchrony.state.sentence, words))
		fail_msg("'%s' does not contain '%s'", synchrony.state.sentence, words);
}

static void it_is_on_when_the_server_asked_and_was_answered(void **state)
{
	(void)state;
	expect_off("not connected yet");
	connect_to("");
	expect_off("what it committed before");
	assert_int_equal(synchrony.state.since_usec, REALTIME);
	take(false);
	take(false);
	take(true);
	expect_off("");
	pass(300);
	acknowledge(777);
	assert_true(synchrony.state.on);
	assert_string_equal(synchrony.state.sentence, "");
	assert_int_equal(synchrony.state.since_usec, now.realtime_usec);
	assert_string_equal(synchrony.state.file, "bin.000001");
	assert_int_equal(synchrony.state.position, 777);
	assert_int_equal(synchrony.state.other_count, 2);
	assert_int_equal(synchrony.state.acknowledged_count, 1);
}

static void the_first_of_a_group_need_not_be_asked_about(void **state)
{
	(void)state;
	connect_to("");
	take(true);
	acknowledge(1);
	for (int i = 0; i < 10; i++) {
		take(false);
		pass(SYNCHRONY_GRACE_USEC - 1);
		step(NULL);
		take(true);
		acknowledge(2);
		assert_true(synchrony.state.on);
	}
	assert_int_equal(synchrony.state.acknowledged_count, 21);
	assert_int_equal(synchrony.state.other_count, 0);
}

static void a_server_that_asks_no_more_has_fallen_back_since_the_first_of_them(void **state)
{
	uint64_t since;

	(void)state;
	connect_to("");
	take(true);
	acknowledge(1);
	pass(60 * USEC_PER_SEC); /* nothing is committed: it is on all the same */
	step(NULL);
	assert_true(synchrony.state.on);
	assert_int_equal(synchrony_deadline(&synchrony), UINT64_MAX);
	take(false);
	since = now.realtime_usec;
	assert_int_equal(synchrony_deadline(&synchrony), now.monotonic_usec + SYNCHRONY_GRACE_USEC);
	pass(SYNCHRONY_GRACE_USEC / 2);
	take(false);
	pass(SYNCHRONY_GRACE_USEC / 2);
	step(NULL);
	expect_off("asks for no acknowledgement any more");
	assert_int_equal(synchrony.state.since_usec, since);
	assert_int_equal(synchrony.state.other_count, 2);
	take(false);
	assert_int_equal(synchrony.state.other_count, 3);
	/* At rest it says nothing: who fell back stays so until it asks. */
	synchrony_idle(&synchrony, &now);
	expect_off("asks for no acknowledgement any more");
	take(true);
	acknowledge(5);
	assert_true(synchrony.state.on);
	assert_int_equal(synchrony.state.since_usec, now.realtime_usec);
}

static void a_server_at_rest_that_is_set_up_for_it_will_ask(void **state)
{
	(void)state;
	connect_to("");
	take(false);
	synchrony_idle(&synchrony, &now);
	assert_true(synchrony.state.on);
	synchrony_disconnected(&synchrony, "the peer closed the connection", &now);
	expect_off("the peer closed");
	connect_to("rpl_semi_sync_master_enabled is OFF");
	synchrony_idle(&synchrony, &now);
	expect_off("semi-sync was asked for, the server does not do it: rpl_semi_sync_master_en");
	/* Somebody switched it on meanwhile. */
	take(true);
	acknowledge(9);
	assert_true(synchrony.state.on);
}

static void a_server_whose_packets_have_no_room_for_it_does_not_do_it(void **state)
{
	(void)state;
	connect_to("");
	synchrony_denied(&synchrony, &now);
	expect_off("its packets have no room for it");
	synchrony_idle(&synchrony, &now);
	expect_off("its packets have no room for it");
}

static void what_is_not_durable_in_time_is_late(void **state)
{
	uint64_t since;

	(void)state;
	connect_to("");
	take(true);
	acknowledge(1);
	pass(USEC_PER_SEC);
	take(true);
	since = now.realtime_usec;
	pass(SYNCHRONY_GRACE_USEC - 1);
	take(true);
	step("the volume is full");
	assert_true(synchrony.state.on);
	assert_int_equal(synchrony_deadline(&synchrony), now.monotonic_usec + 1);
	pass(1);
	step("the volume is full");
	expect_off("not durable yet: the volume is full");
	assert_int_equal(synchrony.state.since_usec, since);
	pass(1);
	step(NULL);
	expect_off("the disk has not answered");
	acknowledge(3);
	assert_true(synchrony.state.on);
}

static void why_it_is_off_may_change_without_a_new_span(void **state)
{
	(void)state;
	connect_to("");
	take(true);
	acknowledge(1);
	pass(USEC_PER_SEC);
	synchrony_disconnected(&synchrony, "first", &now);
	pass(USEC_PER_SEC);
	synchrony_disconnected(&synchrony, "second", &now);
	expect_off("first");
	connect_to("");
	expect_off("what it committed before");
	assert_int_equal(synchrony.state.since_usec, now.realtime_usec - 2 * USEC_PER_SEC);
}

/* The last archived event is acknowledged unasked; that says nothing about the server. */
static void an_answer_that_nobody_asked_for_switches_nothing_on(void **state)
{
	(void)state;
	connect_to("");
	acknowledge(4);
	expect_off("what it committed before");
	assert_int_equal(synchrony.state.position, 4);
}

static void changes_are_told_at_once_and_counts_once_a_second(void **state)
{
	struct pull_semi_sync told;

	(void)state;
	assert_true(synchrony_tell(&synchrony, &now, &told));
	assert_false(synchrony_tell(&synchrony, &now, &told));
	connect_to("");
	assert_true(synchrony_tell(&synchrony, &now, &told));
	take(true);
	acknowledge(1);
	assert_true(synchrony_tell(&synchrony, &now, &told));
	assert_true(told.on);
	take(true);
	acknowledge(2);
	assert_false(synchrony_tell(&synchrony, &now, &told));
	pass(SYNCHRONY_TELL_USEC);
	assert_true(synchrony_tell(&synchrony, &now, &told));
	assert_int_equal(told.position, 2);
	pass(SYNCHRONY_TELL_USEC);
	assert_false(synchrony_tell(&synchrony, &now, &told));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_on_when_the_server_asked_and_was_answered),
		TEST(the_first_of_a_group_need_not_be_asked_about),
		TEST(a_server_that_asks_no_more_has_fallen_back_since_the_first_of_them),
		TEST(a_server_at_rest_that_is_set_up_for_it_will_ask),
		TEST(a_server_whose_packets_have_no_room_for_it_does_not_do_it),
		TEST(what_is_not_durable_in_time_is_late),
		TEST(why_it_is_off_may_change_without_a_new_span),
		TEST(an_answer_that_nobody_asked_for_switches_nothing_on),
		TEST(changes_are_told_at_once_and_counts_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
