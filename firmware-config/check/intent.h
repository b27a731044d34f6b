/*
 * What a server's firmware shall be set to (intent.json, in words that no vendor owns), and what
 * one vendor calls it (map-VENDOR.json). Both are ours; a mistake in them is ERROR_DEFECT.
 *
 * Each word of the intent is either mapped to settings, or says why no setting shows it and where
 * to look instead: a map cannot forget a word.
 *
 * Owns: both documents; what the functions hand out is borrowed. Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "check/finding.h"

struct intent {
	json_t *intent, *map;
	bool suffixed; /* this vendor hangs a hexadecimal number behind a name: "CSMSupport_0015" */
};

/* One attribute of the map, for the word @name of the intent. */
struct intent_setting {
	const char *name, *reason;
	const char *attribute;
	const json_t *values; /* array of what is right; the first that exists is what to set */
	bool read_only;	      /* a fact that the firmware states; nobody sets it */
	bool optional;	      /* not every model has it */
};

/* One property of a standard Redfish resource. */
struct intent_property {
	const char *resource; /* "SecureBoot" */
	const char *property; /* "IPMI.ProtocolEnabled": objects within objects */
	const json_t *values;
	bool optional; /* a service that has no such protocol need not say so */
	const char *reason, *advice;
};

int intent_load(const char *intent_path, const char *map_path, struct intent *ret_intent,
		struct error *err) MUST_CHECK;
void intent_release(struct intent *intent);

/* Is an attribute of a box called @name the one that the map calls @attribute? */
bool intent_names(const struct intent *intent, const char *attribute, const char *name);

/* Is @value one of @values? */
bool intent_allows(const json_t *values, const json_t *value);

void intent_each_setting(const struct intent *intent,
			 void (*visit)(void *context, const struct intent_setting *setting),
			 void *context);
void intent_each_unmapped(const struct intent *intent,
			  void (*visit)(void *context, const char *name, const char *why),
			  void *context);
void intent_each_property(const struct intent *intent,
			  void (*visit)(void *context, const struct intent_property *property),
			  void *context);

/* A finding for each word whose value in @found is false: its settings are all optional, and then
 * one at least must be there. */
void intent_report_missing(const json_t *found, struct findings *findings);

/* Is a box whose ComputerSystem says @manufacturer one that the map is for? */
bool intent_map_is_for(const struct intent *intent, const char *manufacturer);
const char *intent_vendor(const struct intent *intent);

/* A JSON value as a sentence shows it: 'Enabled', 3, true. */
#define VALUE_TEXT_SIZE 96
void value_format(const json_t *value, char text[VALUE_TEXT_SIZE]);
