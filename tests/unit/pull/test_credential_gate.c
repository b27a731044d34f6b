#include "unit/cmocka_prelude.h"

#include <string.h>

#include "base/units.h"
#include "pull/credential_gate.h"

#define HOUR (3600 * USEC_PER_SEC)

static const struct hash first = {{1}}, second = {{2}}, third = {{3}};

static void a_refused_version_is_tried_again_only_after_the_configured_time(void **state)
{
	struct credential_gate gate = {0};

	(void)state;
	assert_true(credential_gate_allows(&gate, &first, 0, HOUR));
	credential_gate_refused(&gate, &first, 100, "db1 refused it");
	assert_string_equal(gate.sentence, "db1 refused it");
	assert_false(credential_gate_allows(&gate, &first, 100 + HOUR - 1, HOUR));
	assert_true(credential_gate_allows(&gate, &first, 100 + HOUR, HOUR));
	assert_false(credential_gate_allows(&gate, &first, 100000 * HOUR, 0));
	credential_gate_forgive(&gate);
	assert_true(credential_gate_allows(&gate, &first, 100, 0));
}

static void versions_that_are_all_new_and_all_wrong_are_tried_ever_more_slowly(void **state)
{
	struct credential_gate gate = {0};
	uint64_t now = 0, pause = 5 * USEC_PER_SEC;
	struct hash id = {{0}};

	(void)state;
	for (uint8_t i = 1; i < 30; i++) {
		id.bytes[0] = i;
		assert_true(credential_gate_allows(&gate, &id, now, 0));
		credential_gate_refused(&gate, &id, now, "no");
		id.bytes[0] = (uint8_t)(i + 1);
		assert_false(credential_gate_allows(&gate, &id, now + pause - 1, 0));
		now += pause;
		pause = pause * 2 < 600 * USEC_PER_SEC ? pause * 2 : 600 * USEC_PER_SEC;
	}
}

static void one_that_has_worked_here_may_follow_a_refused_one_at_once(void **state)
{
	struct credential_gate gate = {0};

	(void)state;
	credential_gate_accepted(&gate, &first);
	credential_gate_refused(&gate, &second, 100, "no");
	assert_true(credential_gate_allows(&gate, &first, 100, 0));
	assert_false(credential_gate_allows(&gate, &second, 200 * HOUR, 0));
	assert_false(credential_gate_allows(&gate, &third, 100, 0));
}

static void when_one_that_worked_is_refused_what_was_refused_before_is_tried_anew(void **state)
{
	struct credential_gate gate = {0};

	(void)state;
	/* A rotation: the new one is there before the server knows it. */
	credential_gate_accepted(&gate, &first);
	credential_gate_refused(&gate, &second, 100, "no");
	credential_gate_accepted(&gate, &first);
	credential_gate_refused(&gate, &first, 200, "no");
	assert_true(credential_gate_allows(&gate, &second, 200, 0));
	assert_false(credential_gate_allows(&gate, &first, 200, 0));
	/* But that gives one try, and not one after the other. */
	credential_gate_refused(&gate, &second, 300, "no");
	assert_false(credential_gate_allows(&gate, &first, 200 * HOUR, 0));
	assert_false(credential_gate_allows(&gate, &second, 200 * HOUR, 0));
}

static void the_version_that_was_not_seen_for_longest_is_forgotten(void **state)
{
	struct credential_gate gate = {0};
	struct hash id = {{0}};

	(void)state;
	for (uint8_t i = 1; i <= GATE_VERSIONS + 1; i++) {
		id.bytes[0] = i;
		credential_gate_refused(&gate, &id, i, "no");
	}
	assert_true(credential_gate_allows(&gate, &first, HOUR, 0));
	assert_false(credential_gate_allows(&gate, &second, HOUR, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_version_is_tried_again_only_after_the_configured_time),
		cmocka_unit_test(
			versions_that_are_all_new_and_all_wrong_are_tried_ever_more_slowly),
		cmocka_unit_test(one_that_has_worked_here_may_follow_a_refused_one_at_once),
		cmocka_unit_test(
			when_one_that_worked_is_refused_what_was_refused_before_is_tried_anew),
		cmocka_unit_test(the_version_that_was_not_seen_for_longest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
