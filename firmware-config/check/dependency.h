/*
 * What the dependencies of a Redfish AttributeRegistry (DMTF DSP0268) do to one attribute: under
 * some values of other attributes it becomes read only, greyed out or hidden, or gets a value.
 *
 * A condition whose attribute has no known value is neither true nor false, and what follows from
 * it is said to be unknown rather than guessed.
 *
 * Owns: nothing; all of it is borrowed. Threads: any.
 */
#pragma once

#include "base/json.h"

enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

struct registry_view {
	const json_t *attributes;   /* RegistryEntries.Attributes, an array */
	const json_t *dependencies; /* RegistryEntries.Dependencies, an array or NULL */
	const json_t *values[2];    /* name → value, the first that has the name counts */
};

/* The registry's entry for exactly @name, or NULL. */
const json_t *registry_entry(const struct registry_view *view, const char *name);

/*
 * Does @entry have the truth value @property ("ReadOnly", "GrayOut", "Hidden") once the values of
 * @view are in force? *ret_because is the attribute that decided or is unknown, or NULL.
 */
enum truth registry_property(const struct registry_view *view, const json_t *entry,
			     const char *property, const char **ret_because);

/* The value that a dependency forces upon @entry, or NULL; *ret_because as above. */
const json_t *registry_forced_value(const struct registry_view *view, const json_t *entry,
				    const char **ret_because);
