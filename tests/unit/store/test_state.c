#include "unit/store/store_fixture.h"

static const struct state *current(const struct fixture *f)
{
	return store_state(f->store);
}

/* What stands now must be what the last ledger file alone gives, in the same order. */
static void assert_same_after_reopening(struct fixture *f)
{
	size_t count = state_count(current(f));
	json_t **objects = calloc(count, sizeof(*objects));

	for (size_t i = 0; i < count; i++)
		objects[i] = json_incref(state_at(current(f), i));
	fixture_reopen(f);
	assert_int_equal(state_count(current(f)), count);
	for (size_t i = 0; i < count; i++) {
		assert_true(json_equal(state_at(current(f), i), objects[i]));
		json_decref(objects[i]);
	}
	free(objects);
}

static void append(struct fixture *f, json_t *fields)
{
	struct error err;

	assert_ok(store_append(f->store, fields, NULL, &err), &err);
}

/* Enough for the ledger to begin a new file. */
static void fill(struct fixture *f)
{
	struct covered_record covered = {.source = "filler"};

	for (int i = 0; i < 20; i++)
		append(f, covered_record_encode(&covered));
}

static void a_sealed_segment_takes_the_place_of_the_open_one(void **state)
{
	struct fixture f;
	struct fixture_segment segment;
	struct state_open open;
	uint64_t index;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	assert_null(state_sealed(current(&f), "orders", NULL));
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 4, &segment);
	assert_int_equal(state_open_count(current(&f), "orders"), 1);
	assert_int_equal(state_open_count(current(&f), "crm"), 0);
	assert_int_equal(state_open_count(current(&f), NULL), 1);
	open = state_open_at(current(&f), "orders", 0);
	assert_int_equal(open.index, segment.opened_index);
	assert_string_equal(open.record->path, segment.files.path);
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_event(&f, &segment, 500);
	fixture_seal(&f, &segment, SEGMENT_ENDED_SIZE, NULL);
	assert_int_equal(state_open_count(current(&f), NULL), 0);
	assert_fails(state_open_find(current(&f), segment.opened.header.segment_id, &open, &err),
		     &err, ERROR_NOT_FOUND, "is open");
	assert_int_equal(state_sealed(current(&f), "orders", &index)->end.summary.event_end, 504);
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_release(&f);
}

static void a_pending_segment_sealed_late_does_not_turn_back(void **state)
{
	struct fixture f;
	struct fixture_segment pending;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 4, &pending);
	fixture_event(&f, &pending, 200);
	fixture_segment(&f, "orders", "binlog.000001", 4, 700, SEGMENT_ENDED_SIZE, NULL);
	fixture_seal(&f, &pending, SEGMENT_ENDED_RECOVERED, NULL);
	assert_int_equal(state_sealed(current(&f), "orders", NULL)->end.summary.event_end, 704);
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_release(&f);
}

static void an_empty_segment_moves_on_only_if_its_file_ended(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_segment(&f, "orders", "binlog.000001", 4, 200, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(&f, "orders", "binlog.000001", 204, 0, SEGMENT_ENDED_RECOVERED, NULL);
	assert_int_equal(state_sealed(current(&f), "orders", NULL)->end.summary.event_count, 1);
	fixture_segment(&f, "orders", "binlog.000001", 204, 0, SEGMENT_ENDED_ROTATE,
			"binlog.000002");
	assert_string_equal(state_sealed(current(&f), "orders", NULL)->end.next_file,
			    "binlog.000002");
	fixture_release(&f);
}

static void a_period_lives_while_an_open_segment_names_it(void **state)
{
	struct fixture f;
	struct fixture_segment segment;
	uint8_t id[STORE_ID_SIZE];

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 4, &segment);
	memcpy(id, state_period_newest(current(&f), "orders", "finance")->id, sizeof(id));
	fixture_period(&f, "orders");
	fixture_period(&f, "crm");
	assert_int_equal(state_period_count(current(&f)), 3);
	assert_non_null(state_period_find(current(&f), id));
	assert_memory_not_equal(state_period_newest(current(&f), "orders", "finance")->id, id,
				sizeof(id));
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_event(&f, &segment, 100);
	fixture_seal(&f, &segment, SEGMENT_ENDED_SIZE, NULL);
	assert_int_equal(state_period_count(current(&f)), 2);
	assert_null(state_period_find(current(&f), id));
	assert_null(state_period_newest(current(&f), "orders", "short"));
	fixture_release(&f);
}

