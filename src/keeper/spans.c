#include "keeper/spans.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "io/clock.h"
#include "keeper/source.h"
#include "store/semi_sync_record.h"

static void write_due(struct source *source);

static void write_later(void *context)
{
	write_due(context);
}

static void append(struct source *source)
{
	struct spans *spans = &source->spans;
	struct semi_sync_record record = {
		.on = spans->now.on,
		.since_usec = spans->now.since_usec,
		.position = spans->told.position,
		.change_count = spans->change_count,
		.off_usec = spans->unrecorded_usec,
	};
	struct error err;

	memcpy(record.source, source->config->name, sizeof(record.source));
	memcpy(record.sentence, spans->now.sentence, sizeof(record.sentence));
	memcpy(record.binlog_file, spans->told.file, sizeof(record.binlog_file));
	if (keeper_append(source->keeper, semi_sync_record_encode(&record), &err) < 0) {
		/* Without room it comes with the next one. */
		log_warning("semi-sync.not-recorded", "source", LOG_TEXT(source->config->name),
			    "reason", LOG_TEXT(err.message), LOG_END);
		return;
	}
	spans->due = false;
	spans->change_count = 0;
	spans->unrecorded_usec = 0;
}

static void write_due(struct source *source)
{
	struct spans *spans = &source->spans;
	uint64_t now = clock_monotonic_usec();
	uint64_t free_usec = MAX(spans->leaves_usec, now);

	if (!spans->due)
		return;
	if (free_usec <= now + (SPANS_LEAVES_AT_ONCE - 1) * SPANS_LEAF_USEC) {
		spans->leaves_usec = free_usec + SPANS_LEAF_USEC;
		append(source);
	}
	if (spans->due)
		loop_timer_set(source->keeper->loop, &spans->timer, SPANS_LEAF_USEC, write_later,
			       source);
}

/* A span without acknowledgements has ended. */
static void count_off(struct spans *spans, uint64_t until_usec)
{
	uint64_t begin = spans->now.since_usec;
	uint64_t length = until_usec > begin ? until_usec - begin : 0;

	spans->unrecorded_usec += length;
	if (!spans->has_been_on)
		return;
	spans->off_count++;
	spans->off_usec += length;
	spans->last_off = spans->now;
	spans->last_off_until_usec = until_usec;
}

static void enter(struct source *source, const struct span *next)
{
	struct spans *spans = &source->spans;
	bool changed = spans->known && spans->now.on != next->on;
	/* On since another time: the end of that span, and one without, were not told. */
	bool missed =
		spans->known && !changed && next->on && spans->now.since_usec != next->since_usec;

	if (spans->known && !changed && !missed) {
		spans->now = (struct span){next->on, spans->now.since_usec, ""};
		memcpy(spans->now.sentence, next->sentence, sizeof(spans->now.sentence));
		return;
	}
	if (changed && next->on)
		count_off(spans, next->since_usec);
	spans->change_count += missed ? 2 : changed;
	spans->now = *next;
	spans->has_been_on |= next->on;
	spans->known = true;
	spans->due = true;
	log_info("semi-sync.span", "source", LOG_TEXT(source->config->name), "on",
		 LOG_NUMBER(next->on), "sentence", LOG_TEXT(next->sentence), LOG_END);
	write_due(source);
}

static void enter_told(struct source *source)
{
	const struct pull_semi_sync *told = &source->spans.told;
	struct span next = {
		.on = told->on,
		.since_usec = MAX(told->since_usec, source->spans.confirmed_usec),
	};

	memcpy(next.sentence, told->sentence, sizeof(next.sentence));
	enter(source, &next);
}

void spans_told(struct source *source, const struct pull_semi_sync *told)
{
	struct spans *spans = &source->spans;

	if (!source->config->semi_sync)
		return;
	if (!told->on || told->since_usec != spans->told.since_usec) {
		spans->denied = false;
		spans->confirmed_usec = 0;
	}
	spans->told = *told;
	if (!spans->denied)
		enter_told(source);
}

