#include "volume/gtid_snapshot.h"

#include <string.h>

void gtid_snapshot_take(struct gtid_snapshot *snapshot, const struct gtid_ranges *ranges)
{
	memset(snapshot, 0, sizeof(*snapshot));
	if (gtid_ranges_overflowed(ranges) || gtid_ranges_size(ranges) > GTID_SNAPSHOT_SIZE_MAX)
		return;
	snapshot->known = true;
	snapshot->count = (uint32_t)gtid_ranges_count(ranges);
	snapshot->size = (uint32_t)gtid_ranges_size(ranges);
	gtid_ranges_encode(ranges, snapshot->bytes);
}

int gtid_snapshot_unite(const struct gtid_snapshot *snapshot, struct gtid_ranges *ranges,
			struct error *err)
{
	if (!snapshot->known)
		return error_set(err, ERROR_NOT_FOUND, "the set of GTIDs is not known");
	if (snapshot->size > GTID_SNAPSHOT_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a set of GTIDs of %u bytes is too long",
				 snapshot->size);
	return gtid_ranges_decode(ranges, snapshot->bytes, snapshot->size, snapshot->count, err);
}
