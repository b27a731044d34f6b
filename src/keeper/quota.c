#include "keeper/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "io/clock.h"
#include "keeper/source.h"

#define HOUR_USEC (3600 * USEC_PER_SEC)
#define DAY_USEC  (24 * HOUR_USEC)

/* What was counted belongs to the day and the hour at hand, or it is over. */
static void turn(struct quota *quota, uint64_t now_usec)
{
	if (quota->day != now_usec / DAY_USEC) {
		quota->day = now_usec / DAY_USEC;
		quota->sealed_size = 0;
	}
	if (quota->hour != now_usec / HOUR_USEC) {
		quota->hour = now_usec / HOUR_USEC;
		quota->segment_count = 0;
	}
}

void quota_opened(struct source *source, uint64_t now_usec)
{
	turn(&source->quota, now_usec);
	source->quota.segment_count++;
}

void quota_sealed(struct source *source, uint64_t size, uint64_t now_usec)
{
	turn(&source->quota, now_usec);
	source->quota.sealed_size += size;
}

uint64_t quota_used(const struct source *source, uint64_t now_usec)
{
	const struct quota *quota = &source->quota;
	uint64_t size = quota->day == now_usec / DAY_USEC ? quota->sealed_size : 0;

	for (const struct sealing *s = source->sealings; s; s = s->next) {
		if (s->has_progress && s->progress.good_end > s->record.header.start_position)
			size += s->progress.good_end - s->record.header.start_position;
	}
	return size;
}

/* --- limits ---------------------------------------------------------------------------------- */

static void day_sentence(const struct source *source, uint64_t now_usec, struct control *control)
{
	char limit[SIZE_TEXT_SIZE], used[SIZE_TEXT_SIZE], until[TIME_TEXT_SIZE];

	control->until_usec = (now_usec / DAY_USEC + 1) * DAY_USEC;
	size_format(source->config->max_bytes_per_day, limit);
	size_format(quota_used(source, now_usec), used);
	time_format(control->until_usec, until);
	snprintf(
		control->sentence, sizeof(control->sentence),
		"max-bytes-per-day = %s is used up: %s of today (UTC) are archived, and the source "
		"is not pulled until %.19sZ. Do: find out what writes so much, or raise the limit",
		limit, used, until);
}

static void hour_sentence(const struct source *source, uint64_t now_usec, struct control *control)
{
	char until[TIME_TEXT_SIZE];

	control->until_usec = (now_usec / HOUR_USEC + 1) * HOUR_USEC;
	time_format(control->until_usec, until);
	snprintf(control->sentence, sizeof(control->sentence),
		 "max-segments-per-hour = %" PRIu32 " is used up: the source is not pulled until "
		 "%.19sZ. Do: find out what rotates so often (FLUSH LOGS, reconnects), a larger "
		 "segment-size or segment-age, or raise the limit",
		 source->config->max_segments_per_hour, until);
}

bool quota_control(const struct source *source, uint64_t now_usec, struct control *ret_control)
{
	struct control control = {.kind = CONTROL_LIMIT};
	uint64_t limit = source->config->max_bytes_per_day;

	if (limit > 0 && quota_used(source, now_usec) >= limit)
		day_sentence(source, now_usec, &control);
	else if (source->config->max_segments_per_hour > 0 &&
		 source->quota.refused_hour == now_usec / HOUR_USEC)
		hour_sentence(source, now_usec, &control);
	else
		return false;
	*ret_control = control;
	return true;
}

int quota_check(struct source *source, uint64_t now_usec, struct error *err)
{
	struct quota *quota = &source->quota;
	struct control control;

	turn(quota, now_usec);
	if (source->config->max_segments_per_hour > 0 &&
	    quota->segment_count >= source->config->max_segments_per_hour)
		quota->refused_hour = quota->hour;
	if (!quota_control(source, now_usec, &control))
		return 0;
	return error_set(err, ERROR_NO_SPACE, "%s", control.sentence);
}

/* --- from the ledger ------------------------------------------------------------------------- */

static int count_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	struct source *source = context;
	struct segment_sealed_record record;
	uint64_t now = clock_realtime_usec(), time;
	bool opened = leaf_is(leaf, record_type_name(RECORD_SEGMENT_OPENED));
	const char *name;
	int r;

	if (!opened && !leaf_is(leaf, record_type_name(RECORD_SEGMENT_SEALED)))
		return 0;
	r = record_time(leaf->object, &time, err);
	if (r == 0)
		r = json_get_string(leaf->object, "source", &name, err);
	if (r < 0 || strcmp(name, source->config->name) != 0 || time / DAY_USEC != now / DAY_USEC)
		return r;
	if (opened) {
		if (time / HOUR_USEC == now / HOUR_USEC)
			quota_opened(source, now);
		return 0;
	}
	r = segment_sealed_record_decode(leaf->object, &record, err);
	if (r < 0)
		return r;
	quota_sealed(source, record.end.summary.event_end - record.start_position, now);
	segment_sealed_record_release(&record);
	return 0;
}

int quota_start(struct source *source, struct error *err)
{
	if (source->config->max_bytes_per_day == 0 && source->config->max_segments_per_hour == 0)
		return 0;
	return store_leaves(source->keeper->store, count_leaf, source, err);
}
