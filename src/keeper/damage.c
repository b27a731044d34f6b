#include "keeper/damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "store/state.h"

#define ALARM_USEC (DAMAGE_ALARM_DAYS * 86400 * USEC_PER_SEC)

static const struct damaged_record *last(const struct source *source, uint64_t *ret_usec)
{
	return state_damaged(store_state(source->keeper->store), source->config->name, ret_usec);
}

static void describe(const struct damaged_record *record, char *sentence, size_t size)
{
	char what[64] = "an event somewhere behind"; /* its segment is known, no more */

	if (record->length > 0)
		snprintf(what, sizeof(what), "the event of %" PRIu32 " bytes at", record->length);
	snprintf(sentence, size,
		 "%s: %s %s:%" PRIu64 " has a wrong CRC on the server itself. It is archived as it "
		 "came, and what is restored from it says so. Do: look at the server's disk and "
		 "memory, and take a new backup of the server (shown for %d days)",
		 record->source, what, record->binlog_file, record->position, DAMAGE_ALARM_DAYS);
}

void damage_check(struct source *source)
{
	char name[KEEPER_ALARM_NAME_SIZE], sentence[512];
	const struct damaged_record *record;
	uint64_t usec;

	snprintf(name, sizeof(name), "damaged event %s", source->config->name);
	record = last(source, &usec);
	if (record && clock_realtime_usec() < usec + ALARM_USEC) {
		describe(record, sentence, sizeof(sentence));
		keeper_alarm_raise(source->keeper, name, sentence);
	} else {
		keeper_alarm_clear(source->keeper, name);
	}
}

static void append(struct source *source, struct damaged_record *record)
{
	const struct damaged_record *known;
	struct error err;
	uint64_t usec;

	known = last(source, &usec);
	if (known && memcmp(known->segment_id, record->segment_id, SEGMENT_ID_SIZE) == 0 &&
	    known->position >= record->position)
		return;
	memcpy(record->source, source->config->name, sizeof(record->source));
	if (keeper_append(source->keeper, damaged_record_encode(record), &err) < 0)
		log_warning("damage.not-recorded", "source", LOG_TEXT(source->config->name),
			    "reason", LOG_TEXT(err.message), LOG_END);
	damage_check(source);
}

void damage_told(struct source *source, const struct damaged *damaged)
{
	struct damaged_record record = {
		.position = damaged->position,
		.length = damaged->length,
		.crc = damaged->crc,
	};

	memcpy(record.segment_id, damaged->segment_id, SEGMENT_ID_SIZE);
	memcpy(record.binlog_file, damaged->binlog_file, sizeof(record.binlog_file));
	append(source, &record);
}

void damage_sealed(struct source *source, const struct segment_sealed_record *sealed)
{
	struct damaged_record record = {.position = sealed->start_position};

	if (!(sealed->end.summary.flags & SUMMARY_CRC_WRONG))
		return;
	memcpy(record.segment_id, sealed->segment_id, SEGMENT_ID_SIZE);
	memcpy(record.binlog_file, sealed->binlog_file, sizeof(record.binlog_file));
	append(source, &record);
}