static void a_request_waits_until_it_has_a_result(void **state)
{
	struct fixture f;
	struct request_record request = {.id = "R-1", .reason = "why", .source = "orders"};
	struct approved_record approved = {.request = "R-1", .by = "policy"};
	struct exported_record exported = {.request = "R-1"};
	struct export_failed_record failed = {.request = "R-2", .sentence = "no such file"};
	struct error err;
	bool yes;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	append(&f, request_record_encode(&request));
	assert_fails(store_append(f.store, request_record_encode(&request), NULL, &err), &err,
		     ERROR_DEFECT, "a request 'R-1' already");
	memcpy(request.id, "R-2", 4);
	append(&f, request_record_encode(&request));
	append(&f, approved_record_encode(&approved));
	assert_int_equal(state_request_count(current(&f)), 2);
	assert_string_equal(state_request_at(current(&f), 0, &yes)->id, "R-1");
	assert_true(yes);
	assert_string_equal(state_request_at(current(&f), 1, &yes)->id, "R-2");
	assert_false(yes);
	fill(&f);
	assert_same_after_reopening(&f);
	append(&f, exported_record_encode(&exported));
	append(&f, export_failed_record_encode(&failed));
	assert_int_equal(state_request_count(current(&f)), 0);
	assert_fails(store_append(f.store, exported_record_encode(&exported), NULL, &err), &err,
		     ERROR_DEFECT, "no request");
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_release(&f);
}

static void what_a_client_reads_is_remembered_until_it_is_withdrawn(void **state)
{
	struct fixture f;
	struct request_record request = {
		.id = "R-1", .source = "orders", .to = "t", .client = "restore1", .keep_usec = 7};
	struct exported_record exported = {
		.request = "R-1", .client = "other", .to = "t", .end_usec = 1700000000000000u};
	struct withdrawn_record withdrawn = {.request = "R-1"};
	const struct exported_record *shared;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	append(&f, request_record_encode(&request));
	assert_fails(store_append(f.store, exported_record_encode(&exported), NULL, &err), &err,
		     ERROR_DEFECT, "for client 'restore1', not for 'other'");
	assert_fails(store_append(f.store, withdrawn_record_encode(&withdrawn), NULL, &err), &err,
		     ERROR_DEFECT, "not shared");
	memcpy(exported.client, request.client, sizeof(exported.client));
	append(&f, exported_record_encode(&exported));
	assert_int_equal(state_request_count(current(&f)), 0);
	fill(&f);
	assert_same_after_reopening(&f);
	shared = state_shared_at(current(&f), 0);
	assert_non_null(shared);
	assert_string_equal(shared->client, "restore1");
	assert_int_equal(shared->end_usec, 1700000000000000u);
	assert_ptr_equal(state_shared_find(current(&f), "R-1"), shared);
	assert_null(state_shared_find(current(&f), "R-2"));
	assert_fails(store_append(f.store, request_record_encode(&request), NULL, &err), &err,
		     ERROR_DEFECT, "a request 'R-1' already");
	append(&f, withdrawn_record_encode(&withdrawn));
	assert_null(state_shared_at(current(&f), 0));
	assert_fails(store_append(f.store, withdrawn_record_encode(&withdrawn), NULL, &err), &err,
		     ERROR_DEFECT, "not shared");
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_release(&f);
}

