#include "unit/cmocka_prelude.h"

#include "base/json.h"
#include "check/dependency.h"

/* A registry of three attributes; A is judged, B and C decide. @rules stands in Dependencies. */
struct registry {
	json_t *attributes, *dependencies, *values;
	struct registry_view view;
};

static json_t *parse(const char *text)
{
	json_error_t reason;
	json_t *value = json_loads(text, JSON_DECODE_ANY, &reason);

	if (!value)
		fail_msg("%s: %s", text, reason.text);
	return value;
}

static struct registry registry_of(const char *rules, const char *values)
{
	struct registry registry = {
		.attributes = parse("[{\"AttributeName\":\"A\",\"ReadOnly\":false},"
				    "{\"AttributeName\":\"B\",\"CurrentValue\":\"On\"},"
				    "{\"AttributeName\":\"C\",\"CurrentValue\":null},"
				    "{\"AttributeName\":\"R\",\"ReadOnly\":true}]"),
		.dependencies = parse(rules),
		.values = parse(values),
	};

	registry.view = (struct registry_view){.attributes = registry.attributes,
					       .dependencies = registry.dependencies,
					       .values = {registry.values, NULL}};
	return registry;
}

static void registry_end(struct registry *registry)
{
	json_decref(registry->attributes);
	json_decref(registry->dependencies);
	json_decref(registry->values);
}

#define RULE(to, property, value, from)                                                            \
	"{\"Type\":\"Map\",\"DependencyFor\":\"" to "\",\"Dependency\":{\"MapFrom\":[" from        \
	"],\"MapToAttribute\":\"" to "\",\"MapToProperty\":\"" property "\",\"MapToValue\":" value \
	"}}"
#define FROM(name, condition, value)                                                               \
	"{\"MapFromAttribute\":\"" name "\",\"MapFromProperty\":\"CurrentValue\","                 \
	"\"MapFromCondition\":\"" condition "\",\"MapFromValue\":" value "}"
#define WITH(terms, name, condition, value)                                                        \
	"{\"MapTerms\":\"" terms "\",\"MapFromAttribute\":\"" name "\","                           \
	"\"MapFromProperty\":\"CurrentValue\",\"MapFromCondition\":\"" condition "\","             \
	"\"MapFromValue\":" value "}"

static void assert_read_only(const char *rules, const char *values, const char *name,
			     enum truth expected, const char *because)
{
	struct registry registry = registry_of(rules, values);
	const char *found = NULL;
	enum truth truth = registry_property(&registry.view, registry_entry(&registry.view, name),
					     "ReadOnly", &found);

	assert_int_equal(truth, expected);
	if (because)
		assert_string_equal(found, because);
	registry_end(&registry);
}

static void a_condition_decides_by_what_is_known(void **state)
{
	static const char rule[] =
		"[" RULE("A", "ReadOnly", "true", FROM("B", "EQU", "\"Off\"")) "]";

	(void)state;
	assert_read_only("[]", "{}", "A", TRUTH_NO, NULL);
	assert_read_only(rule, "{}", "A", TRUTH_NO, NULL); /* the registry says On */
	assert_read_only(rule, "{\"B\":\"Off\"}", "A", TRUTH_YES, "B");
	assert_read_only("[" RULE("A", "ReadOnly", "true", FROM("C", "EQU", "\"Off\"")) "]", "{}",
			 "A", TRUTH_UNKNOWN, "C");
	assert_read_only("[" RULE("A", "ReadOnly", "true", FROM("Gone", "NEQ", "\"Off\"")) "]",
			 "{}", "A", TRUTH_UNKNOWN, "Gone");
	/* Dell's spelling of the property, and truth as a text */
	assert_read_only("[" RULE("A", "Readonly", "\"True\"", FROM("B", "NEQ", "\"Off\"")) "]",
			 "{}", "A", TRUTH_YES, "B");
}

static void what_is_read_only_may_become_writable(void **state)
{
	static const char rule[] =
		"[" RULE("R", "ReadOnly", "false", FROM("B", "EQU", "\"On\"")) "]";

	(void)state;
	assert_read_only("[]", "{}", "R", TRUTH_YES, NULL);
	assert_read_only(rule, "{}", "R", TRUTH_NO, NULL);
	assert_read_only(rule, "{\"B\":\"Off\"}", "R", TRUTH_YES, NULL);
}

static void numbers_are_compared_and_texts_are_not(void **state)
{
	static const struct {
		const char *condition, *values;
		enum truth expected;
	} cases[] = {
		{"GTR", "{\"C\":5}", TRUTH_NO},	      {"GTR", "{\"C\":6}", TRUTH_YES},
		{"GEQ", "{\"C\":5}", TRUTH_YES},      {"LSS", "{\"C\":4}", TRUTH_YES},
		{"LEQ", "{\"C\":6}", TRUTH_NO},	      {"LSS", "{\"C\":\"4\"}", TRUTH_UNKNOWN},
		{"LIKE", "{\"C\":5}", TRUTH_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rules[512];

		snprintf(rules, sizeof(rules),
			 "[" RULE("A", "ReadOnly", "true", FROM("C", "%s", "5")) "]",
			 cases[i].condition);
		assert_read_only(rules, cases[i].values, "A", cases[i].expected, NULL);
	}
}

static void terms_join_conditions(void **state)
{
	static const char both[] =
		"[" RULE("A", "ReadOnly", "true",
			 FROM("B", "EQU", "\"On\"") "," WITH("AND", "C", "EQU", "1")) "]";
	static const char either[] =
		"[" RULE("A", "ReadOnly", "true",
			 FROM("B", "EQU", "\"On\"") "," WITH("OR", "C", "EQU", "1")) "]";

	(void)state;
	assert_read_only(both, "{\"C\":1}", "A", TRUTH_YES, NULL);
	assert_read_only(both, "{\"C\":2}", "A", TRUTH_NO, NULL);
	assert_read_only(both, "{}", "A", TRUTH_UNKNOWN, NULL);
	assert_read_only(both, "{\"B\":\"Off\"}", "A", TRUTH_NO, NULL);
	assert_read_only(either, "{}", "A", TRUTH_YES, NULL);
	assert_read_only(either, "{\"B\":\"Off\",\"C\":2}", "A", TRUTH_NO, NULL);
	assert_read_only(either, "{\"B\":\"Off\"}", "A", TRUTH_UNKNOWN, NULL);
}

static void a_forced_value_is_found(void **state)
{
	struct registry registry = registry_of(
		"[" RULE("A", "CurrentValue", "\"Disabled\"", FROM("B", "EQU", "\"On\"")) "]",
		"{}");
	const char *because = NULL;
	const json_t *forced = registry_forced_value(&registry.view,
						     registry_entry(&registry.view, "A"), &because);

	(void)state;
	assert_string_equal(json_string_value(forced), "Disabled");
	assert_string_equal(because, "B");
	registry_end(&registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_condition_decides_by_what_is_known),
		cmocka_unit_test(what_is_read_only_may_become_writable),
		cmocka_unit_test(numbers_are_compared_and_texts_are_not),
		cmocka_unit_test(terms_join_conditions),
		cmocka_unit_test(a_forced_value_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
