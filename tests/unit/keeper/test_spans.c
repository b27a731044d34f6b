#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "keeper/spans.h"
#include "store/semi_sync_record.h"
#include "unit/keeper/keeper_fixture.h"

#define BEGIN UINT64_C(1700000000000000)

static struct source *source; /* the fixture's */

static int setup(void **state)
{
	struct fixture *fixture = fixture_new();

	*state = fixture;
	fixture_config(fixture, "semi-sync = yes\n");
	fixture_start(fixture);
	source = fixture->keeper->sources[0];
	source->stage = SOURCE_ATTACHED;
	return 0;
}

static int teardown(void **state)
{
	source->stage = SOURCE_AWAY;
	fixture_free(*state);
	return 0;
}

static void told(bool on, uint64_t since_sec, const char *sentence)
{
	struct pull_semi_sync state = {
		.on = on, .since_usec = BEGIN + since_sec * USEC_PER_SEC, .position = since_sec};

	snprintf(state.sentence, sizeof(state.sentence), "%s", sentence);
	snprintf(state.file, sizeof(state.file), "bin.000007");
	spans_told(source, &state);
}

static void observed_count(enum observed_semi_sync semi_sync, uint64_t sec, uint64_t no_count)
{
	free(source->coverage.report);
	source->coverage.report = calloc(1, sizeof(*source->coverage.report));
	source->coverage.report->semi_sync = semi_sync;
	source->coverage.report->semi_sync_no_count = no_count;
	source->coverage.report->observed_usec = BEGIN + sec * USEC_PER_SEC;
	spans_observed(source);
	spans_observed(source); /* of a report that is known nothing is concluded */
}

static void observed(enum observed_semi_sync semi_sync, uint64_t sec)
{
	observed_count(semi_sync, sec, 0);
}

/* The ledger's leaves about it. */
static struct semi_sync_record leaves[32];
static size_t leaf_count;

static int take_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	(void)context;
	if (!leaf_is(leaf, "semi-sync"))
		return 0;
	assert_true(leaf_count < ARRAY_LENGTH(leaves));
	return semi_sync_record_decode(leaf->object, &leaves[leaf_count++], err);
}

static void read_leaves(void)
{
	struct error err = {0};

	leaf_count = 0;
	assert_ok(store_leaves(source->keeper->store, take_leaf, NULL, &err), &err);
}

static uint64_t number(const char *key)
{
	CLEANUP(json_decrefp)
	json_t *object = spans_status(source);
	struct error err = {0};
	uint64_t value;

	assert_ok(json_get_u64(object, key, &value, &err), &err);
	return value;
}

static void each_change_is_a_leaf_with_what_was_acknowledged(void **state)
{
	(void)state;
	told(false, 1, "not connected yet");
	told(false, 1, "another reason, the same span");
	told(true, 3, "");
	told(true, 3, "");
	told(false, 10, "the server asks no more");
	read_leaves();
	assert_int_equal(leaf_count, 3);
	assert_string_equal(leaves[0].source, "orders");
	assert_false(leaves[0].on);
	assert_string_equal(leaves[0].sentence, "not connected yet");
	assert_int_equal(leaves[0].change_count, 0);
	assert_true(leaves[1].on);
	assert_int_equal(leaves[1].since_usec, BEGIN + 3 * USEC_PER_SEC);
	assert_int_equal(leaves[1].change_count, 1);
	assert_int_equal(leaves[1].off_usec, 2 * USEC_PER_SEC);
	assert_string_equal(leaves[1].binlog_file, "bin.000007");
	assert_int_equal(leaves[1].position, 3);
	assert_false(leaves[2].on);
	assert_int_equal(leaves[2].off_usec, 0);
}

static void what_comes_too_fast_is_counted(void **state)
{
	uint64_t off = 0;

	(void)state;
	told(true, 1, "");
	for (uint64_t i = 1; i <= 20; i++) {
		told(false, 10 * i, "flapping");
		told(true, 10 * i + i, "");
		off += i;
	}
	read_leaves();
	assert_int_equal(leaf_count, SPANS_LEAVES_AT_ONCE);
	assert_int_equal(number("off_spans"), 20);
	assert_int_equal(number("off_usec"), off * USEC_PER_SEC);
	/* A minute later. */
	assert_true(source->spans.timer.due_usec > 0);
	source->spans.leaves_usec = 0;
	source->spans.timer.fire(source->spans.timer.context);
	read_leaves();
	assert_int_equal(leaf_count, SPANS_LEAVES_AT_ONCE + 1);
	assert_true(leaves[leaf_count - 1].on);
	for (size_t i = 0, changes = 0; i < leaf_count; i++) {
		changes += leaves[i].change_count;
		off -= leaves[i].off_usec / USEC_PER_SEC;
		assert_true(i < leaf_count - 1 || changes == 40);
	}
	assert_int_equal(off, 0);
}