static void deny(struct source *source, uint64_t since_usec)
{
	const struct span next = {
		.since_usec = since_usec,
		.sentence = "the server says that its commits do not wait, or did not "
			    "(Rpl_semi_sync_*_status, _no_tx). Do on the server: SHOW GLOBAL "
			    "STATUS LIKE 'rpl_semi_sync%'",
	};

	source->spans.denied = true;
	enter(source, &next);
}

/* Did commits not wait, in a time of which the puller knows nothing? Since when, or 0. */
static uint64_t counted_since(struct spans *spans, const struct observed *report)
{
	uint64_t counted = spans->counted, counted_usec = spans->counted_usec;

	spans->counted = report->semi_sync_no_count;
	spans->counted_usec = report->observed_usec;
	if (counted_usec < MAX(spans->told.since_usec, spans->confirmed_usec))
		return 0;
	return report->semi_sync_no_count > counted ? counted_usec : 0;
}

/* What the server says counts, unless it said so before what the puller saw. */
void spans_observed(struct source *source)
{
	const struct observed *report = source->coverage.report;
	struct spans *spans = &source->spans;
	uint64_t since;

	if (!report || report->semi_sync == OBSERVED_SEMI_SYNC_UNKNOWN ||
	    report->observed_usec <= spans->counted_usec)
		return;
	since = counted_since(spans, report);
	if (!spans->told.on || source->stage != SOURCE_ATTACHED ||
	    report->observed_usec < spans->told.since_usec + SPANS_DENIED_AFTER_USEC)
		return;
	if (report->semi_sync == OBSERVED_SEMI_SYNC_OFF)
		deny(source, since ? since : report->observed_usec);
	else if (since && !spans->denied)
		deny(source, since);
	/* On again since some time between the two; the later one is sure. */
	if (report->semi_sync == OBSERVED_SEMI_SYNC_ON && spans->denied) {
		spans->denied = false;
		spans->confirmed_usec = report->observed_usec;
		enter_told(source);
	}
}

void spans_no_puller(struct source *source)
{
	const struct span next = {
		.since_usec = clock_realtime_usec(),
		.sentence = "no puller is connected",
	};

	if (source->config->semi_sync && source->spans.known)
		enter(source, &next);
}

void spans_release(struct source *source)
{
	loop_timer_clear(source->keeper->loop, &source->spans.timer);
}

json_t *spans_status(const struct source *source)
{
	const struct spans *spans = &source->spans;
	json_t *object, *last;

	if (!source->config->semi_sync)
		return NULL;
	object = json_object();
	json_put_bool(object, "on", spans->now.on);
	json_put_u64(object, "since",
		     spans->known ? spans->now.since_usec : source->keeper->started_usec);
	json_put_string(object, "sentence",
			spans->known ? spans->now.sentence : "no puller has said anything yet");
	json_put_string(object, "file", spans->told.file);
	json_put_u64(object, "position", spans->told.position);
	json_put_u64(object, "acknowledged", spans->told.acknowledged_count);
	json_put_u64(object, "not_acknowledged", spans->told.other_count);
	json_put_u64(object, "off_spans", spans->off_count);
	json_put_u64(object, "off_usec", spans->off_usec);
	if (spans->off_count > 0) {
		last = json_object();
		json_put_u64(last, "since", spans->last_off.since_usec);
		json_put_u64(last, "until", spans->last_off_until_usec);
		json_put_string(last, "sentence", spans->last_off.sentence);
		json_put(object, "last_off", last);
	}
	return object;
}

bool spans_are_normal(const struct source *source, uint64_t now_usec)
{
	const struct spans *spans = &source->spans;
	uint64_t since = spans->known ? spans->now.since_usec : source->keeper->started_usec;

	return !source->config->semi_sync || (spans->known && spans->now.on) ||
	       now_usec < since + SPANS_ATTENTION_USEC;
}
