#include "keeper/configuration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/clock.h"
#include "keeper/keeper.h"
#include "keeper/operator.h"

#define WAY_OUT                                                                                    \
	"Do: seal what is wanted as version %" PRIu64                                              \
	" or later, and apply it: binvault config apply"

int configuration_check(const struct state *state, const struct config *config, struct error *err)
{
	const struct config_record *last = state_config(state);
	const char *vault = state_archive(state)->name;
	uint64_t version = last ? last->bundle_version : 0;

	if (config->bundle_version > 0 && strcmp(config->name, vault) != 0)
		return error_set(
			err, ERROR_REFUSED,
			"'%s' comes from a bundle for vault '%s', and this archive is that "
			"of vault '%s'",
			config->path, config->name, vault);
	if (config->bundle_version == 0 && version > 0)
		return error_set(err, ERROR_REFUSED,
				 "'%s' comes from no bundle, and this archive has run with version "
				 "%" PRIu64 " of one. " WAY_OUT,
				 config->path, version, version + 1);
	if (config->bundle_version < version)
		return error_set(err, ERROR_REFUSED,
				 "'%s' is version %" PRIu64 " of its bundle, and this archive has "
				 "run with version %" PRIu64
				 ": there is no way back to an older one. " WAY_OUT,
				 config->path, config->bundle_version, version, version + 1);
	if (version > 0 && config->bundle_version == version &&
	    memcmp(config->bundle_hash, last->bundle_hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_REFUSED,
				 "'%s' is another bundle of version %" PRIu64
				 " than the one that this archive has run with. " WAY_OUT,
				 config->path, version, version + 1);
	return 0;
}

/* Is the latest refusal the same one? A keeper that is started again and again, or a report that is
 * sent twice, must not fill the ledger. */
static bool is_known(const struct keeper *keeper, const struct config_refused_record *record)
{
	const struct config_refused_record *last = state_config_refused(store_state(keeper->store));

	return last && last->version == record->version && last->hashed == record->hashed &&
	       memcmp(&last->hash, &record->hash, sizeof(last->hash)) == 0 &&
	       strcmp(last->sentence, record->sentence) == 0;
}

static int append_refused(struct keeper *keeper, const struct config_refused_record *record,
			  struct error *err)
{
	if (is_known(keeper, record))
		return 0;
	log_warning("config.refused", "version", LOG_NUMBER(record->version), "sentence",
		    LOG_TEXT(record->sentence), LOG_END);
	return keeper_append(keeper, config_refused_record_encode(record), err);
}

/* Printable, as the leaf will have it, so that is_known() can compare. */
static void copy_sentence(struct config_refused_record *record, const char *sentence)
{
	snprintf(record->sentence, sizeof(record->sentence), "%.511s", sentence);
	for (char *c = record->sentence; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
}

int configuration_record(struct keeper *keeper, struct error *err)
{
	const struct config *config = keeper->config;
	struct config_record record = {.worm = store_worm(keeper->store),
				       .bundle_version = config->bundle_version};

	memcpy(record.hash.bytes, config->hash, HASH_SIZE);
	memcpy(record.bundle_hash.bytes, config->bundle_hash, HASH_SIZE);
	snprintf(record.version, sizeof(record.version), "%s", BINVAULT_VERSION);
	snprintf(record.isolation, sizeof(record.isolation), "%s", keeper->isolation);
	return keeper_append(keeper, config_record_encode(&record), err);
}

void configuration_refuse(struct keeper *keeper, const struct error *reason)
{
	const struct config *config = keeper->config;
	struct config_refused_record record = {.refused_usec = clock_realtime_usec(),
					       .version = config->bundle_version,
					       .hashed = config->bundle_version > 0,
					       .uid = geteuid(),
					       .gid = getegid()};
	struct error err;

	memcpy(record.hash.bytes, config->bundle_hash, HASH_SIZE);
	copy_sentence(&record, reason->message);
	if (append_refused(keeper, &record, &err) < 0)
		log_error("config.refused", "unwritten", LOG_TEXT(err.message), LOG_END);
}

int configuration_answer_refused(struct keeper *keeper, const struct operator_caller *caller,
				 const json_t *request, json_t *reply, struct error *err)
{
	struct config_refused_record record = {.uid = caller->uid,
					       .gid = caller->gid,
					       .hashed = json_object_get(request, "hash") != NULL};
	const char *sentence;
	int r = json_get_u64(request, "usec", &record.refused_usec, err);

	if (r == 0)
		r = json_get_string(request, "sentence", &sentence, err);
	if (r == 0 && json_object_get(request, "version"))
		r = json_get_u64(request, "version", &record.version, err);
	if (r == 0 && record.hashed)
		r = json_get_hex(request, "hash", record.hash.bytes, HASH_SIZE, err);
	if (r < 0)
		return err->code = ERROR_USAGE;
	copy_sentence(&record, sentence);
	r = append_refused(keeper, &record, err);
	if (r < 0)
		return r;
	json_put(reply, "schema", json_integer(1));
	return 0;
}

json_t *configuration_status(const struct keeper *keeper)
{
	const struct config_refused_record *refused =
		state_config_refused(store_state(keeper->store));
	json_t *object = json_object(), *last;

	if (keeper->config->bundle_version > 0)
		json_put_u64(object, "bundle", keeper->config->bundle_version);
	if (refused) {
		last = json_object();
		json_put_u64(last, "time", refused->refused_usec);
		if (refused->version > 0)
			json_put_u64(last, "version", refused->version);
		json_put_string(last, "sentence", refused->sentence);
		json_put(object, "refused", last);
	}
	return object;
}
