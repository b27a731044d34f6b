#include <string.h>

#include "base/hex.h"
#include "store/state_parts.h"

const struct entry *state_entry_at(const struct state *state, enum record_type type,
				   size_t position)
{
	for (size_t i = 0; i < state->count; i++) {
		if (state->entries[i].type == type && position-- == 0)
			return &state->entries[i];
	}
	return NULL;
}

size_t state_entry_count(const struct state *state, enum record_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < state->count; i++)
		count += state->entries[i].type == type;
	return count;
}

size_t state_count(const struct state *state)
{
	return state->count;
}

json_t *state_at(const struct state *state, size_t position)
{
	ASSERT(position < state->count);
	return state->entries[position].object;
}

const struct store_record *state_archive(const struct state *state)
{
	const struct entry *entry = state_entry_at(state, RECORD_ARCHIVE, 0);

	return entry ? &entry->record->archive : NULL;
}

const struct policy_record *state_policy(const struct state *state)
{
	const struct entry *entry = state_entry_at(state, RECORD_POLICY, 0);

	return entry ? &entry->record->policy : NULL;
}

const struct config_refused_record *state_config_refused(const struct state *state)
{
	const struct entry *entry = state_entry_at(state, RECORD_CONFIG_REFUSED, 0);

	return entry ? &entry->record->config_refused : NULL;
}

const struct config_record *state_config(const struct state *state)
{
	const struct entry *entry = state_entry_at(state, RECORD_CONFIG, 0);

	return entry ? &entry->record->config : NULL;
}

const struct master_record *state_master(const struct state *state)
{
	const struct entry *entry;
	const struct master_record *master = NULL;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_MASTER, i)); i++)
		master = &entry->record->master;
	return master;
}

const struct master_record *state_master_find(const struct state *state, uint32_t sequence)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_MASTER, i)); i++) {
		if (entry->record->master.sequence == sequence)
			return &entry->record->master;
	}
	return NULL;
}

const struct signing_key_record *state_signing_key(const struct state *state,
						   enum signing_role role)
{
	const struct signing_key_record *found = NULL, *key;

	for (size_t i = 0; (key = state_signing_key_at(state, i)); i++) {
		if (key->role == role)
			found = key;
	}
	return found;
}

size_t state_signing_key_count(const struct state *state)
{
	return state_entry_count(state, RECORD_SIGNING_KEY);
}

const struct signing_key_record *state_signing_key_at(const struct state *state, size_t position)
{
	const struct entry *entry = state_entry_at(state, RECORD_SIGNING_KEY, position);

	return entry ? &entry->record->signing_key : NULL;
}

const struct period_record *state_period_find(const struct state *state,
					      const uint8_t id[static STORE_ID_SIZE])
{
	const struct period_record *period;

	for (size_t i = 0; (period = state_period_at(state, i)); i++) {
		if (memcmp(period->id, id, STORE_ID_SIZE) == 0)
			return period;
	}
	return NULL;
}

const struct period_record *state_period_newest(const struct state *state, const char *source,
						const char *class)
{
	const struct period_record *newest = NULL, *period;

	for (size_t i = 0; (period = state_period_at(state, i)); i++) {
		if (strcmp(period->source, source) == 0 && strcmp(period->class, class) == 0)
			newest = period;
	}
	return newest;
}

uint64_t state_period_index(const struct state *state, const uint8_t id[static STORE_ID_SIZE])
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_PERIOD, i)); i++) {
		if (memcmp(entry->record->period.id, id, STORE_ID_SIZE) == 0)
			return entry->index;
	}
	return UINT64_MAX;
}

size_t state_period_count(const struct state *state)
{
	return state_entry_count(state, RECORD_PERIOD);
}

const struct period_record *state_period_at(const struct state *state, size_t position)
{
	const struct entry *entry = state_entry_at(state, RECORD_PERIOD, position);

	return entry ? &entry->record->period : NULL;
}

size_t state_open_count(const struct state *state, const char *source)
{
	const struct entry *entry;
	size_t count = 0;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_SEGMENT_OPENED, i)); i++)
		count += !source || strcmp(entry->record->opened.header.source, source) == 0;
	return count;
}

struct state_open state_open_at(const struct state *state, const char *source, size_t position)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_SEGMENT_OPENED, i)); i++) {
		if (source && strcmp(entry->record->opened.header.source, source) != 0)
			continue;
		if (position-- == 0)
			return (struct state_open){entry->index, &entry->record->opened};
	}
	return (struct state_open){0, NULL};
}

