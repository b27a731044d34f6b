#include "keeper/pause.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "keeper/operator.h"
#include "keeper/source.h"

static const struct paused_record *find_pause(const struct source *source, uint64_t *ret_index,
					      uint64_t *ret_usec)
{
	return state_paused(store_state(source->keeper->store), source->config->name, ret_index,
			    ret_usec);
}

bool pause_control(const struct source *source, struct control *ret_control)
{
	uint64_t since;
	const struct paused_record *paused = find_pause(source, NULL, &since);
	char when[TIME_TEXT_SIZE];

	if (!paused)
		return false;
	*ret_control = (struct control){.kind = CONTROL_PAUSE};
	time_format(since, when);
	snprintf(ret_control->sentence, sizeof(ret_control->sentence),
		 "paused since %.19sZ by user %u: %.300s. Do: binvault source resume %s", when,
		 (unsigned)paused->uid, paused->reason, source->config->name);
	return true;
}

json_t *pause_status(const struct source *source)
{
	uint64_t since;
	const struct paused_record *paused = find_pause(source, NULL, &since);
	json_t *object;

	if (!paused)
		return NULL;
	object = json_object();
	json_put_u64(object, "since", since);
	json_put_u64(object, "uid", paused->uid);
	json_put_string(object, "reason", paused->reason);
	return object;
}

/* --- verbs ----------------------------------------------------------------------------------- */

int pause_answer_pause(struct keeper *keeper, const struct operator_caller *caller,
		       const json_t *request, json_t *reply, struct error *err)
{
	struct paused_record record = {.uid = caller->uid, .gid = caller->gid};
	const struct paused_record *before;
	struct source *source;
	const char *reason;
	int r = operator_take_source(keeper, request, false, &source, &reason, err);

	if (r < 0)
		return r;
	before = find_pause(source, NULL, NULL);
	if (before)
		return error_set(err, ERROR_EXISTS,
				 "source '%s' is paused already, by user %u: %.300s",
				 source->config->name, (unsigned)before->uid, before->reason);
	memcpy(record.source, source->config->name, sizeof(record.source));
	snprintf(record.reason, sizeof(record.reason), "%s", reason);
	r = keeper_append(keeper, paused_record_encode(&record), err);
	if (r < 0)
		return r;
	log_info("source.paused", "source", LOG_TEXT(record.source), "uid", LOG_NUMBER(record.uid),
		 "reason", LOG_TEXT(record.reason), LOG_END);
	source_control(source);
	json_put(reply, "schema", json_integer(1));
	json_put_string(reply, "name", source->config->name);
	json_put_string(reply, "state", "paused");
	return 0;
}

int pause_answer_resume(struct keeper *keeper, const struct operator_caller *caller,
			const json_t *request, json_t *reply, struct error *err)
{
	struct resumed_record record = {.uid = caller->uid, .gid = caller->gid};
	struct source *source;
	const char *reason;
	json_t *from;
	int r = operator_take_source(keeper, request, true, &source, &reason, err);

	if (r < 0)
		return r;
	if (!find_pause(source, &record.paused_index, NULL))
		return error_set(err, ERROR_USAGE, "source '%s' is not paused",
				 source->config->name);
	memcpy(record.source, source->config->name, sizeof(record.source));
	snprintf(record.reason, sizeof(record.reason), "%s", reason);
	coverage_place(source, record.from_file, &record.from_position);
	record.from_usec = source->coverage.until_usec;
	r = keeper_append(keeper, resumed_record_encode(&record), err);
	if (r < 0)
		return r;
	log_info("source.resumed", "source", LOG_TEXT(record.source), "uid", LOG_NUMBER(record.uid),
		 "reason", LOG_TEXT(record.reason), LOG_END);
	source_control(source);
	json_put(reply, "schema", json_integer(1));
	json_put_string(reply, "name", source->config->name);
	json_put_string(reply, "state", "resumed");
	from = json_object();
	json_put_string(from, "file", record.from_file);
	json_put_u64(from, "position", record.from_position);
	json_put_u64(from, "usec", record.from_usec);
	json_put(reply, "from", from);
	json_put_u64(reply, "to", clock_realtime_usec());
	return 0;
}
