/*
 * What a request reads: segments in order, from the leaves of the archive as its last checkpoint
 * vouches for them. Made in a worker, on a store of its own; nothing of the keeper is touched.
 *
 * A restore has the segments of one source, a verification all sealed segments of all sources.
 *
 * Owns: the plans. Threads: any, one at a time.
 */
#pragma once

#include "config/config.h"
#include "store/plan.h"

struct export_plan;

/* ERROR_NOT_FOUND, or ERROR_DEFECT where a gap lies in what a restore would read whatever its limit
 * (a restore up to a time may end before a gap: export_plan_gap()). */
int export_plan_make(const struct config *config, const struct request_record *request,
		     struct export_plan **ret_plan, struct error *err) MUST_CHECK;
void export_plan_free(struct export_plan *plan);
DEFINE_CLEANUP(export_plan_free, struct export_plan *);

size_t export_plan_count(const struct export_plan *plan);
const struct plan_segment *export_plan_at(const struct export_plan *plan, size_t position);
const struct period_record *export_plan_period(const struct export_plan *plan, size_t position);
/* The plan of a restore's source; NULL for a verification. */
const struct plan *export_plan_source(const struct export_plan *plan);
uint64_t export_plan_byte_count(const struct export_plan *plan);

/* Of the first @count segments, those in which the server itself has an event with a wrong CRC:
 * [{file, start, end}]. */
json_t *export_plan_crc_wrong(const struct export_plan *plan, size_t count);

/* ERROR_DEFECT with the gap that lies before this segment of a restore, and what to do. */
int export_plan_gap(const struct export_plan *plan, size_t position, struct error *err) MUST_CHECK;