static void without_a_puller_nobody_acknowledges(void **state)
{
	(void)state;
	spans_no_puller(source);
	read_leaves();
	assert_int_equal(leaf_count, 0);
	told(true, 1, "");
	spans_no_puller(source);
	spans_no_puller(source);
	read_leaves();
	assert_int_equal(leaf_count, 2);
	assert_string_equal(leaves[1].sentence, "no puller is connected");
	/* It went on all the time, without us. */
	told(true, 1, "");
	read_leaves();
	assert_int_equal(leaf_count, 3);
	assert_true(leaves[2].on && leaves[2].since_usec == BEGIN + USEC_PER_SEC);
	assert_int_equal(number("off_usec"), 0);
}

static void a_span_that_was_not_told_is_counted(void **state)
{
	(void)state;
	told(true, 1, "");
	told(true, 9, "");
	read_leaves();
	assert_int_equal(leaf_count, 2);
	assert_int_equal(leaves[1].change_count, 2);
	assert_int_equal(leaves[1].since_usec, BEGIN + 9 * USEC_PER_SEC);
}

static void the_servers_own_word_counts(void **state)
{
	(void)state;
	told(true, 10, "");
	observed(OBSERVED_SEMI_SYNC_OFF, 9); /* before */
	observed(OBSERVED_SEMI_SYNC_ON, 60);
	assert_true(source->spans.now.on);
	observed(OBSERVED_SEMI_SYNC_OFF, 120);
	assert_false(source->spans.now.on);
	told(true, 10, "");
	assert_false(source->spans.now.on);
	observed(OBSERVED_SEMI_SYNC_UNKNOWN, 180);
	assert_false(source->spans.now.on);
	observed(OBSERVED_SEMI_SYNC_ON, 240);
	assert_true(source->spans.now.on);
	assert_int_equal(source->spans.now.since_usec, BEGIN + 240 * USEC_PER_SEC);
	told(true, 10, "");
	read_leaves();
	assert_int_equal(leaf_count, 3);
	assert_int_equal(leaves[1].since_usec, BEGIN + 120 * USEC_PER_SEC);
	assert_int_equal(leaves[2].off_usec, 120 * USEC_PER_SEC);
	/* It asked again, which shows that it waits. */
	observed(OBSERVED_SEMI_SYNC_OFF, 300);
	told(false, 301, "lost");
	told(true, 302, "");
	assert_true(source->spans.now.on);
	assert_int_equal(source->spans.now.since_usec, BEGIN + 302 * USEC_PER_SEC);
}

/* The puller stood still, or its disk: it saw neither the fall-back nor the return. */
static void commits_that_did_not_wait_are_found_out_by_the_servers_count(void **state)
{
	(void)state;
	observed_count(OBSERVED_SEMI_SYNC_OFF, 5, 1000); /* before we were there */
	told(true, 10, "");
	observed_count(OBSERVED_SEMI_SYNC_ON, 60, 1500); /* some of them before 10 s */
	observed_count(OBSERVED_SEMI_SYNC_ON, 120, 1500);
	assert_int_equal(number("off_spans"), 0);
	observed_count(OBSERVED_SEMI_SYNC_ON, 180, 1501);
	assert_true(source->spans.now.on);
	assert_int_equal(source->spans.now.since_usec, BEGIN + 180 * USEC_PER_SEC);
	assert_int_equal(number("off_spans"), 1);
	assert_int_equal(number("off_usec"), 60 * USEC_PER_SEC);
	told(true, 10, "");
	observed_count(OBSERVED_SEMI_SYNC_ON, 240, 1501);
	observed_count(OBSERVED_SEMI_SYNC_ON, 300, 3); /* started again */
	assert_int_equal(number("off_spans"), 1);
	read_leaves();
	assert_int_equal(leaf_count, 3);
	assert_int_equal(leaves[1].since_usec, BEGIN + 120 * USEC_PER_SEC);
}

static void off_for_some_seconds_needs_attention(void **state)
{
	uint64_t started = source->keeper->started_usec;

	(void)state;
	assert_true(spans_are_normal(source, started + SPANS_ATTENTION_USEC - 1));
	assert_false(spans_are_normal(source, started + SPANS_ATTENTION_USEC));
	told(true, 1, "");
	assert_true(spans_are_normal(source, UINT64_MAX));
	told(false, 2, "lost");
	assert_true(spans_are_normal(source, BEGIN + 3 * USEC_PER_SEC));
	assert_false(spans_are_normal(source, BEGIN + 12 * USEC_PER_SEC));
}

static void where_it_is_not_asked_for_nothing_is_said(void **state)
{
	struct fixture *fixture = *state;

	fixture->config->sources[0].semi_sync = false;
	told(false, 1, "whatever");
	spans_no_puller(source);
	read_leaves();
	assert_int_equal(leaf_count, 0);
	assert_null(spans_status(source));
	assert_true(spans_are_normal(source, UINT64_MAX));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_change_is_a_leaf_with_what_was_acknowledged),
		TEST(what_comes_too_fast_is_counted),
		TEST(without_a_puller_nobody_acknowledges),
		TEST(a_span_that_was_not_told_is_counted),
		TEST(the_servers_own_word_counts),
		TEST(commits_that_did_not_wait_are_found_out_by_the_servers_count),
		TEST(off_for_some_seconds_needs_attention),
		TEST(where_it_is_not_asked_for_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