static void a_pause_is_remembered_until_it_is_ended(void **state)
{
	struct fixture f;
	struct paused_record paused = {.source = "orders", .uid = 7, .reason = "it moves"};
	struct resumed_record resumed = {.source = "orders"};
	uint64_t index = 0, usec = 0;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	assert_fails(store_append(f.store, resumed_record_encode(&resumed), NULL, &err), &err,
		     ERROR_DEFECT, "source 'orders' is not paused");
	append(&f, paused_record_encode(&paused));
	assert_fails(store_append(f.store, paused_record_encode(&paused), NULL, &err), &err,
		     ERROR_DEFECT, "source 'orders' is paused already");
	memcpy(paused.source, "crm", 4);
	append(&f, paused_record_encode(&paused));
	fill(&f);
	assert_same_after_reopening(&f);
	assert_string_equal(state_paused(current(&f), "orders", &index, &usec)->reason, "it moves");
	assert_true(usec > 0);
	resumed.paused_index = index + 1;
	assert_fails(store_append(f.store, resumed_record_encode(&resumed), NULL, &err), &err,
		     ERROR_DEFECT, "was paused by leaf");
	resumed.paused_index = index;
	append(&f, resumed_record_encode(&resumed));
	assert_null(state_paused(current(&f), "orders", NULL, NULL));
	assert_non_null(state_paused(current(&f), "crm", NULL, NULL));
	fill(&f);
	assert_same_after_reopening(&f);
	fixture_release(&f);
}

static void the_version_of_the_configurations_bundle_only_grows(void **state)
{
	struct fixture f;
	struct config_record config = {.version = "0.1.0", .isolation = "users"};
	struct config_refused_record refused = {.refused_usec = 5, .version = 6, .sentence = "old"};
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	append(&f, config_record_encode(&config));
	config.bundle_version = 7;
	config.bundle_hash.bytes[0] = 1;
	append(&f, config_record_encode(&config));
	append(&f, config_record_encode(&config));
	config.bundle_hash.bytes[0] = 2;
	assert_fails(store_append(f.store, config_record_encode(&config), NULL, &err), &err,
		     ERROR_DEFECT, "another bundle of version 7");
	config.bundle_version = 6;
	assert_fails(store_append(f.store, config_record_encode(&config), NULL, &err), &err,
		     ERROR_DEFECT, "bundle 6 after bundle 7: their versions only grow");
	config.bundle_version = 0;
	assert_fails(store_append(f.store, config_record_encode(&config), NULL, &err), &err,
		     ERROR_DEFECT, "bundle 0 after bundle 7");
	assert_null(state_config_refused(current(&f)));
	append(&f, config_refused_record_encode(&refused));
	refused.refused_usec = 6;
	append(&f, config_refused_record_encode(&refused));
	fill(&f);
	assert_same_after_reopening(&f);
	assert_int_equal(state_config(current(&f))->bundle_version, 7);
	assert_int_equal(state_config_refused(current(&f))->refused_usec, 6);
	fixture_release(&f);
}

static void a_policy_only_gets_stricter(void **state)
{
	struct fixture f;
	struct store_beginning *beginning = malloc(sizeof(*beginning));
	struct policy_record policy;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_beginning(beginning, WORM_ADVISORY);
	policy = beginning->policy;
	policy.classes[0].keep_usec--;
	assert_fails(store_append(f.store, policy_record_encode(&policy), NULL, &err), &err,
		     ERROR_DEFECT, "never shortened");
	policy.class_count = 0;
	assert_fails(store_append(f.store, policy_record_encode(&policy), NULL, &err), &err,
		     ERROR_DEFECT, "never shortened");
	policy = beginning->policy;
	policy.classes[0].keep_usec++;
	append(&f, policy_record_encode(&policy));
	assert_int_equal(state_policy(current(&f))->classes[0].keep_usec, 1001);
	free(beginning);
	fixture_release(&f);
}

