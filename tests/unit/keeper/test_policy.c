#include "unit/cmocka_prelude.h"

#include "base/units.h"
#include "keeper/policy.h"

#define DAY (86400 * USEC_PER_SEC)

static struct policy_record policy_of(uint64_t keep, uint64_t minimum, uint64_t maximum)
{
	struct policy_record policy = {.worm = WORM_ADVISORY, .class_count = 1};

	policy.classes[0] = (struct config_class){
		.name = "finance",
		.keep_usec = keep,
		.minimum_usec = minimum,
		.maximum_usec = maximum,
	};
	return policy;
}

static struct config config_of(uint64_t keep, uint64_t minimum, uint64_t maximum)
{
	struct policy_record policy = policy_of(keep, minimum, maximum);
	static char path[] = "b.conf";
	struct config config = {.path = path, .worm = WORM_ADVISORY, .class_count = 1};

	config.classes[0] = policy.classes[0];
	return config;
}

static void the_same_policy_is_no_change(void **state)
{
	struct policy_record policy = policy_of(100 * DAY, 10 * DAY, 0), next;
	struct config config = config_of(100 * DAY, 10 * DAY, 0);
	struct error err = {0};
	bool stricter;

	(void)state;
	assert_ok(policy_compare(&policy, &config, &next, &stricter, &err), &err);
	assert_false(stricter);
}

static void a_longer_retention_becomes_the_policy(void **state)
{
	struct policy_record policy = policy_of(100 * DAY, 10 * DAY, 200 * DAY), next;
	struct config config = config_of(0, 20 * DAY, 0);
	struct error err = {0};
	bool stricter;

	(void)state;
	assert_ok(policy_compare(&policy, &config, &next, &stricter, &err), &err);
	assert_true(stricter);
	assert_int_equal(next.classes[0].keep_usec, 0);
	assert_int_equal(next.classes[0].minimum_usec, 20 * DAY);
}

static void whatever_is_looser_is_refused_with_its_key(void **state)
{
	static const struct {
		uint64_t keep, minimum, maximum;
		const char *words;
	} rows[] = {
		{99 * DAY, 10 * DAY, 200 * DAY, "keep is shorter"},
		{100 * DAY, 9 * DAY, 200 * DAY, "minimum is shorter"},
		{100 * DAY, 10 * DAY, 199 * DAY, "maximum is shorter"},
	};
	struct policy_record policy = policy_of(100 * DAY, 10 * DAY, 200 * DAY), next;
	struct error err = {0};
	bool stricter;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config config = config_of(rows[i].keep, rows[i].minimum, rows[i].maximum);

		assert_fails(policy_compare(&policy, &config, &next, &stricter, &err), &err,
			     ERROR_USAGE, rows[i].words);
	}
}

static void for_ever_is_not_shortened_and_a_class_does_not_vanish(void **state)
{
	struct policy_record policy = policy_of(0, 0, 0), next;
	struct config config = config_of(9999 * DAY, 0, 0);
	struct error err = {0};
	bool stricter;

	(void)state;
	assert_fails(policy_compare(&policy, &config, &next, &stricter, &err), &err, ERROR_USAGE,
		     "[retention finance] keep is shorter");
	config.class_count = 0;
	assert_fails(policy_compare(&policy, &config, &next, &stricter, &err), &err, ERROR_USAGE,
		     "[retention finance] is missing");
}

static void worm_is_what_the_archive_was_made_with(void **state)
{
	struct policy_record policy = policy_of(0, 0, 0), next;
	struct config config = config_of(0, 0, 0);
	struct error err = {0};
	bool stricter;

	(void)state;
	config.worm = WORM_REQUIRED;
	assert_fails(policy_compare(&policy, &config, &next, &stricter, &err), &err, ERROR_USAGE,
		     "was made with worm = advisory");
	config.worm = WORM_ADVISORY;
	policy.worm = WORM_REQUIRED;
	assert_fails(policy_compare(&policy, &config, &next, &stricter, &err), &err, ERROR_USAGE,
		     "this archive requires WORM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_policy_is_no_change),
		cmocka_unit_test(a_longer_retention_becomes_the_policy),
		cmocka_unit_test(whatever_is_looser_is_refused_with_its_key),
		cmocka_unit_test(for_ever_is_not_shortened_and_a_class_does_not_vanish),
		cmocka_unit_test(worm_is_what_the_archive_was_made_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
