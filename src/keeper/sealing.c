#include "keeper/sealing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "io/file.h"
#include "keeper/periods.h"
#include "keeper/recover.h"
#include "keeper/source.h"
#include "store/state.h"

#define RETRY_FIRST_USEC (20 * USEC_PER_MSEC)
#define RETRY_MAX_USEC	 (2 * USEC_PER_SEC)
#define KEY_RETRY_USEC	 (10 * USEC_PER_SEC)
#define SPACE_RETRY_USEC (5 * USEC_PER_SEC)
#define END_SPACE	 (2 * (uint64_t)BLOCK_SIZE_MAX) /* filler and END */

/* What the worker has. It outlives nothing: sealing_free() comes after loop_end_jobs(). */
struct sealing_job {
	struct loop_job job;
	struct sealing *sealing;
	struct recover_request request;
	struct secret key;
	struct segment_sealed_record record;
	bool ended;
	uint64_t began_usec;
	int result;
	struct error err;
};

static void begin(void *context);

const char *sealing_state_name(enum sealing_state state)
{
	static const char *const names[] = {
		[SEALING_WRITING] = "writing",	       [SEALING_KEY] = "pending",
		[SEALING_VERIFYING] = "verifying",     [SEALING_QUIET] = "not quiet",
		[SEALING_SPACE] = "waiting for space", [SEALING_STOPPED] = "stopped",
	};

	return names[state];
}

static void become(struct sealing *sealing, enum sealing_state state, const char *sentence)
{
	if (sealing->state != state)
		sealing->since_usec = clock_realtime_usec();
	sealing->state = state;
	if (sentence != sealing->sentence)
		snprintf(sealing->sentence, sizeof(sealing->sentence), "%.*s",
			 (int)sizeof(sealing->sentence) - 1, sentence);
}

struct sealing *sealing_new(struct source *source, uint64_t opened_index,
			    const struct segment_opened_record *record)
{
	struct sealing *sealing = calloc(1, sizeof(*sealing));

	ASSERT(sealing);
	sealing->keeper = source->keeper;
	sealing->source = source;
	sealing->opened_index = opened_index;
	sealing->record = *record;
	sealing->retry_usec = RETRY_FIRST_USEC;
	sealing->since_usec = clock_realtime_usec();
	return sealing;
}

static void job_free(struct sealing_job *job)
{
	if (!job)
		return;
	secret_release(&job->key);
	segment_sealed_record_release(&job->record);
	free(job);
}
DEFINE_CLEANUP(job_free, struct sealing_job *);

void sealing_free(struct sealing *sealing)
{
	if (!sealing)
		return;
	loop_timer_clear(sealing->keeper->loop, &sealing->timer);
	if (sealing->keeper->periods)
		periods_cancel(sealing->keeper->periods, sealing);
	job_free(sealing->job);
	free(sealing);
}

uint64_t sealing_space_needed(const struct sealing *sealing)
{
	uint64_t size = sealing->keeper->config->segment_size, received = 0;

	if (sealing->state != SEALING_WRITING)
		return END_SPACE;
	if (sealing->has_progress)
		received = sealing->progress.good_end - sealing->record.header.start_position;
	return size - MIN(size, received) + END_SPACE;
}

/* --- the job --------------------------------------------------------------------------------- */

static void job_run(struct loop_job *loop_job)
{
	struct sealing_job *job = (struct sealing_job *)loop_job;

	job->result = segment_recover(&job->request, &job->record, &job->ended, &job->err);
}

static void stop(struct sealing *sealing, const struct error *reason)
{
	char name[KEEPER_ALARM_NAME_SIZE], sentence[512];

	snprintf(sentence, sizeof(sentence),
		 "source %s: %.190s: %.150s. It stays as it is; pulling goes on from the last "
		 "sealed end. Do: binvault verify",
		 sealing->record.header.source, sealing->record.path, reason->message);
	become(sealing, SEALING_STOPPED, sentence);
	snprintf(name, sizeof(name), "sealing of %s stopped", sealing->record.header.source);
	keeper_alarm_raise(sealing->keeper, name, sentence);
	source_changed(sealing->source);
}

static void try_again(struct sealing *sealing, enum sealing_state state, const struct error *reason)
{
	become(sealing, state, reason->message);
	loop_timer_set(sealing->keeper->loop, &sealing->timer,
		       state == SEALING_QUIET ? sealing->retry_usec : SPACE_RETRY_USEC, begin,
		       sealing);
	sealing->retry_usec = MIN(sealing->retry_usec * 2, RETRY_MAX_USEC);
	source_changed(sealing->source);
}