static void relations_between_leaves_are_checked(void **state)
{
	struct fixture f;
	struct fixture_segment segment;
	struct segment_sealed_record *sealed = malloc(sizeof(*sealed));
	struct period_record period;
	struct store_beginning *beginning = malloc(sizeof(*beginning));
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	fixture_beginning(beginning, WORM_ADVISORY);
	assert_fails(store_append(f.store, master_record_encode(&beginning->master), NULL, &err),
		     &err, ERROR_DEFECT, "does not follow the last one");
	fixture_period_record(&f, "orders", &period);
	period.archive_id[3] ^= 1;
	assert_fails(store_append(f.store, period_record_encode(&period), NULL, &err), &err,
		     ERROR_DEFECT, "another archive");
	fixture_period_record(&f, "orders", &period);
	period.master_sequence = 2;
	assert_fails(store_append(f.store, period_record_encode(&period), NULL, &err), &err,
		     ERROR_DEFECT, "which no leaf knows");
	fixture_open_segment(&f, "orders", "binlog.000001", 0, 4, &segment);
	assert_fails(
		store_append(f.store, segment_opened_record_encode(&segment.opened), NULL, &err),
		&err, ERROR_DEFECT, "opened twice");
	fixture_event(&f, &segment, 100);
	fixture_end(&segment, SEGMENT_ENDED_SIZE, NULL);
	fixture_sealed_record(&f, &segment, sealed);
	sealed->start_position = 5;
	assert_fails(store_append(f.store, segment_sealed_record_encode(sealed), NULL, &err), &err,
		     ERROR_DEFECT, "differs from the header");
	sealed->start_position = 4;
	sealed->opened_index++;
	assert_fails(store_append(f.store, segment_sealed_record_encode(sealed), NULL, &err), &err,
		     ERROR_DEFECT, "was opened by leaf");
	sealed->opened_index--;
	append(&f, segment_sealed_record_encode(sealed));
	assert_fails(store_append(f.store, segment_sealed_record_encode(sealed), NULL, &err), &err,
		     ERROR_DEFECT, "sealed twice or never opened");
	segment_sealed_record_release(sealed);
	free(sealed);
	free(beginning);
	fixture_abandon(&segment);
	fixture_release(&f);
}

/* A state leaf that lies: the tree is made anew, so only the fold can find it. */
static void a_state_leaf_that_carries_something_else_is_told(void **state)
{
	struct state *fold = state_new();
	json_t *archive, *carrier, *other;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	for (size_t i = 0; i < state_count(current(&f)); i++)
		assert_ok(state_apply(fold, state_at(current(&f), i), &err), &err);
	archive = state_at(fold, 0);
	carrier = json_pack("{s:s,s:s,s:s,s:O}", "type", "state", "part", "0", "parts", "5",
			    "carries", archive);
	assert_ok(state_apply(fold, carrier, &err), &err);
	json_object_set_new(carrier, "parts", json_string("4"));
	assert_fails(state_apply(fold, carrier, &err), &err, ERROR_DEFECT,
		     "4 state leaves where 5 leaves are relevant");
	json_object_set_new(carrier, "parts", json_string("5"));
	other = json_deep_copy(archive);
	json_object_set_new(other, "name", json_string("vault02"));
	json_object_set_new(carrier, "carries", other);
	assert_fails(state_apply(fold, carrier, &err), &err, ERROR_DEFECT, "carries it changed");
	json_decref(carrier);
	state_free(fold);
	fixture_release(&f);
}

static void gaps_are_counted_on_from_generation_to_generation(void **state)
{
	struct generation_record record = {.source = "orders",
					   .reason = GENERATION_PURGED,
					   .binlog_file = "binlog.000007",
					   .after_file = "binlog.000003",
					   .gap = true,
					   .gap_count = 1,
					   .sentence = "0-1-7 is missing"};
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	assert_null(state_generation(current(&f), "orders"));
	record.generation.bytes[0] = 1;
	append(&f, generation_record_encode(&record));
	object = generation_record_encode(&record);
	assert_fails(state_check(current(&f), object, &err), &err, ERROR_DEFECT, "begins twice");
	json_decref(TAKE(object));
	record.generation.bytes[0] = 2;
	object = generation_record_encode(&record);
	assert_fails(state_check(current(&f), object, &err), &err, ERROR_DEFECT,
		     "has 2 gaps, the leaf says 1");
	record.gap = false;
	append(&f, generation_record_encode(&record));
	fill(&f);
	assert_same_after_reopening(&f);
	assert_int_equal(state_generation(current(&f), "orders")->gap_count, 1);
	assert_int_equal(state_generation(current(&f), "orders")->generation.bytes[0], 2);
	assert_null(state_generation(current(&f), "crm"));
	fixture_release(&f);
}

