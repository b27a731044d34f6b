#include "unit/store/store_fixture.h"

#include "store/plan.h"

static int take(void *context, const struct leaf *leaf, struct error *err)
{
	return plan_add(context, leaf->object, err);
}

static struct plan *plan_of(struct fixture *f)
{
	struct plan *plan = plan_new("orders");
	struct error err;

	assert_ok(store_leaves(f->store, take, plan, &err), &err);
	return plan;
}

static struct plan *whole(struct fixture *f)
{
	struct plan *plan = plan_of(f);
	struct error err;

	assert_ok(plan_finish(plan, NULL, &err), &err);
	return plan;
}

static void assert_gap(const struct plan *plan, const char *words)
{
	for (size_t i = 0; i < plan_gap_count(plan); i++) {
		if (strstr(plan_gap_at(plan, i)->sentence, words))
			return;
	}
	fail_msg("no gap says '%s'; there are %zu, the first: %s", words, plan_gap_count(plan),
		 plan_gap_count(plan) ? plan_gap_at(plan, 0)->sentence : "-");
}

/* Two files of two segments each, and another source between. */
static void chain(struct fixture *f)
{
	fixture_init(f, "/dev/shm");
	fixture_create(f, WORM_ADVISORY, 16);
	fixture_segment(f, "orders", "binlog.000001", 4, 200, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(f, "crm", "binlog.000001", 4, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(f, "orders", "binlog.000001", 204, 300, SEGMENT_ENDED_ROTATE,
			"binlog.000002");
	fixture_segment(f, "orders", "binlog.000002", 4, 400, SEGMENT_ENDED_AGE, NULL);
	fixture_segment(f, "orders", "binlog.000002", 404, 500, SEGMENT_ENDED_SIZE, NULL);
}

static void a_whole_chain_has_no_gap(void **state)
{
	struct fixture f;
	struct plan *plan;
	static const uint64_t starts[] = {4, 204, 4, 404};

	(void)state;
	chain(&f);
	plan = whole(&f);
	assert_int_equal(plan_count(plan), 4);
	assert_int_equal(plan_gap_count(plan), 0);
	assert_int_equal(plan_overlap_count(plan), 0);
	for (size_t i = 0; i < 4; i++) {
		const struct plan_segment *segment = plan_at(plan, i);

		assert_int_equal(segment->start_position, starts[i]);
		assert_int_equal(segment->last_of_file, i % 2);
		assert_int_equal(segment->file_complete, i == 1);
		assert_non_null(plan_period(plan, segment));
		assert_string_equal(plan_period(plan, segment)->source, "orders");
	}
	assert_true(plan_byte_count(plan) > 1400);
	plan_free(plan);
	fixture_release(&f);
}

static void limits_cut_whole_segments(void **state)
{
	struct fixture f;
	struct plan *plan;
	struct plan_limits limits = {.from_file = "binlog.000002"};
	struct error err;

	(void)state;
	chain(&f);
	plan = plan_of(&f);
	assert_ok(plan_finish(plan, &limits, &err), &err);
	assert_int_equal(plan_count(plan), 2);
	plan_free(plan);

	limits = (struct plan_limits){.limit = REQUEST_LIMIT_POSITION,
				      .limit_file = "binlog.000002",
				      .limit_position = 404};
	plan = plan_of(&f);
	assert_ok(plan_finish(plan, &limits, &err), &err);
	assert_int_equal(plan_count(plan), 3); /* the segment that ends there is enough */
	plan_free(plan);

	limits.limit_position = 405;
	plan = plan_of(&f);
	assert_ok(plan_finish(plan, &limits, &err), &err);
	assert_int_equal(plan_count(plan), 4);
	plan_free(plan);

	limits.limit_position = 905;
	plan = plan_of(&f);
	assert_fails(plan_finish(plan, &limits, &err), &err, ERROR_NOT_FOUND,
		     "archived to 904, not to 905");
	plan_free(plan);

	limits = (struct plan_limits){.from_file = "binlog.000009"};
	plan = plan_of(&f);
	assert_fails(plan_finish(plan, &limits, &err), &err, ERROR_NOT_FOUND,
		     "archived are binlog.000001 to binlog.000002");
	plan_free(plan);
	fixture_release(&f);
}

static void holes_are_told_in_words(void **state)
{
	struct fixture f;
	struct plan *plan;
	struct fixture_segment segment;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_segment(&f, "orders", "binlog.000001", 100, 200, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(&f, "orders", "binlog.000001", 310, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(&f, "orders", "binlog.000002", 4, 100, SEGMENT_ENDED_ROTATE,
			"binlog.000003");
	fixture_segment(&f, "orders", "binlog.000004", 4, 100, SEGMENT_ENDED_ROTATE,
			"binlog.000005");
	fixture_open_segment(&f, "orders", "binlog.000001", 1, 4, &segment);
	fixture_event(&f, &segment, 50);
	fixture_seal(&f, &segment, SEGMENT_ENDED_SIZE, NULL);
	plan = whole(&f);
	assert_int_equal(plan_count(plan), 5);
	assert_gap(plan, "binlog.000001 is archived from 100 only");
	assert_gap(plan, "ends at 300 and the next begins at 310");
	assert_gap(plan, "binlog.000001 is archived to 410 only, and binlog.000002 follows");
	assert_gap(plan, "must be followed by binlog.000003, and binlog.000004 follows");
	assert_gap(plan, "binlog.000001 of a new history");
	assert_int_equal(plan_gap_count(plan), 5);
	plan_free(plan);
	fixture_release(&f);
}

static void bytes_that_were_pulled_again_are_no_gap(void **state)
{
	struct fixture f;
	struct plan *plan;
	struct fixture_segment pending;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_segment(&f, "orders", "binlog.000001", 4, 200, SEGMENT_ENDED_SIZE, NULL);
	/* pending, pulled again, and sealed when the HSM is back */
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 204, &pending);
	fixture_event(&f, &pending, 100);
	fixture_segment(&f, "orders", "binlog.000001", 204, 300, SEGMENT_ENDED_SIZE, NULL);
	fixture_seal(&f, &pending, SEGMENT_ENDED_RECOVERED, NULL);
	fixture_segment(&f, "orders", "binlog.000001", 504, 0, SEGMENT_ENDED_ROTATE,
			"binlog.000002");
	fixture_segment(&f, "orders", "binlog.000002", 4, 10, SEGMENT_ENDED_SIZE, NULL);
	plan = whole(&f);
	assert_int_equal(plan_gap_count(plan), 0);
	assert_int_equal(plan_overlap_count(plan), 1);
	assert_int_equal(plan_overlap_at(plan, 0)->end.summary.event_end, 304);
	assert_int_equal(plan_count(plan), 4);
	assert_true(plan_at(plan, 2)->file_complete);
	plan_free(plan);
	fixture_release(&f);
}

/* Pulled again in smaller segments than the pending one: all of these join, the long one does not.
 */
static void a_pending_segment_across_a_new_boundary_is_set_aside(void **state)
{
	struct fixture f;
	struct plan *plan;
	struct fixture_segment pending;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_segment(&f, "orders", "binlog.000001", 4, 200, SEGMENT_ENDED_SIZE, NULL);
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 204, &pending);
	fixture_event(&f, &pending, 150);
	fixture_segment(&f, "orders", "binlog.000001", 204, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(&f, "orders", "binlog.000001", 304, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_seal(&f, &pending, SEGMENT_ENDED_RECOVERED, NULL);
	plan = whole(&f);
	assert_int_equal(plan_gap_count(plan), 0);
	assert_int_equal(plan_count(plan), 3);
	assert_int_equal(plan_at(plan, 2)->end.summary.event_end, 404);
	assert_int_equal(plan_overlap_count(plan), 1);
	plan_free(plan);
	fixture_release(&f);
}

static void a_source_without_segments_has_an_empty_plan(void **state)
{
	struct fixture f;
	struct plan *plan;
	struct plan_limits limits = {.from_file = NULL};
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	plan = whole(&f);
	assert_int_equal(plan_count(plan), 0);
	plan_free(plan);
	plan = plan_of(&f);
	assert_fails(plan_finish(plan, &limits, &err), &err, ERROR_NOT_FOUND,
		     "nothing of source 'orders' is sealed yet");
	plan_free(plan);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_chain_has_no_gap),
		cmocka_unit_test(limits_cut_whole_segments),
		cmocka_unit_test(holes_are_told_in_words),
		cmocka_unit_test(bytes_that_were_pulled_again_are_no_gap),
		cmocka_unit_test(a_pending_segment_across_a_new_boundary_is_set_aside),
		cmocka_unit_test(a_source_without_segments_has_an_empty_plan),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
