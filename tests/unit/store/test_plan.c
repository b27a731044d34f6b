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

/* --- generations ------------------------------------------------------------------------------ */

static void generation_segment(struct fixture *f, uint8_t generation, const char *file,
			       uint64_t start, size_t size, enum segment_ended ended,
			       const char *next_file)
{
	struct fixture_segment segment;

	fixture_open_segment(f, "orders", file, generation, start, &segment);
	fixture_event(f, &segment, size);
	fixture_seal(f, &segment, ended, next_file);
}

/* The leaf of the generation that fixture_open_segment() gives as @number. */
static void begin_generation(struct fixture *f, uint8_t number, enum generation_reason reason,
			     const char *after_file, uint64_t after_position, bool gap)
{
	const struct generation_record *last = state_generation(store_state(f->store), "orders");
	struct generation_record record = {
		.source = "orders",
		.reason = reason,
		.after_position = after_position,
		.gap = gap,
		.gap_count = (last ? last->gap_count : 0) + gap,
		.sentence = "0-1-7 is missing",
	};
	struct error err;

	memset(record.generation.bytes, number + 1, HASH_SIZE);
	memset(record.before.bytes, number, HASH_SIZE);
	snprintf(record.after_file, sizeof(record.after_file), "%s", after_file);
	snprintf(record.binlog_file, sizeof(record.binlog_file), "%s", after_file);
	assert_ok(store_append(f->store, generation_record_encode(&record), NULL, &err), &err);
}

/* One file of one server, then the next generation, of another. */
static void failed_over(struct fixture *f, uint64_t after_position, bool gap)
{
	fixture_init(f, "/dev/shm");
	fixture_create(f, WORM_ADVISORY, 16);
	generation_segment(f, 0, "binlog.000001", 4, 200, SEGMENT_ENDED_SIZE, NULL);
	begin_generation(f, 1, GENERATION_FAILOVER, "binlog.000001", after_position, gap);
	generation_segment(f, 1, "binlog.000001", 4, 300, SEGMENT_ENDED_SIZE, NULL);
}

static void a_generation_that_misses_nothing_is_no_gap(void **state)
{
	struct fixture f;
	struct plan *plan;

	(void)state;
	failed_over(&f, 204, false);
	plan = whole(&f);
	assert_int_equal(plan_count(plan), 2);
	assert_int_equal(plan_gap_count(plan), 0);
	assert_int_equal(plan_generation_count(plan), 2);
	assert_false(plan_generation_at(plan, 0)->has_record);
	assert_true(plan_generation_at(plan, 1)->overlaps);
	assert_int_equal(plan_at(plan, 1)->generation_index, 1);
	assert_true(plan_at(plan, 0)->last_of_file);
	plan_free(plan);
	fixture_release(&f);
}

static void a_generation_with_a_gap_says_what_is_missing(void **state)
{
	struct fixture f;
	struct plan *plan;

	(void)state;
	failed_over(&f, 204, true);
	plan = whole(&f);
	assert_int_equal(plan_gap_count(plan), 1);
	assert_gap(plan, "0-1-7 is missing");
	plan_free(plan);
	fixture_release(&f);
}

static void a_gap_that_was_accepted_is_one_still_and_says_by_whom(void **state)
{
	struct gap_accepted_record accepted = {.source = "orders", .uid = 7, .reason = "a test's"};
	struct fixture f;
	struct plan *plan;
	struct error err;

	(void)state;
	failed_over(&f, 204, true);
	plan = whole(&f);
	assert_false(plan_gap_at(plan, 0)->accepted);
	plan_free(plan);
	memset(accepted.generation.bytes, 2, HASH_SIZE);
	assert_ok(store_append(f.store, gap_accepted_record_encode(&accepted), NULL, &err), &err);
	plan = whole(&f);
	assert_int_equal(plan_gap_count(plan), 1);
	assert_true(plan_gap_at(plan, 0)->accepted);
	assert_gap(plan, "0-1-7 is missing; accepted 20");
	assert_gap(plan, "Z by user 7: a test's");
	plan_free(plan);
	fixture_release(&f);
}

/* What the next generation goes on behind was durable once, and is not sealed. */
static void what_is_not_sealed_before_a_generation_is_a_gap(void **state)
{
	struct fixture f;
	struct plan *plan;

	(void)state;
	failed_over(&f, 999, false);
	plan = whole(&f);
	assert_gap(plan, "goes on behind binlog.000001:999, and what is sealed before it ends at "
			 "binlog.000001:204");
	plan_free(plan);
	fixture_release(&f);
}

static void one_generation_can_be_read_alone(void **state)
{
	struct plan_limits limits = {.generation = "0202"};
	struct fixture f;
	struct plan *plan;
	struct error err;

	(void)state;
	failed_over(&f, 204, true);
	plan = plan_of(&f);
	assert_ok(plan_finish(plan, &limits, &err), &err);
	assert_int_equal(plan_count(plan), 1);
	assert_int_equal(plan_gap_count(plan), 0);
	assert_int_equal(plan_at(plan, 0)->end.summary.event_end, 304);
	plan_free(plan);
	limits.generation = "0909";
	plan = plan_of(&f);
	assert_fails(plan_finish(plan, &limits, &err), &err, ERROR_NOT_FOUND, "nothing");
	plan_free(plan);
	fixture_release(&f);
}

/* The server wrote the end of a file anew: the new end counts, the old one is kept apart. */
static void the_new_end_of_a_file_takes_the_place_of_the_old(void **state)
{
	struct plan_limits old = {.generation = "01"};
	struct fixture f;
	struct plan *plan;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	generation_segment(&f, 0, "binlog.000001", 4, 200, SEGMENT_ENDED_ROTATE, "binlog.000002");
	generation_segment(&f, 0, "binlog.000002", 4, 500, SEGMENT_ENDED_RESET, NULL);
	f.same_files = true; /* by its beginning it is */
	begin_generation(&f, 1, GENERATION_DIVERGED, "binlog.000002", 504, false);
	generation_segment(&f, 1, "binlog.000002", 4, 300, SEGMENT_ENDED_SIZE, NULL);
	plan = whole(&f);
	assert_int_equal(plan_count(plan), 2);
	assert_int_equal(plan_at(plan, 1)->end.summary.event_end, 304);
	assert_int_equal(plan_overlap_count(plan), 1);
	assert_int_equal(plan_gap_count(plan), 0);
	plan_free(plan);
	plan = plan_of(&f);
	assert_ok(plan_finish(plan, &old, &err), &err);
	assert_int_equal(plan_count(plan), 2);
	assert_int_equal(plan_at(plan, 1)->end.summary.event_end, 504);
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
		cmocka_unit_test(a_generation_that_misses_nothing_is_no_gap),
		cmocka_unit_test(a_generation_with_a_gap_says_what_is_missing),
		cmocka_unit_test(a_gap_that_was_accepted_is_one_still_and_says_by_whom),
		cmocka_unit_test(what_is_not_sealed_before_a_generation_is_a_gap),
		cmocka_unit_test(one_generation_can_be_read_alone),
		cmocka_unit_test(the_new_end_of_a_file_takes_the_place_of_the_old),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
