#include "unit/cmocka_prelude.h"

#include "unit/keeper/keeper_fixture.h"

#include "keeper/configuration.h"
#include "keeper/operator.h"

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

/* One start of the keeper with the bundle @version (0: none) whose hash begins with @digit. */
static int start(struct fixture *fixture, uint64_t version, uint8_t digit, struct error *err)
{
	fixture_stop(fixture);
	fixture->config->bundle_version = version;
	fixture->config->bundle_hash[0] = digit;
	return fixture_try_start(fixture, err);
}

static uint64_t leaf_count(const struct fixture *fixture)
{
	return store_tree(fixture->keeper->store)->size;
}

static void the_ledger_remembers_the_last_bundle(void **state)
{
	struct fixture *fixture = *state;
	const struct config_refused_record *refused;
	const struct config_record *config;
	struct error err;
	uint64_t count;

	assert_ok(start(fixture, 0, 0, &err), &err);
	assert_ok(start(fixture, 7, 1, &err), &err);
	assert_ok(start(fixture, 7, 1, &err), &err);
	assert_fails(start(fixture, 7, 2, &err), &err, ERROR_REFUSED,
		     "another bundle of version 7 than the one that this archive has run with. "
		     "Do: seal what is wanted as version 8 or later");
	assert_fails(start(fixture, 0, 0, &err), &err, ERROR_REFUSED,
		     "'test.conf' comes from no bundle, and this archive has run with version 7");
	assert_fails(start(fixture, 6, 1, &err), &err, ERROR_REFUSED,
		     "'test.conf' is version 6 of its bundle, and this archive has run with "
		     "version 7");
	assert_ok(start(fixture, 9, 3, &err), &err);
	config = state_config(store_state(fixture->keeper->store));
	assert_int_equal(config->bundle_version, 9);
	assert_int_equal(config->bundle_hash.bytes[0], 3);
	refused = state_config_refused(store_state(fixture->keeper->store));
	assert_int_equal(refused->version, 6);
	assert_non_null(strstr(refused->sentence, "is version 6 of its bundle"));
	/* However often it is tried again, it is one leaf: beside it only those of this start. */
	count = leaf_count(fixture);
	for (int i = 0; i < 3; i++)
		assert_fails(start(fixture, 8, 1, &err), &err, ERROR_REFUSED, "is version 8");
	assert_ok(start(fixture, 9, 3, &err), &err);
	assert_int_equal(leaf_count(fixture), count + 2);
}

static void a_bundle_for_another_vault_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	free(fixture->config->name);
	fixture->config->name = strdup("elsewhere");
	assert_fails(
		start(fixture, 1, 1, &err), &err, ERROR_REFUSED,
		"comes from a bundle for vault 'elsewhere', and this archive is that of vault");
}

/* What would be refused anyway must not have become the policy, which only gets stricter. */
static void what_is_refused_leaves_the_policy_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	const struct policy_record *policy;
	struct config_class *class;
	struct error err;
	size_t count;

	assert_ok(start(fixture, 2, 1, &err), &err);
	count = state_policy(store_state(fixture->keeper->store))->class_count;
	class = &fixture->config->classes[fixture->config->class_count++];
	snprintf(class->name, sizeof(class->name), "planted");
	assert_fails(start(fixture, 1, 1, &err), &err, ERROR_REFUSED, "is version 1");
	fixture->config->class_count--;
	memset(class, 0, sizeof(*class));
	assert_ok(start(fixture, 2, 1, &err), &err);
	policy = state_policy(store_state(fixture->keeper->store));
	assert_int_equal(policy->class_count, count);
}

static void a_report_becomes_a_leaf_once(void **state)
{
	struct fixture *fixture = *state;
	const struct operator_caller caller = {.uid = 7, .gid = 8, .may_operate = true};
	const struct config_refused_record *refused;
	json_t *request = json_object(), *reply = json_object();
	struct error err;
	uint64_t count;

	assert_ok(start(fixture, 0, 0, &err), &err);
	assert_fails(configuration_answer_refused(fixture->keeper, &caller, request, reply, &err),
		     &err, ERROR_USAGE, "'usec' is missing");
	json_put_u64(request, "usec", 5);
	json_put_string(request, "sentence", "it is \xc3\xa4");
	json_put_u64(request, "version", 3);
	json_put_string(request, "hash", "12");
	assert_fails(configuration_answer_refused(fixture->keeper, &caller, request, reply, &err),
		     &err, ERROR_USAGE, "'hash'");
	json_object_del(request, "hash");
	count = leaf_count(fixture);
	for (int i = 0; i < 2; i++)
		assert_ok(configuration_answer_refused(fixture->keeper, &caller, request, reply,
						       &err),
			  &err);
	assert_int_equal(leaf_count(fixture), count + 1);
	refused = state_config_refused(store_state(fixture->keeper->store));
	assert_string_equal(refused->sentence, "it is ??");
	assert_int_equal(refused->refused_usec, 5);
	assert_int_equal(refused->version, 3);
	assert_int_equal(refused->uid, 7);
	assert_false(refused->hashed);
	json_decref(request);
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_ledger_remembers_the_last_bundle, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_bundle_for_another_vault_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_refused_leaves_the_policy_as_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_report_becomes_a_leaf_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
