#include "keeper/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "keeper/configuration.h"
#include "keeper/export.h"
#include "keeper/opening.h"
#include "keeper/operator.h"
#include "keeper/periods.h"
#include "keeper/policy.h"
#include "keeper/signing.h"
#include "keeper/source.h"

#define SPACE_EVERY_USEC (10 * USEC_PER_SEC)

/* --- alarms ---------------------------------------------------------------------------------- */

static struct keeper_alarm *alarm_find(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->alarm_count; i++) {
		if (strcmp(keeper->alarms[i].name, name) == 0)
			return &keeper->alarms[i];
	}
	return NULL;
}

void keeper_alarm_raise(struct keeper *keeper, const char *name, const char *sentence)
{
	struct keeper_alarm *alarm = alarm_find(keeper, name);

	if (!alarm) {
		log_warning("alarm.raised", "name", LOG_TEXT(name), "sentence", LOG_TEXT(sentence),
			    LOG_END);
		/* The log has it; the screen shows the first ones. */
		if (keeper->alarm_count == KEEPER_ALARMS_MAX)
			return;
		alarm = &keeper->alarms[keeper->alarm_count++];
		alarm->since_usec = clock_realtime_usec();
		snprintf(alarm->name, sizeof(alarm->name), "%s", name);
	}
	snprintf(alarm->sentence, sizeof(alarm->sentence), "%.511s", sentence);
}

void keeper_alarm_clear(struct keeper *keeper, const char *name)
{
	struct keeper_alarm *alarm = alarm_find(keeper, name);

	if (!alarm)
		return;
	log_info("alarm.cleared", "name", LOG_TEXT(name), LOG_END);
	*alarm = keeper->alarms[--keeper->alarm_count];
}

struct source *keeper_find_source(const struct keeper *keeper, const char *name, struct error *err)
{
	for (size_t i = 0; i < keeper->source_count; i++) {
		if (strcmp(keeper->config->sources[i].name, name) == 0)
			return keeper->sources[i];
	}
	error_set(err, ERROR_NOT_FOUND, "there is no source '%.64s' in the configuration", name);
	return NULL;
}

void keeper_fail(struct keeper *keeper, const struct error *reason)
{
	if (keeper->failed)
		return;
	log_error("keeper.failed", "reason", LOG_TEXT(reason->message), LOG_END);
	keeper->failed = true;
	keeper->failure = *reason;
	loop_stop(keeper->loop);
}

/* Is there something that comes to its end by itself, soon? */
static bool is_busy(const struct keeper *keeper)
{
	bool hsm = hsm_client_connected(keeper->hsm);

	for (size_t i = 0; i < keeper->source_count; i++) {
		const struct sealing *s = keeper->sources[i]->sealings;

		for (; s; s = s->next) {
			if (s->state == SEALING_VERIFYING || s->state == SEALING_QUIET ||
			    (s->state == SEALING_KEY && hsm))
				return true;
		}
	}
	return signing_busy(keeper->signing);
}

static void check_ending(void *context)
{
	struct keeper *keeper = context;

	if (!is_busy(keeper) || clock_monotonic_usec() - keeper->ending_usec > KEEPER_ENDING_USEC)
		loop_stop(keeper->loop);
	else
		loop_timer_set(keeper->loop, &keeper->ending_timer, 20 * USEC_PER_MSEC,
			       check_ending, keeper);
}

void keeper_stop(struct keeper *keeper)
{
	if (keeper->ending)
		return;
	keeper->ending = true;
	keeper->ending_usec = clock_monotonic_usec();
	check_ending(keeper);
}

int keeper_append(struct keeper *keeper, json_t *fields, struct error *err)
{
	int r = store_append(keeper->store, fields, NULL, err);

	if (r == ERROR_NO_SPACE) {
		char sentence[512];

		snprintf(sentence, sizeof(sentence),
			 "not even the ledger can grow: %.300s. Do: make the volume larger",
			 err->message);
		keeper_alarm_raise(keeper, "ledger full", sentence);
		return r;
	}
	if (r == ERROR_USAGE || r == ERROR_DEFECT)
		return error_prefix(err, "a leaf that does not fit the ledger");
	if (r < 0) {
		error_prefix(err, "appending to the ledger");
		keeper_fail(keeper, err);
		return r;
	}
	keeper_alarm_clear(keeper, "ledger full");
	if (keeper->signing)
		signing_kick(keeper->signing);
	return 0;
}

/* --- the archive ----------------------------------------------------------------------------- */

static int take_policy(struct keeper *keeper, struct error *err)
{
	const struct policy_record *policy = state_policy(store_state(keeper->store));
	struct policy_record next;
	bool stricter;
	int r = policy_compare(policy, keeper->config, &next, &stricter, err);

	if (r < 0 || !stricter)
		return r;
	log_info("policy.stricter", LOG_END);
	return keeper_append(keeper, policy_record_encode(&next), err);
}

