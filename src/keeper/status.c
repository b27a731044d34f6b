#include "keeper/status.h"

#include <string.h>

#include "io/clock.h"
#include "keeper/configuration.h"
#include "keeper/gap.h"
#include "keeper/operator.h"
#include "keeper/pause.h"
#include "keeper/preflight.h"
#include "keeper/signing.h"
#include "keeper/source.h"
#include "store/state.h"

/* --- sources --------------------------------------------------------------------------------- */

static const char *source_state(const struct source *source)
{
	static const char *const names[] = {
		[PULL_CONNECTING] = "connecting", [PULL_STREAMING] = "streaming",
		[PULL_WAITING] = "waiting",	  [PULL_REFUSED] = "refused",
		[PULL_PAUSED] = "paused",	  [PULL_LIMITED] = "limited",
	};

	if (source->stage == SOURCE_AWAY)
		return "no puller";
	if (source->stage == SOURCE_ATTACHING)
		return "recovering";
	return source->has_status ? names[source->status.state] : "connecting";
}

static const struct generation_record *generation(const struct source *source)
{
	return state_generation(store_state(source->keeper->store), source->config->name);
}

static bool source_is_normal(const struct source *source, uint64_t now)
{
	if (source->stage == SOURCE_AWAY || source->refusal[0] || gap_needs_attention(source) ||
	    source->control.kind != CONTROL_PULL || coverage_missed_since(source, now) ||
	    !spans_are_normal(source, now) || preflight_needs_attention(source, now))
		return false;
	if (source->has_status && source->status.state != PULL_CONNECTING &&
	    source->status.state != PULL_STREAMING)
		return false;
	for (const struct sealing *s = source->sealings; s; s = s->next) {
		if (s->state == SEALING_STOPPED || s->state == SEALING_SPACE)
			return false;
	}
	return true;
}

