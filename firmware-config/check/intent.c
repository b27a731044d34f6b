#include "check/intent.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check/evidence.h"

#define INTENT_FORMAT	  "binvault-redfish-intent-1"
#define MAP_FORMAT	  "binvault-redfish-map-1"
#define SUFFIX_DIGITS_MAX 8

/* jansson's iteration takes a mutable object but does not change it. */
static json_t *mutable_object(const json_t *object)
{
	return (json_t *)(uintptr_t)object;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static int check_text(const json_t *object, const char *key, struct error *err)
{
	const char *text = NULL;
	int r = json_get_string(object, key, &text, err);

	if (r == 0 && !*text)
		r = error_set(err, ERROR_DEFECT, "field '%s' is empty", key);
	return r;
}

static int check_values(const json_t *object, struct error *err)
{
	const json_t *values = NULL;
	const json_t *value;
	size_t index;
	int r = json_get_array(object, "values", &values, err);

	if (r < 0)
		return r;
	if (json_array_size(values) == 0)
		return error_set(err, ERROR_DEFECT, "field 'values' is empty");
	json_array_foreach(values, index, value)
	{
		if (!json_is_string(value) && !json_is_integer(value) && !json_is_boolean(value))
			return error_set(err, ERROR_DEFECT,
					 "value %zu is no text, number or truth value", index);
	}
	return 0;
}

static int check_intent(const json_t *intent, struct error *err)
{
	const json_t *bios = NULL, *resources = NULL;
	const json_t *property;
	json_t *word;
	const char *name;
	size_t index;
	int r = json_get_object(intent, "bios", &bios, err);

	if (r == 0)
		r = json_get_array(intent, "resources", &resources, err);
	if (r < 0)
		return r;
	json_object_foreach(mutable_object(bios), name, word)
	{
		r = check_text(word, "state", err);
		if (r == 0)
			r = check_text(word, "reason", err);
		if (r < 0)
			return error_prefix(err, "word '%s'", name);
	}
	json_array_foreach(resources, index, property)
	{
		r = check_text(property, "resource", err);
		if (r == 0)
			r = check_text(property, "property", err);
		if (r == 0)
			r = check_text(property, "reason", err);
		if (r == 0)
			r = check_text(property, "do", err);
		if (r == 0)
			r = check_values(property, err);
		if (r < 0)
			return error_prefix(err, "resource %zu", index);
	}
	return 0;
}

static int check_mapping(const json_t *mapping, struct error *err)
{
	const json_t *settings = NULL;
	const json_t *setting;
	size_t index;
	int r;

	if (json_object_get(mapping, "unmapped"))
		return check_text(mapping, "unmapped", err);
	r = json_get_array(mapping, "settings", &settings, err);
	if (r == 0 && json_array_size(settings) == 0)
		r = error_set(err, ERROR_DEFECT,
			      "no settings: name them, or say in 'unmapped' where to look instead");
	if (r < 0)
		return r;
	json_array_foreach(settings, index, setting)
	{
		r = check_text(setting, "attribute", err);
		if (r == 0)
			r = check_values(setting, err);
		if (r < 0)
			return error_prefix(err, "setting %zu", index);
	}
	return 0;
}

static int check_map(const json_t *map, const json_t *intent_bios, struct error *err)
{
	const json_t *bios = NULL, *sources = NULL, *manufacturers = NULL;
	json_t *word;
	const char *name;
	int r = json_get_object(map, "bios", &bios, err);

	if (r == 0)
		r = check_text(map, "vendor", err);
	if (r == 0)
		r = json_get_array(map, "manufacturers", &manufacturers, err);
	if (r == 0)
		r = json_get_array(map, "sources", &sources, err);
	if (r == 0 && json_array_size(sources) == 0)
		r = error_set(err, ERROR_DEFECT,
			      "'sources' is empty: say where the names are from");
	if (r < 0)
		return r;
	json_object_foreach(mutable_object(intent_bios), name, word)
	{
		const json_t *mapping = json_object_get(bios, name);

		r = mapping ? check_mapping(mapping, err)
			    : error_set(err, ERROR_DEFECT,
					"is not in the map: map it or say why not");
		if (r < 0)
			return error_prefix(err, "word '%s'", name);
	}
	json_object_foreach(mutable_object(bios), name, word)
	{
		if (!json_object_get(intent_bios, name))
			return error_set(err, ERROR_DEFECT, "word '%s' is not in the intent", name);
	}
	return 0;
}

int intent_load(const char *intent_path, const char *map_path, struct intent *ret_intent,
		struct error *err)
{
	CLEANUP(intent_release)
	struct intent intent = {0};
	int r = evidence_read_format(intent_path, INTENT_FORMAT, &intent.intent, err);

	if (r < 0)
		return r;
	r = check_intent(intent.intent, err);
	if (r < 0)
		return error_prefix(err, "'%s'", intent_path);
	r = evidence_read_format(map_path, MAP_FORMAT, &intent.map, err);
	if (r < 0)
		return r;
	r = check_map(intent.map, json_object_get(intent.intent, "bios"), err);
	if (r < 0)
		return error_prefix(err, "'%s'", map_path);
	intent.suffixed = is_true(intent.map, "suffixed");
	*ret_intent = (struct intent){.intent = TAKE(intent.intent),
				      .map = TAKE(intent.map),
				      .suffixed = intent.suffixed};
	return 0;
}

void intent_release(struct intent *intent)
{
	json_decref(intent->intent);
	json_decref(intent->map);
	*intent = (struct intent){0};
}

bool intent_names(const struct intent *intent, const char *attribute, const char *name)
{
	size_t length = strlen(attribute), digits = 0;

	if (strncmp(name, attribute, length) != 0)
		return false;
	name += length;
	if (!*name)
		return true;
	if (!intent->suffixed || (*name != '_' && *name != '#'))
		return false;
	while (isxdigit((unsigned char)name[1 + digits]))
		digits++;
	return digits > 0 && digits <= SUFFIX_DIGITS_MAX && !name[1 + digits];
}

bool intent_allows(const json_t *values, const json_t *value)
{
	const json_t *allowed;
	size_t index;

	json_array_foreach(values, index, allowed)
	{
		if (json_equal(allowed, value))
			return true;
	}
	return false;
}

void intent_each_setting(const struct intent *intent,
			 void (*visit)(void *context, const struct intent_setting *setting),
			 void *context)
{
	const json_t *words = json_object_get(intent->intent, "bios");
	json_t *mapping;
	const char *name;

	json_object_foreach(json_object_get(intent->map, "bios"), name, mapping)
	{
		const json_t *setting;
		size_t index;

		json_array_foreach(json_object_get(mapping, "settings"), index, setting)
		{
			visit(context,
			      &(struct intent_setting){
				      .name = name,
				      .reason = text_of(json_object_get(words, name), "reason"),
				      .attribute = text_of(setting, "attribute"),
				      .values = json_object_get(setting, "values"),
				      .read_only = is_true(setting, "read-only"),
				      .optional = is_true(setting, "optional")});
		}
	}
}

void intent_each_unmapped(const struct intent *intent,
			  void (*visit)(void *context, const char *name, const char *why),
			  void *context)
{
	json_t *mapping;
	const char *name;

	json_object_foreach(json_object_get(intent->map, "bios"), name, mapping)
	{
		if (json_object_get(mapping, "unmapped"))
			visit(context, name, text_of(mapping, "unmapped"));
	}
}

void intent_each_property(const struct intent *intent,
			  void (*visit)(void *context, const struct intent_property *property),
			  void *context)
{
	const json_t *property;
	size_t index;

	json_array_foreach(json_object_get(intent->intent, "resources"), index, property)
	{
		visit(context,
		      &(struct intent_property){.resource = text_of(property, "resource"),
						.property = text_of(property, "property"),
						.values = json_object_get(property, "values"),
						.optional = is_true(property, "optional"),
						.reason = text_of(property, "reason"),
						.advice = text_of(property, "do")});
	}
}

void intent_report_missing(const json_t *found, struct findings *findings)
{
	const char *name;
	json_t *value;

	json_object_foreach(mutable_object(found), name, value)
	{
		if (!json_is_true(value))
			findings_add(findings, FINDING_DEFECT, name,
				     "find out what this model calls it, and correct the map",
				     "none of its attributes is there");
	}
}

bool intent_map_is_for(const struct intent *intent, const char *manufacturer)
{
	const json_t *name;
	size_t index;

	json_array_foreach(json_object_get(intent->map, "manufacturers"), index, name)
	{
		if (json_is_string(name) && strcmp(json_string_value(name), manufacturer) == 0)
			return true;
	}
	return false;
}

const char *intent_vendor(const struct intent *intent)
{
	return text_of(intent->map, "vendor");
}

void value_format(const json_t *value, char text[VALUE_TEXT_SIZE])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		snprintf(text, VALUE_TEXT_SIZE, "'%.80s'", json_string_value(value));
		break;
	case JSON_INTEGER:
		snprintf(text, VALUE_TEXT_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(text, VALUE_TEXT_SIZE, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(text, VALUE_TEXT_SIZE, "%s", json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
	default:
		snprintf(text, VALUE_TEXT_SIZE, "no plain value");
		break;
	}
}