static void begin_generation(struct fixture *f, uint8_t number, bool gap, uint64_t gap_count)
{
	struct generation_record record = {.source = "orders",
					   .generation = {{number}},
					   .before = {{(uint8_t)(number - 1)}},
					   .reason = GENERATION_RESET,
					   .binlog_file = "binlog.000001",
					   .after_file = "binlog.000003",
					   .gap = gap,
					   .gap_count = gap_count,
					   .sentence = "it was reset"};

	append(f, generation_record_encode(&record));
}

static void a_gap_is_remembered_and_accepted_once(void **state)
{
	struct gap_accepted_record accepted = {
		.source = "orders", .generation = {{2}}, .uid = 7, .reason = "it was a test's"};
	struct state_gap gap;
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 16);
	assert_fails(store_append(f.store, gap_accepted_record_encode(&accepted), NULL, &err), &err,
		     ERROR_DEFECT, "a gap of source 'orders' is accepted that no generation");
	begin_generation(&f, 1, true, 1);
	begin_generation(&f, 2, true, 2);
	begin_generation(&f, 3, false, 2);
	begin_generation(&f, 4, false, 2);
	append(&f, gap_accepted_record_encode(&accepted));
	assert_fails(store_append(f.store, gap_accepted_record_encode(&accepted), NULL, &err), &err,
		     ERROR_DEFECT, "the gap is accepted twice");
	accepted.generation.bytes[0] = 3; /* has none */
	assert_fails(store_append(f.store, gap_accepted_record_encode(&accepted), NULL, &err), &err,
		     ERROR_DEFECT, "no generation begins with");
	fill(&f);
	assert_same_after_reopening(&f);
	assert_int_equal(state_generation(current(&f), "orders")->generation.bytes[0], 4);
	assert_true(state_gap_at(current(&f), "orders", 0, &gap));
	assert_int_equal(gap.generation->generation.bytes[0], 1);
	assert_null(gap.accepted);
	assert_true(state_gap_at(current(&f), "orders", 1, &gap));
	assert_int_equal(gap.generation->generation.bytes[0], 2);
	assert_string_equal(gap.accepted->reason, "it was a test's");
	assert_true(gap.accepted_usec > 0);
	assert_false(state_gap_at(current(&f), "orders", 2, &gap));
	assert_false(state_gap_at(current(&f), "crm", 0, &gap));
	accepted.generation.bytes[0] = 1;
	append(&f, gap_accepted_record_encode(&accepted));
	begin_generation(&f, 5, true, 3);
	assert_same_after_reopening(&f);
	assert_true(state_gap_at(current(&f), "orders", 2, &gap));
	assert_null(gap.accepted);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_segment_takes_the_place_of_the_open_one),
		cmocka_unit_test(a_pending_segment_sealed_late_does_not_turn_back),
		cmocka_unit_test(an_empty_segment_moves_on_only_if_its_file_ended),
		cmocka_unit_test(a_period_lives_while_an_open_segment_names_it),
		cmocka_unit_test(a_request_waits_until_it_has_a_result),
		cmocka_unit_test(what_a_client_reads_is_remembered_until_it_is_withdrawn),
		cmocka_unit_test(a_pause_is_remembered_until_it_is_ended),
		cmocka_unit_test(the_version_of_the_configurations_bundle_only_grows),
		cmocka_unit_test(a_policy_only_gets_stricter),
		cmocka_unit_test(relations_between_leaves_are_checked),
		cmocka_unit_test(a_state_leaf_that_carries_something_else_is_told),
		cmocka_unit_test(gaps_are_counted_on_from_generation_to_generation),
		cmocka_unit_test(a_gap_is_remembered_and_accepted_once),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