/* What was stated as durable must be there: it was acknowledged. */
static void check_covered(const struct sealing *sealing, uint64_t good_end)
{
	const struct segment_header *header = &sealing->record.header;
	const struct covered_record *covered =
		state_covered(store_state(sealing->keeper->store), header->source, NULL);
	uint64_t position = sealing->has_progress ? sealing->progress.good_end : 0;
	char name[KEEPER_ALARM_NAME_SIZE], sentence[512];

	if (covered && memcmp(covered->segment_id, header->segment_id, SEGMENT_ID_SIZE) == 0)
		position = MAX(position, covered->position);
	if (position <= good_end)
		return;
	snprintf(name, sizeof(name), "bytes of %s lost", header->source);
	snprintf(sentence, sizeof(sentence),
		 "%s was durable to position %" PRIu64 " and is sealed to %" PRIu64
		 ": the disk has lost what was acknowledged, or binvault-pull stated what it had "
		 "not written. It is pulled again while the server has it. Do: check the disk, "
		 "then binvault list %s",
		 header->binlog_file, position, good_end, header->source);
	keeper_alarm_raise(sealing->keeper, name, sentence);
}

static void sealed(struct sealing *sealing, const struct sealing_job *job)
{
	const struct segment_sealed_record *record = &job->record;
	struct source *source = sealing->source;
	struct error err;
	int r = keeper_append(sealing->keeper, segment_sealed_record_encode(record), &err);

	if (r == ERROR_NO_SPACE) {
		try_again(sealing, SEALING_SPACE, &err);
		return;
	}
	if (r < 0) {
		stop(sealing, &err);
		return;
	}
	log_info("segment.sealed", "source", LOG_TEXT(record->source), "path",
		 LOG_TEXT(record->path), "size", LOG_NUMBER(record->hashes.size), "good_end",
		 LOG_NUMBER(record->end.summary.event_end), "ended",
		 LOG_TEXT(segment_ended_name(record->end.ended)), "recovered",
		 LOG_NUMBER(job->ended), "duration_usec",
		 LOG_NUMBER(clock_monotonic_usec() - job->began_usec), LOG_END);
	check_covered(sealing, record->end.summary.event_end);
	source_sealed(source, sealing, record);
}

static void job_done(struct loop_job *loop_job)
{
	CLEANUP(job_freep)
	struct sealing_job *job = (struct sealing_job *)loop_job;
	struct sealing *sealing = job->sealing;

	sealing->job = NULL;
	if (sealing->keeper->failed)
		return;
	if (job->result == 0)
		sealed(sealing, job);
	else if (sealing->state == SEALING_WRITING)
		return; /* adopted meanwhile: there is a writer, as it should be */
	else if (job->result == ERROR_BUSY)
		try_again(sealing, SEALING_QUIET, &job->err);
	else if (job->result == ERROR_NO_SPACE)
		try_again(sealing, SEALING_SPACE, &job->err);
	else
		stop(sealing, &job->err);
}

/* --- from the key to the job ----------------------------------------------------------------- */

static void key_ready(void *owner, const struct secret *key, const struct error *reason)
{
	CLEANUP(job_freep)
	struct sealing_job *job = NULL;
	struct sealing *sealing = owner;
	struct error err;
	int r;

	if (!key && (reason->code == ERROR_DEFECT || reason->code == ERROR_USAGE)) {
		stop(sealing, reason);
		return;
	}
	if (!key) {
		become(sealing, SEALING_KEY, reason->message);
		loop_timer_set(sealing->keeper->loop, &sealing->timer, KEY_RETRY_USEC, begin,
			       sealing);
		return;
	}
	job = calloc(1, sizeof(*job));
	ASSERT(job);
	r = segment_key_derive(key, sealing->record.header_bytes, &job->key, &err);
	if (r < 0) {
		stop(sealing, &err);
		return;
	}
	job->sealing = sealing;
	job->began_usec = clock_monotonic_usec();
	job->request = (struct recover_request){
		.store = sealing->keeper->store,
		.opened = &sealing->record,
		.opened_index = sealing->opened_index,
		.key = &job->key,
		.now_usec = clock_realtime_usec(),
	};
	job->job.run = job_run;
	job->job.done = job_done;
	become(sealing, SEALING_VERIFYING, sealing->sentence);
	sealing->job = job;
	loop_job_submit(sealing->keeper->loop, &TAKE(job)->job);
}

static void begin(void *context)
{
	struct sealing *sealing = context;
	const struct state *state = store_state(sealing->keeper->store);
	const struct period_record *period =
		state_period_find(state, sealing->record.header.period_id);
	struct error err;

	if (sealing->job || sealing->state == SEALING_WRITING)
		return;
	if (!period) {
		error_set(&err, ERROR_DEFECT, "no leaf names its period");
		stop(sealing, &err);
		return;
	}
	become(sealing, SEALING_KEY, "waiting for its key from binvault-hsm");
	periods_fetch(sealing->keeper->periods, period, key_ready, sealing);
}

void sealing_begin(struct sealing *sealing)
{
	if (sealing->state != SEALING_WRITING)
		return;
	become(sealing, SEALING_KEY, "");
	sealing->retry_usec = RETRY_FIRST_USEC;
	begin(sealing);
}

void sealing_adopt(struct sealing *sealing)
{
	periods_cancel(sealing->keeper->periods, sealing);
	loop_timer_clear(sealing->keeper->loop, &sealing->timer);
	become(sealing, SEALING_WRITING, "");
}
