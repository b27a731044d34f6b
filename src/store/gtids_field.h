/*
 * Sets of GTIDs in JSON: [[group in hex, first, last], …], in the order of the set.
 *
 * Owns: nothing; a new array is the caller's.
 */
#pragma once

#include "base/json.h"
#include "volume/gtid_snapshot.h"

/* NULL if the set has overflowed or its text would pass @text_size_max. */
json_t *field_ranges_json(const struct gtid_ranges *ranges, size_t text_size_max);

/* Unite an array into @ranges (which may overflow: no error); NULL: only check it. */
int field_get_ranges(const json_t *array, struct gtid_ranges *ranges, struct error *err) MUST_CHECK;

/* A field that is left out if the set is not known. */
void field_put_snapshot(json_t *object, const char *key, const struct gtid_snapshot *snapshot);
int field_get_snapshot(const json_t *object, const char *key, struct gtid_snapshot *ret_snapshot,
		       struct error *err) MUST_CHECK;
