#include "check/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "check/dependency.h"

#define MAP_ADVICE                                                                                 \
	"read the attribute's name and values in the registry and correct the map for this model"

struct inspection {
	const struct intent *intent;
	struct findings *findings;
	json_t *found;		       /* words of which an attribute exists */
	json_t *intended;	       /* attribute name → the value that would be set */
	struct registry_view end, now; /* when all is set; as the box is */
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool enumeration_has(const json_t *entry, const json_t *value)
{
	const json_t *choice;
	size_t index;

	json_array_foreach(json_object_get(entry, "Value"), index, choice)
	{
		if (json_equal(json_object_get(choice, "ValueName"), value))
			return true;
	}
	return false;
}

static bool number_fits(const json_t *entry, const json_t *value)
{
	const json_t *lower = json_object_get(entry, "LowerBound");
	const json_t *upper = json_object_get(entry, "UpperBound");

	return json_is_integer(value) &&
	       (!json_is_integer(lower) ||
		json_integer_value(value) >= json_integer_value(lower)) &&
	       (!json_is_integer(upper) || json_integer_value(value) <= json_integer_value(upper));
}

static bool takes(const json_t *entry, const json_t *value)
{
	const char *type = text_of(entry, "Type");

	if (strcmp(type, "Enumeration") == 0)
		return enumeration_has(entry, value);
	if (strcmp(type, "Integer") == 0)
		return number_fits(entry, value);
	if (strcmp(type, "Boolean") == 0)
		return json_is_boolean(value);
	if (strcmp(type, "String") == 0)
		return json_is_string(value);
	return false; /* Password and what is not in the standard */
}

/* "'Enabled', 'Disabled'", as far as it fits. */
static void list_choices(const json_t *entry, char *text, size_t size)
{
	const json_t *choice;
	size_t used = 0, index;

	text[0] = '\0';
	json_array_foreach(json_object_get(entry, "Value"), index, choice)
	{
		int length = snprintf(text + used, size - used, "%s'%.40s'", index ? ", " : "",
				      text_of(choice, "ValueName"));

		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
	}
}

/* The first right value that the attribute takes, or NULL with a finding. */
static const json_t *choose_value(struct inspection *inspection,
				  const struct intent_setting *setting, const json_t *entry)
{
	char wanted[VALUE_TEXT_SIZE], choices[512];
	const json_t *value;
	size_t index;

	json_array_foreach(setting->values, index, value)
	{
		if (takes(entry, value))
			return value;
	}
	value_format(json_array_get(setting->values, 0), wanted);
	list_choices(entry, choices, sizeof(choices));
	findings_add(inspection->findings, FINDING_DEFECT, setting->name, MAP_ADVICE,
		     "attribute '%.80s' of type '%.20s' does not take %s%s%s",
		     text_of(entry, "AttributeName"), text_of(entry, "Type"), wanted,
		     *choices ? "; it takes " : "", choices);
	return NULL;
}

static void match_setting(void *context, const struct intent_setting *setting)
{
	struct inspection *inspection = context;
	const json_t *entry;
	size_t index, found = 0;

	findings_count(inspection->findings);
	json_array_foreach(inspection->end.attributes, index, entry)
	{
		const char *name = text_of(entry, "AttributeName");
		const json_t *value;

		if (!intent_names(inspection->intent, setting->attribute, name))
			continue;
		found++;
		value = choose_value(inspection, setting, entry);
		if (value)
			json_put(inspection->intended, name, json_deep_copy(value));
	}
	json_put_bool(inspection->found, setting->name,
		      found || !setting->optional ||
			      json_is_true(json_object_get(inspection->found, setting->name)));
	if (found == 0 && !setting->optional)
		findings_add(inspection->findings, FINDING_DEFECT, setting->name, MAP_ADVICE,
			     "the registry has no attribute '%s'", setting->attribute);
}

/* What of ReadOnly, GrayOut and Hidden keeps the attribute from being set. */
static void judge_property(struct inspection *inspection, const struct intent_setting *setting,
			   const json_t *entry, const char *property)
{
	const char *name = text_of(entry, "AttributeName");
	const char *because = NULL, *because_now = NULL;
	enum truth truth = registry_property(&inspection->end, entry, property, &because);

	if (truth == TRUTH_YES && because)
		findings_add(inspection->findings, FINDING_DEFECT, setting->name,
			     "set the other attribute differently, or take this one out of the map "
			     "and check it by hand",
			     "attribute '%.80s' becomes %s by the value of '%.80s'", name, property,
			     because);
	else if (truth == TRUTH_YES)
		findings_add(
			inspection->findings, FINDING_DEFECT, setting->name,
			"if it only states a fact, mark it \"read-only\" in the map; else find "
			"the attribute that sets it",
			"attribute '%.80s' is %s", name, property);
	else if (truth == TRUTH_UNKNOWN)
		findings_add(
			inspection->findings, FINDING_ATTENTION, setting->name,
			"record the Bios resource of such a box and give it with --bios",
			"whether attribute '%.80s' is %s depends on '%.80s', whose value is not "
			"known",
			name, property, because ? because : "?");
	else if (inspection->now.values[0] &&
		 registry_property(&inspection->now, entry, property, &because_now) == TRUTH_YES)
		findings_add(inspection->findings, FINDING_NOTE, setting->name, "",
			     "attribute '%.80s' is %s until '%.80s' is changed: set that first, "
			     "restart, then set this",
			     name, property, because_now ? because_now : "?");
}

static void judge_entry(struct inspection *inspection, const struct intent_setting *setting,
			const json_t *entry)
{
	static const char *const properties[] = {"ReadOnly", "GrayOut", "Hidden"};
	char text[VALUE_TEXT_SIZE];
	const char *because = NULL;
	const json_t *forced;

	if (!setting->read_only) {
		for (size_t i = 0; i < ARRAY_LENGTH(properties); i++)
			judge_property(inspection, setting, entry, properties[i]);
	}
	forced = registry_forced_value(&inspection->end, entry, &because);
	if (forced && !intent_allows(setting->values, forced)) {
		value_format(forced, text);
		findings_add(inspection->findings, FINDING_DEFECT, setting->name,
			     "set the other attribute differently",
			     "attribute '%.80s' is made %s by the value of '%.80s'",
			     text_of(entry, "AttributeName"), text, because);
	}
}

static void judge_setting(void *context, const struct intent_setting *setting)
{
	struct inspection *inspection = context;
	const json_t *entry;
	size_t index;

	json_array_foreach(inspection->end.attributes, index, entry)
	{
		const char *name = text_of(entry, "AttributeName");

		if (intent_names(inspection->intent, setting->attribute, name) &&
		    json_object_get(inspection->intended, name))
			judge_entry(inspection, setting, entry);
	}
}

static void note_unmapped(void *context, const char *name, const char *why)
{
	struct inspection *inspection = context;

	findings_add(inspection->findings, FINDING_NOTE, name, "", "no attribute shows it: %s",
		     why);
}

int registry_check(const struct intent *intent, const json_t *registry, const json_t *bios,
		   struct findings *findings, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *intended = json_object();
	CLEANUP(json_decrefp)
	json_t *found = json_object();
	const json_t *entries = NULL, *attributes = NULL;
	const json_t *values = json_object_get(bios, "Attributes");
	struct inspection inspection;
	int r = json_get_object(registry, "RegistryEntries", &entries, err);

	ASSERT(intended && found);
	if (r == 0)
		r = json_get_array(entries, "Attributes", &attributes, err);
	if (r < 0)
		return error_prefix(err, "this is no AttributeRegistry");
	inspection = (struct inspection){
		.intent = intent,
		.findings = findings,
		.found = found,
		.intended = intended,
		.end = {.attributes = attributes,
			.dependencies = json_object_get(entries, "Dependencies"),
			.values = {intended, values}},
	};
	inspection.now = inspection.end;
	inspection.now.values[0] = values;
	inspection.now.values[1] = NULL;
	intent_each_setting(intent, match_setting, &inspection);
	intent_report_missing(found, findings);
	intent_each_setting(intent, judge_setting, &inspection);
	intent_each_unmapped(intent, note_unmapped, &inspection);
	return 0;
}
