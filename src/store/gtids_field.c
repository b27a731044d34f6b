#include "store/gtids_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

/* A range takes 26 bytes of a snapshot at least, and at most three times as many in JSON. */
#define SNAPSHOT_JSON_MAX (3 * GTID_SNAPSHOT_SIZE_MAX)

static int range_of_json(const json_t *item, struct gtid_range *ret, struct error *err)
{
	/* A range as an object of its own, so that the getters' checks serve. */
	const char *group = json_string_value(json_array_get(item, 0));
	const char *keys[] = {"first", "last"};
	uint64_t *values[] = {&ret->first, &ret->last};
	size_t length = group ? strlen(group) : 0;
	int r = 0;

	if (json_array_size(item) != 3 || length < 2 || length % 2 ||
	    length > 2 * (size_t)GTID_GROUP_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a GTID range is not [group, first, last]");
	ret->group_size = (uint8_t)(length / 2);
	r = hex_decode(group, ret->group, ret->group_size, err);
	for (int i = 0; r == 0 && i < 2; i++) {
		json_t *pair = json_object();

		json_object_set(pair, keys[i], json_array_get(item, (size_t)i + 1));
		r = json_get_u64(pair, keys[i], values[i], err);
		json_decref(pair);
	}
	if (r == 0 && ret->first > ret->last)
		return error_set(err, ERROR_DEFECT, "a GTID range ends before it begins");
	return r;
}

int field_get_ranges(const json_t *array, struct gtid_ranges *ranges, struct error *err)
{
	struct gtid_range range;
	json_t *item;
	size_t i;

	if (!json_is_array(array))
		return error_set(err, ERROR_DEFECT, "a set of GTIDs is not an array");
	json_array_foreach(array, i, item)
	{
		int r = range_of_json(item, &range, err);

		if (r < 0)
			return error_prefix(err, "GTID range %zu", i);
		if (ranges)
			gtid_ranges_add(ranges, &range);
	}
	return 0;
}

json_t *field_ranges_json(const struct gtid_ranges *ranges, size_t text_size_max)
{
	size_t budget = text_size_max - 2; /* [] */
	json_t *array;

	if (gtid_ranges_overflowed(ranges))
		return NULL;
	array = json_array();
	for (size_t i = 0; i < gtid_ranges_count(ranges); i++) {
		const struct gtid_range *range = gtid_ranges_at(ranges, i);
		char group[HEX_SIZE(GTID_GROUP_SIZE_MAX)], first[24], last[24];
		size_t size;

		hex_encode(range->group, range->group_size, group);
		snprintf(first, sizeof(first), "%" PRIu64, range->first);
		snprintf(last, sizeof(last), "%" PRIu64, range->last);
		size = strlen(group) + strlen(first) + strlen(last) + sizeof("[\"\",\"\",\"\"]");
		if (size > budget) {
			json_decref(array);
			return NULL;
		}
		budget -= size;
		json_array_append_new(array, json_pack("[sss]", group, first, last));
	}
	return array;
}

void field_put_snapshot(json_t *object, const char *key, const struct gtid_snapshot *snapshot)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	struct error err;
	json_t *array;
	int r;

	if (!snapshot->known)
		return;
	r = gtid_snapshot_unite(snapshot, ranges, &err);
	ASSERT(r == 0); /* a record of ours */
	array = field_ranges_json(ranges, SNAPSHOT_JSON_MAX);
	ASSERT(array);
	json_put(object, key, array);
}

int field_get_snapshot(const json_t *object, const char *key, struct gtid_snapshot *ret_snapshot,
		       struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = NULL;
	const json_t *array = json_object_get(object, key);
	int r;

	ret_snapshot->known = false;
	if (!array)
		return 0;
	ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	r = field_get_ranges(array, ranges, err);
	if (r == 0 && gtid_ranges_overflowed(ranges))
		r = error_set(err, ERROR_DEFECT, "more GTID ranges than a leaf of ours holds");
	if (r < 0)
		return error_prefix(err, "field '%s'", key);
	gtid_snapshot_take(ret_snapshot, ranges);
	return 0;
}