int state_open_find(const struct state *state, const uint8_t id[static SEGMENT_ID_SIZE],
		    struct state_open *ret_open, struct error *err)
{
	const struct entry *entry;
	char text[HEX_SIZE(SEGMENT_ID_SIZE)];

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_SEGMENT_OPENED, i)); i++) {
		if (memcmp(entry->record->opened.header.segment_id, id, SEGMENT_ID_SIZE) == 0) {
			*ret_open = (struct state_open){entry->index, &entry->record->opened};
			return 0;
		}
	}
	hex_encode(id, SEGMENT_ID_SIZE, text);
	return error_set(err, ERROR_NOT_FOUND, "no segment %s is open", text);
}

const struct segment_sealed_record *state_sealed(const struct state *state, const char *source,
						 uint64_t *ret_index)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_SEGMENT_SEALED, i)); i++) {
		if (strcmp(entry->record->sealed.source, source) != 0)
			continue;
		if (ret_index)
			*ret_index = entry->index;
		return &entry->record->sealed;
	}
	return NULL;
}

const struct covered_record *state_covered(const struct state *state, const char *source,
					   uint64_t *ret_usec)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_COVERED, i)); i++) {
		if (strcmp(entry->record->covered.source, source) != 0)
			continue;
		if (ret_usec)
			*ret_usec = entry->time_usec;
		return &entry->record->covered;
	}
	return NULL;
}

const struct damaged_record *state_damaged(const struct state *state, const char *source,
					   uint64_t *ret_usec)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_DAMAGED, i)); i++) {
		if (strcmp(entry->record->damaged.source, source) != 0)
			continue;
		*ret_usec = entry->time_usec;
		return &entry->record->damaged;
	}
	return NULL;
}

const struct paused_record *state_paused(const struct state *state, const char *source,
					 uint64_t *ret_index, uint64_t *ret_usec)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_PAUSED, i)); i++) {
		if (strcmp(entry->record->paused.source, source) != 0)
			continue;
		if (ret_index)
			*ret_index = entry->index;
		if (ret_usec)
			*ret_usec = entry->time_usec;
		return &entry->record->paused;
	}
	return NULL;
}

const struct generation_record *state_generation(const struct state *state, const char *source)
{
	const struct generation_record *latest = NULL;
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_GENERATION, i)); i++) {
		if (strcmp(entry->record->generation.source, source) == 0)
			latest = &entry->record->generation;
	}
	return latest;
}

static void find_acceptance(const struct state *state, struct state_gap *gap)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_GAP_ACCEPTED, i)); i++) {
		const struct gap_accepted_record *accepted = &entry->record->gap_accepted;

		if (strcmp(accepted->source, gap->generation->source) != 0 ||
		    memcmp(&accepted->generation, &gap->generation->generation, HASH_SIZE) != 0)
			continue;
		gap->accepted = accepted;
		gap->accepted_usec = entry->time_usec;
	}
}

bool state_gap_at(const struct state *state, const char *source, size_t position,
		  struct state_gap *ret_gap)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_GENERATION, i)); i++) {
		const struct generation_record *generation = &entry->record->generation;

		if (!generation->gap || strcmp(generation->source, source) != 0 || position-- > 0)
			continue;
		*ret_gap = (struct state_gap){.generation = generation};
		find_acceptance(state, ret_gap);
		return true;
	}
	return false;
}

const struct preflight_record *state_preflight(const struct state *state, const char *source,
					       const char *server)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_PREFLIGHT, i)); i++) {
		const struct preflight_record *record = &entry->record->preflight;

		if (strcmp(record->source, source) == 0 && strcmp(record->server, server) == 0)
			return record;
	}
	return NULL;
}

size_t state_request_count(const struct state *state)
{
	return state_entry_count(state, RECORD_REQUEST);
}

const struct request_record *state_request_at(const struct state *state, size_t position,
					      bool *ret_approved)
{
	const struct entry *entry = state_entry_at(state, RECORD_REQUEST, position), *approved;

	if (!entry)
		return NULL;
	if (ret_approved) {
		*ret_approved = false;
		for (size_t i = 0; (approved = state_entry_at(state, RECORD_APPROVED, i)); i++) {
			if (strcmp(approved->record->approved.request, entry->record->request.id) ==
			    0)
				*ret_approved = true;
		}
	}
	return &entry->record->request;
}

const struct exported_record *state_shared_at(const struct state *state, size_t position)
{
	const struct entry *entry = state_entry_at(state, RECORD_EXPORTED, position);

	return entry ? &entry->record->exported : NULL;
}

const struct exported_record *state_shared_find(const struct state *state, const char *request)
{
	const struct exported_record *shared;

	for (size_t i = 0; (shared = state_shared_at(state, i)); i++) {
		if (strcmp(shared->request, request) == 0)
			return shared;
	}
	return NULL;
}