static json_t *segments(const struct source *source)
{
	json_t *array = json_array();

	for (const struct sealing *s = source->sealings; s; s = s->next) {
		json_t *object = json_object();

		json_put_string(object, "path", s->record.path);
		json_put_string(object, "state", sealing_state_name(s->state));
		json_put_u64(object, "since", s->since_usec);
		json_put_string(object, "sentence", s->sentence);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *quota(const struct source *source, uint64_t now)
{
	json_t *object = json_object();

	json_put_u64(object, "bytes_today", quota_used(source, now));
	json_put_u64(object, "max_bytes_per_day", source->config->max_bytes_per_day);
	return object;
}

static json_t *source_object(const struct source *source, uint64_t now)
{
	json_t *object = json_object();
	json_t *paused = pause_status(source), *semi_sync = spans_status(source);
	const char *sentence = "";

	if (source->control.kind != CONTROL_PULL)
		sentence = source->control.sentence;
	else if (source->refusal[0])
		sentence = source->refusal;
	else if (source->has_status)
		sentence = source->status.sentence;
	else if (source->stage == SOURCE_AWAY)
		sentence = "no binvault-pull is connected. Do: see its log";
	json_put_string(object, "name", source->config->name);
	json_put_bool(object, "normal", source_is_normal(source, now));
	json_put_bool(object, "connected", source->stage != SOURCE_AWAY);
	json_put_string(object, "state", source_state(source));
	json_put_string(object, "server", source->has_status ? source->status.server : "");
	json_put_string(object, "sentence", sentence);
	json_put_u64(object, "retry", source->has_status ? source->status.retry_usec : 0);
	if (paused)
		json_put(object, "paused", paused);
	if (source->config->max_bytes_per_day > 0)
		json_put(object, "quota", quota(source, now));
	json_put_string(object, "connection", source->has_status ? source->status.connection : "");
	coverage_status(source, now, object);
	if (semi_sync)
		json_put(object, "semi_sync", semi_sync);
	json_put_u64(object, "received", source->has_progress ? source->progress.byte_count : 0);
	gap_status(source, object);
	if (generation(source))
		json_put_string(object, "history", generation(source)->sentence);
	json_put(object, "segments", segments(source));
	json_put(object, "warnings", preflight_warnings(source, now));
	return object;
}

/* --- the archive ----------------------------------------------------------------------------- */

static json_t *volumes(const struct keeper *keeper)
{
	json_t *array = json_array();

	for (size_t i = 0; i < store_volume_count(keeper->store); i++) {
		json_t *object = json_object();
		uint64_t free_size = 0;
		struct error ignored;

		if (store_free_space(keeper->store, &free_size, &ignored) < 0)
			free_size = 0;
		json_put_string(object, "path", store_volume_path(keeper->store, i));
		json_put_u64(object, "free", free_size);
		json_put_u64(object, "reserve", keeper->config->reserve);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *keys(const struct keeper *keeper)
{
	const struct master_record *master = state_master(store_state(keeper->store));
	json_t *object = json_object();
	struct hash root;
	uint64_t size;

	store_checkpoint(keeper->store, &size, &root);
	json_put_u64(object, "master", master ? master->sequence : 0);
	json_put_string(object, "hsm", hsm_client_connected(keeper->hsm) ? "ok" : "away");
	json_put_string(object, "sentence", hsm_client_sentence(keeper->hsm));
	json_put_bool(object, "rollback_checked", signing_checked(keeper->signing));
	json_put_u64(object, "unsigned", signing_unsigned_count(keeper->signing));
	json_put_u64(object, "checkpoint_size", size);
	json_put_u64(object, "checkpoint_time", signing_last_usec(keeper->signing));
	return object;
}

static json_t *alarms(const struct keeper *keeper)
{
	json_t *array = json_array();

	for (size_t i = 0; i < keeper->alarm_count; i++) {
		json_t *object = json_object();

		json_put_string(object, "name", keeper->alarms[i].name);
		json_put_string(object, "sentence", keeper->alarms[i].sentence);
		json_put_u64(object, "since", keeper->alarms[i].since_usec);
		json_array_append_new(array, object);
	}
	return array;
}

int status_answer(struct keeper *keeper, const struct operator_caller *caller,
		  const json_t *request, json_t *reply, struct error *err)
{
	json_t *sources = json_array(), *ledger = json_object();
	bool normal = keeper->alarm_count == 0 && hsm_client_connected(keeper->hsm);
	uint64_t now = clock_realtime_usec();
	char archive[UUID_SIZE];

	(void)caller;
	(void)request;
	(void)err;
	for (size_t i = 0; i < keeper->source_count; i++) {
		json_array_append_new(sources, source_object(keeper->sources[i], now));
		normal = normal && source_is_normal(keeper->sources[i], now);
	}
	uuid_text(store_archive_id(keeper->store), archive);
	json_put(reply, "schema", json_integer(1));
	json_put_bool(reply, "normal", normal);
	json_put_string(reply, "name", keeper->config->name);
	json_put_string(reply, "archive", archive);
	json_put_string(reply, "version", BINVAULT_VERSION);
	json_put_string(reply, "isolation", keeper->isolation);
	json_put_string(reply, "worm",
			store_worm(keeper->store) == WORM_REQUIRED ? "required" : "advisory");
	json_put_u64(reply, "now", now);
	json_put_u64(reply, "started", keeper->started_usec);
	json_put(reply, "sources", sources);
	json_put(reply, "volumes", volumes(keeper));
	json_put(reply, "keys", keys(keeper));
	json_put(reply, "configuration", configuration_status(keeper));
	json_put_u64(ledger, "leaves", store_tree(keeper->store)->size);
	json_put(reply, "ledger", ledger);
	json_put(reply, "alarms", alarms(keeper));
	return 0;
}

int status_answer_files(struct keeper *keeper, const struct operator_caller *caller,
			const json_t *request, json_t *reply, struct error *err)
{
	const struct source *source;
	const char *name;
	int r = json_get_string(request, "source", &name, err);

	(void)caller;
	if (r < 0)
		return err->code = ERROR_USAGE;
	source = keeper_find_source(keeper, name, err);
	if (!source)
		return err->code;
	json_put(reply, "schema", json_integer(1));
	json_put_string(reply, "name", source->config->name);
	json_put_string(reply, "state", source_state(source));
	json_put_u64(reply, "now", clock_realtime_usec());
	if (source->coverage.report) {
		json_put_string(reply, "server", source->coverage.report->server);
		json_put_u64(reply, "time", source->coverage.report->observed_usec);
	}
	json_put(reply, "files", coverage_files(source));
	return 0;
}
