/*
 * A GTID set at one moment, in a fixed place: what messages and ledger records carry of "everything
 * that is archived up to here". Half a set is a lie, so one that does not fit is not known at all.
 *
 * Owns: nothing; a plain value, unknown when zeroed. Threads: any.
 */
#pragma once

#include "volume/ranges.h"

/* Room for 75 ranges of MySQL, 98 of MariaDB. A sealed leaf must hold it beside the segment's own
 * ranges (store/FORMAT.md, limits). */
#define GTID_SNAPSHOT_SIZE_MAX 2560

struct gtid_snapshot {
	bool known;
	uint32_t count; /* of ranges */
	uint32_t size;
	uint8_t bytes[GTID_SNAPSHOT_SIZE_MAX]; /* as gtid_ranges_encode(); zeros behind them */
};

/* Take a set; not known if it has overflowed or does not fit. */
void gtid_snapshot_take(struct gtid_snapshot *snapshot, const struct gtid_ranges *ranges);

/* Unite it into @ranges, which may overflow. ERROR_NOT_FOUND if it is not known, ERROR_DEFECT if
 * its bytes are no set. */
int gtid_snapshot_unite(const struct gtid_snapshot *snapshot, struct gtid_ranges *ranges,
			struct error *err) MUST_CHECK;
