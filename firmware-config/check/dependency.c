#include "check/dependency.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

const json_t *registry_entry(const struct registry_view *view, const char *name)
{
	const json_t *entry;
	size_t index;

	json_array_foreach(view->attributes, index, entry)
	{
		if (strcmp(text_of(entry, "AttributeName"), name) == 0)
			return entry;
	}
	return NULL;
}

/* Vendors write truth values as such and as the texts "true" and "True". */
static enum truth truth_of(const json_t *value)
{
	if (json_is_boolean(value))
		return json_is_true(value) ? TRUTH_YES : TRUTH_NO;
	if (json_is_string(value) && strcasecmp(json_string_value(value), "true") == 0)
		return TRUTH_YES;
	return TRUTH_NO;
}

static const json_t *known_value(const struct registry_view *view, const char *name)
{
	const json_t *entry;
	const json_t *value;

	for (size_t i = 0; i < sizeof(view->values) / sizeof(view->values[0]); i++) {
		value = json_object_get(view->values[i], name);
		if (value && !json_is_null(value))
			return value;
	}
	entry = registry_entry(view, name);
	value = json_object_get(entry, "CurrentValue");
	return value && !json_is_null(value) ? value : NULL;
}

static enum truth compare(const json_t *left, const char *condition, const json_t *right)
{
	const bool numbers = json_is_number(left) && json_is_number(right);
	const double difference = numbers ? json_number_value(left) - json_number_value(right) : 0;

	if (strcmp(condition, "EQU") == 0)
		return json_equal(left, right) ? TRUTH_YES : TRUTH_NO;
	if (strcmp(condition, "NEQ") == 0)
		return json_equal(left, right) ? TRUTH_NO : TRUTH_YES;
	if (!numbers)
		return TRUTH_UNKNOWN;
	if (strcmp(condition, "GTR") == 0)
		return difference > 0 ? TRUTH_YES : TRUTH_NO;
	if (strcmp(condition, "GEQ") == 0)
		return difference >= 0 ? TRUTH_YES : TRUTH_NO;
	if (strcmp(condition, "LSS") == 0)
		return difference < 0 ? TRUTH_YES : TRUTH_NO;
	if (strcmp(condition, "LEQ") == 0)
		return difference <= 0 ? TRUTH_YES : TRUTH_NO;
	return TRUTH_UNKNOWN;
}

static enum truth judge_condition(const struct registry_view *view, const json_t *from)
{
	const char *property = text_of(from, "MapFromProperty");
	const char *name = text_of(from, "MapFromAttribute");
	const json_t *value = strcmp(property, "CurrentValue") == 0
				      ? known_value(view, name)
				      : json_object_get(registry_entry(view, name), property);
	const json_t *expected = json_object_get(from, "MapFromValue");

	if (!value || !expected)
		return TRUTH_UNKNOWN;
	return compare(value, text_of(from, "MapFromCondition"), expected);
}

static enum truth both(enum truth a, enum truth b)
{
	if (a == TRUTH_NO || b == TRUTH_NO)
		return TRUTH_NO;
	return a == TRUTH_YES && b == TRUTH_YES ? TRUTH_YES : TRUTH_UNKNOWN;
}

static enum truth either(enum truth a, enum truth b)
{
	if (a == TRUTH_YES || b == TRUTH_YES)
		return TRUTH_YES;
	return a == TRUTH_NO && b == TRUTH_NO ? TRUTH_NO : TRUTH_UNKNOWN;
}

/* All conditions, joined in their order by each one's MapTerms. */
static enum truth judge(const struct registry_view *view, const json_t *rule,
			const char **ret_because)
{
	enum truth result = TRUTH_UNKNOWN;
	const json_t *from;
	size_t index;

	json_array_foreach(json_object_get(rule, "MapFrom"), index, from)
	{
		enum truth one = judge_condition(view, from);

		*ret_because = text_of(from, "MapFromAttribute");
		if (index == 0)
			result = one;
		else if (strcmp(text_of(from, "MapTerms"), "OR") == 0)
			result = either(result, one);
		else
			result = both(result, one);
	}
	return result;
}

/* The dependency's rule if it maps to this property of this attribute, else NULL. */
static const json_t *rule_for(const json_t *dependency, const char *name, const char *property)
{
	const json_t *rule = json_object_get(dependency, "Dependency");

	if (strcmp(text_of(dependency, "Type"), "Map") != 0 ||
	    strcmp(text_of(rule, "MapToAttribute"), name) != 0 ||
	    strcasecmp(text_of(rule, "MapToProperty"), property) != 0)
		return NULL;
	return rule;
}

enum truth registry_property(const struct registry_view *view, const json_t *entry,
			     const char *property, const char **ret_because)
{
	enum truth result = truth_of(json_object_get(entry, property));
	const json_t *dependency;
	size_t index;

	*ret_because = NULL;
	json_array_foreach(view->dependencies, index, dependency)
	{
		const json_t *rule =
			rule_for(dependency, text_of(entry, "AttributeName"), property);
		const char *because = NULL;
		enum truth holds = rule ? judge(view, rule, &because) : TRUTH_NO;
		enum truth becomes = truth_of(json_object_get(rule, "MapToValue"));

		if (holds == TRUTH_NO || becomes == result)
			continue;
		result = holds == TRUTH_YES ? becomes : TRUTH_UNKNOWN;
		*ret_because = because;
	}
	return result;
}

const json_t *registry_forced_value(const struct registry_view *view, const json_t *entry,
				    const char **ret_because)
{
	const json_t *forced = NULL;
	const json_t *dependency;
	size_t index;

	*ret_because = NULL;
	json_array_foreach(view->dependencies, index, dependency)
	{
		const json_t *rule =
			rule_for(dependency, text_of(entry, "AttributeName"), "CurrentValue");
		const char *because = NULL;

		if (rule && judge(view, rule, &because) == TRUTH_YES) {
			forced = json_object_get(rule, "MapToValue");
			*ret_because = because;
		}
	}
	return forced;
}