/* The bundle first: what is refused must not have changed the policy. */
static int take_configuration(struct keeper *keeper, struct error *err)
{
	int r = configuration_check(store_state(keeper->store), keeper->config, err);

	if (r == 0)
		r = take_policy(keeper, err);
	if (r == ERROR_REFUSED || (r == ERROR_USAGE && keeper->config->bundle_version > 0))
		configuration_refuse(keeper, err);
	return r < 0 ? r : configuration_record(keeper, err);
}

static int open_archive(struct keeper *keeper, struct error *err)
{
	const char *volumes[CONFIG_VOLUMES_MAX];
	int r;

	for (size_t i = 0; i < keeper->config->volume_count; i++)
		volumes[i] = keeper->config->volumes[i];
	r = store_open(volumes, keeper->config->volume_count, STORE_WRITE, &keeper->store, err);
	if (r == 0)
		r = take_configuration(keeper, err);
	return r;
}

/* --- binvault-hsm ---------------------------------------------------------------------------- */

static int hsm_connected(void *context, const struct hsm_signed_state *state, struct error *err)
{
	struct keeper *keeper = context;

	return signing_connected(keeper->signing, state, err);
}

static void hsm_lost(void *context, const struct error *reason)
{
	struct keeper *keeper = context;

	(void)reason;
	signing_lost(keeper->signing);
}

static int connect_hsm(struct keeper *keeper, struct error *err)
{
	char path[CONFIG_SOCKET_PATH_SIZE];
	const struct hsm_client_options options = {
		.socket = path,
		.hello = &keeper->hello,
		.connected = hsm_connected,
		.lost = hsm_lost,
		.context = keeper,
	};
	int r = config_socket(keeper->config, "hsm", path, err);

	return r < 0 ? r : hsm_client_new(keeper->loop, &options, &keeper->hsm, err);
}

/* A volume that fills is told of before the next segment is due. */
static void watch_space(void *context)
{
	struct keeper *keeper = context;
	struct error err;

	if (opening_check_space(keeper, &err) < 0 && err.code != ERROR_NO_SPACE)
		log_warning("space.unknown", "reason", LOG_TEXT(err.message), LOG_END);
	loop_timer_set(keeper->loop, &keeper->space_timer, SPACE_EVERY_USEC, watch_space, keeper);
}

/* --- beginning and end ----------------------------------------------------------------------- */

int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper, struct error *err)
{
	CLEANUP(keeper_freep)
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	ASSERT(keeper);
	keeper->config = options->config;
	keeper->isolation = options->isolation;
	keeper->started_usec = clock_realtime_usec();
	snprintf(keeper->hello.program, sizeof(keeper->hello.program), "binvault-keeper");
	snprintf(keeper->hello.version, sizeof(keeper->hello.version), "%s", BINVAULT_VERSION);
	memcpy(keeper->hello.config.bytes, options->config->hash, HASH_SIZE);
	r = loop_new(&keeper->loop, err);
	for (size_t i = 0; r == 0 && i < options->config->source_count; i++) {
		r = source_new(keeper, &options->config->sources[i], options->pull_uid,
			       &keeper->sources[i], err);
		keeper->source_count += r == 0;
	}
	if (r == 0)
		r = operator_new(keeper, &keeper->operator, err);
	if (r == 0)
		r = export_queue_new(keeper, options->export_gid, &keeper->exports, err);
	if (r < 0)
		return r;
	*ret_keeper = TAKE(keeper);
	return 0;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	if (keeper->loop)
		loop_end_jobs(keeper->loop);
	if (keeper->loop)
		loop_timer_clear(keeper->loop, &keeper->ending_timer);
	if (keeper->loop)
		loop_timer_clear(keeper->loop, &keeper->space_timer);
	operator_free(keeper->operator);
	export_queue_free(keeper->exports);
	for (size_t i = 0; i < keeper->source_count; i++)
		source_free(keeper->sources[i]);
	signing_free(keeper->signing);
	periods_free(keeper->periods);
	hsm_client_free(keeper->hsm);
	store_free(keeper->store);
	loop_free(keeper->loop);
	free(keeper);
}

int keeper_start(struct keeper *keeper, struct error *err)
{
	int r = open_archive(keeper, err);

	if (r == 0)
		r = opening_recover(keeper, err);
	if (r == 0)
		r = connect_hsm(keeper, err);
	if (r == 0)
		r = signing_new(keeper, &keeper->signing, err);
	if (r == 0)
		r = periods_new(keeper, &keeper->periods, err);
	for (size_t i = 0; r == 0 && i < keeper->source_count; i++)
		r = source_start(keeper->sources[i], err);
	if (r == 0)
		r = export_queue_start(keeper->exports, err);
	if (r == 0)
		r = operator_start(keeper->operator, err);
	if (r < 0)
		return r;
	watch_space(keeper);
	log_info("keeper.started", "archive", LOG_TEXT(store_origin(keeper->store)), "leaves",
		 LOG_NUMBER(store_tree(keeper->store)->size), LOG_END);
	return 0;
}

int keeper_run(struct keeper *keeper, struct error *err)
{
	int r = keeper->failed ? 0 : loop_run(keeper->loop, err);

	if (keeper->failed) {
		*err = keeper->failure;
		return err->code;
	}
	return r;
}
