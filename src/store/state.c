#include "store/state_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"

struct state *state_new(void)
{
	struct state *state = calloc(1, sizeof(*state));

	ASSERT(state);
	return state;
}

static void record_release(enum record_type type, union any_record *record)
{
	if (record && type == RECORD_SEGMENT_SEALED)
		segment_sealed_record_release(&record->sealed);
	if (record && type == RECORD_PREFLIGHT)
		preflight_record_release(&record->preflight);
	free(record);
}

static void entry_release(struct entry *entry)
{
	json_decref(entry->object);
	record_release(entry->type, entry->record);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < state->count; i++)
		entry_release(&state->entries[i]);
	free(state->entries);
	free(state);
}

static void entry_remove(struct state *state, size_t position)
{
	entry_release(&state->entries[position]);
	state->count--;
	memmove(&state->entries[position], &state->entries[position + 1],
		(state->count - position) * sizeof(*state->entries));
}

static void entry_add(struct state *state, const struct entry *entry)
{
	if (state->count == state->capacity) {
		state->capacity = state->capacity ? 2 * state->capacity : 64;
		state->entries = realloc(state->entries, state->capacity * sizeof(*state->entries));
		ASSERT(state->entries);
	}
	state->entries[state->count++] = *entry;
}

static int record_decode(enum record_type type, const json_t *object, union any_record *record,
			 struct error *err)
{
	switch (type) {
	case RECORD_ARCHIVE:
		return store_record_decode(object, &record->archive, err);
	case RECORD_MASTER:
		return master_record_decode(object, &record->master, err);
	case RECORD_SIGNING_KEY:
		return signing_key_record_decode(object, &record->signing_key, err);
	case RECORD_POLICY:
		return policy_record_decode(object, &record->policy, err);
	case RECORD_CONFIG:
		return config_record_decode(object, &record->config, err);
	case RECORD_CONFIG_REFUSED:
		return config_refused_record_decode(object, &record->config_refused, err);
	case RECORD_PERIOD:
		return period_record_decode(object, &record->period, err);
	case RECORD_SEGMENT_OPENED:
		return segment_opened_record_decode(object, &record->opened, err);
	case RECORD_SEGMENT_SEALED:
		return segment_sealed_record_decode(object, &record->sealed, err);
	case RECORD_COVERED:
		return covered_record_decode(object, &record->covered, err);
	case RECORD_DAMAGED:
		return damaged_record_decode(object, &record->damaged, err);
	case RECORD_ORPHAN:
		return orphan_record_decode(object, &record->orphan, err);
	case RECORD_GENERATION:
		return generation_record_decode(object, &record->generation, err);
	case RECORD_GAP_ACCEPTED:
		return gap_accepted_record_decode(object, &record->gap_accepted, err);
	case RECORD_SEMI_SYNC:
		return semi_sync_record_decode(object, &record->semi_sync, err);
	case RECORD_REQUEST:
		return request_record_decode(object, &record->request, err);
	case RECORD_APPROVED:
		return approved_record_decode(object, &record->approved, err);
	case RECORD_EXPORTED:
		return exported_record_decode(object, &record->exported, err);
	case RECORD_EXPORT_FAILED:
		return export_failed_record_decode(object, &record->failed, err);
	case RECORD_WITHDRAWN:
		return withdrawn_record_decode(object, &record->withdrawn, err);
	case RECORD_PREFLIGHT:
		return preflight_record_decode(object, &record->preflight, err);
	case RECORD_PAUSED:
		return paused_record_decode(object, &record->paused, err);
	case RECORD_RESUMED:
		return resumed_record_decode(object, &record->resumed, err);
	case RECORD_VOID:  /* the ledger's own, checked there */
	case RECORD_STATE: /* carries another, which is decoded instead */
	case RECORD_TYPE_COUNT:
	default:
		return 0;
	}
}

/* --- does a leaf fit behind those before it? ------------------------------------------------- */

static const struct request_record *find_request(const struct state *state, const char *id)
{
	const struct entry *entry;

	for (size_t i = 0; (entry = state_entry_at(state, RECORD_REQUEST, i)); i++) {
		if (strcmp(entry->record->request.id, id) == 0)
			return &entry->record->request;
	}
	return NULL;
}

static int check_policy(const struct policy_record *before, const struct policy_record *after,
			struct error *err)
{
	if (before->worm == WORM_REQUIRED && after->worm != WORM_REQUIRED)
		return error_set(err, ERROR_DEFECT, "a policy that requires WORM stays so");
	for (size_t i = 0; i < before->class_count; i++) {
		const struct config_class *old = &before->classes[i], *new = NULL;

		for (size_t j = 0; j < after->class_count; j++) {
			if (strcmp(after->classes[j].name, old->name) == 0)
				new = &after->classes[j];
		}
		if (!new || new->keep_usec < old->keep_usec ||
		    new->minimum_usec < old->minimum_usec)
			return error_set(err, ERROR_DEFECT,
					 "retention '%s' may be lengthened, never shortened",
					 old->name);
	}
	return 0;
}

/* Once configured by bundles, always so, and never by an older one. */
static int check_config(const struct config_record *before, const struct config_record *after,
			struct error *err)
{
	if (after->bundle_version < before->bundle_version)
		return error_set(err, ERROR_DEFECT,
				 "bundle %" PRIu64 " after bundle %" PRIu64
				 ": their versions only grow",
				 after->bundle_version, before->bundle_version);
	if (after->bundle_version == before->bundle_version &&
	    memcmp(&after->bundle_hash, &before->bundle_hash, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT, "another bundle of version %" PRIu64,
				 after->bundle_version);
	return 0;
}

static int check_period(const struct state *state, const struct period_record *period,
			struct error *err)
{
	if (memcmp(period->archive_id, state_archive(state)->archive_id, STORE_ID_SIZE) != 0)
		return error_set(err, ERROR_DEFECT, "the period belongs to another archive");
	if (state_period_find(state, period->id))
		return error_set(err, ERROR_DEFECT, "there is a period of this id already");
	if (!state_master_find(state, period->master_sequence))
		return error_set(err, ERROR_DEFECT,
				 "the period names master key %" PRIu32 ", which no leaf knows",
				 period->master_sequence);
	return 0;
}

static int check_opened(const struct state *state, const struct segment_opened_record *opened,
			struct error *err)
{
	const struct segment_header *header = &opened->header;
	const struct period_record *period = state_period_find(state, header->period_id);
	struct state_open open;

	if (memcmp(header->archive_id, state_archive(state)->archive_id, STORE_ID_SIZE) != 0)
		return error_set(err, ERROR_DEFECT, "the segment belongs to another archive");
	if (!period)
		return error_set(err, ERROR_DEFECT, "the segment names a period that is not live");
	if (strcmp(period->source, header->source) != 0)
		return error_set(err, ERROR_DEFECT, "the segment's period belongs to source '%s'",
				 period->source);
	if (state_open_find(state, header->segment_id, &open, err) == 0)
		return error_set(err, ERROR_DEFECT, "the segment is opened twice");
	return 0;
}

static int check_sealed(const struct state *state, const struct segment_sealed_record *sealed,
			struct error *err)
{
	const struct segment_header *header;
	struct state_open open;

	if (state_open_find(state, sealed->segment_id, &open, err) < 0)
		return error_set(
			err, ERROR_DEFECT,
			"a segment is sealed that is not open: sealed twice or never opened");
	header = &open.record->header;
	if (sealed->opened_index != open.index)
		return error_set(err, ERROR_DEFECT,
				 "the segment was opened by leaf %" PRIu64 ", not %" PRIu64,
				 open.index, sealed->opened_index);
	if (memcmp(sealed->period_id, header->period_id, STORE_ID_SIZE) != 0 ||
	    strcmp(sealed->source, header->source) != 0 ||
	    strcmp(sealed->binlog_file, header->binlog_file) != 0 ||
	    sealed->start_position != header->start_position ||
	    memcmp(&sealed->generation, &header->generation, HASH_SIZE) != 0 ||
	    memcmp(&sealed->file_id, &header->file_id, HASH_SIZE) != 0 ||
	    memcmp(sealed->identity, header->identity, SEGMENT_IDENTITY_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the sealed leaf differs from the header in leaf %" PRIu64,
				 open.index);
	return 0;
}

/* Gaps are counted on, so that the latest leaf knows them all. */
static int check_generation(const struct state *state, const struct generation_record *generation,
			    struct error *err)
{
	const struct generation_record *last = state_generation(state, generation->source);
	uint64_t count = (last ? last->gap_count : 0) + generation->gap;

	if (memcmp(&generation->generation, &generation->before, HASH_SIZE) == 0 ||
	    (last && memcmp(&last->generation, &generation->generation, HASH_SIZE) == 0))
		return error_set(err, ERROR_DEFECT, "the generation begins twice");
	if (generation->gap_count != count)
		return error_set(err, ERROR_DEFECT,
				 "source '%s' has %" PRIu64 " gaps, the leaf says %" PRIu64,
				 generation->source, count, generation->gap_count);
	return 0;
}

static int check_gap_accepted(const struct state *state, const struct gap_accepted_record *accepted,
			      struct error *err)
{
	struct state_gap gap;

	for (size_t i = 0; state_gap_at(state, accepted->source, i, &gap); i++) {
		if (memcmp(&gap.generation->generation, &accepted->generation, HASH_SIZE) != 0)
			continue;
		if (gap.accepted)
			return error_set(err, ERROR_DEFECT, "the gap is accepted twice");
		return 0;
	}
	return error_set(err, ERROR_DEFECT,
			 "a gap of source '%s' is accepted that no generation begins with",
			 accepted->source);
}

static int check_request(const struct state *state, const char *id, struct error *err)
{
	if (!find_request(state, id))
		return error_set(err, ERROR_DEFECT, "no request '%s' is waiting", id);
	return 0;
}

/* Only who was named in the request may read what came of it. */
static int check_exported(const struct state *state, const struct exported_record *exported,
			  struct error *err)
{
	const struct request_record *request = find_request(state, exported->request);

	if (request && strcmp(request->client, exported->client) != 0)
		return error_set(err, ERROR_DEFECT, "request '%s' is for client '%s', not for '%s'",
				 exported->request, request->client, exported->client);
	return check_request(state, exported->request, err);
}

static int check_withdrawn(const struct state *state, const char *id, struct error *err)
{
	if (!state_shared_find(state, id))
		return error_set(err, ERROR_DEFECT, "request '%s' is not shared", id);
	return 0;
}

static int check_pause(const struct state *state, enum record_type type,
		       const union any_record *record, struct error *err)
{
	uint64_t index = 0;
	const char *source = type == RECORD_PAUSED ? record->paused.source : record->resumed.source;
	const struct paused_record *paused = state_paused(state, source, &index, NULL);

	if (type == RECORD_PAUSED && paused)
		return error_set(err, ERROR_DEFECT, "source '%s' is paused already", source);
	if (type == RECORD_RESUMED && !paused)
		return error_set(err, ERROR_DEFECT, "source '%s' is not paused", source);
	if (type == RECORD_RESUMED && record->resumed.paused_index != index)
		return error_set(err, ERROR_DEFECT,
				 "source '%s' was paused by leaf %" PRIu64 ", not %" PRIu64, source,
				 index, record->resumed.paused_index);
	return 0;
}

static int check_relations(const struct state *state, enum record_type type,
			   const union any_record *record, struct error *err)
{
	const struct master_record *master = state_master(state);

	/* A torn first append is named before anything else can be. */
	if (type == RECORD_VOID)
		return 0;
	if ((type == RECORD_ARCHIVE) == (state_archive(state) != NULL))
		return error_set(err, ERROR_DEFECT,
				 "the archive leaf must be the first, and the only one");
	switch (type) {
	case RECORD_MASTER:
		if (record->master.sequence != (master ? master->sequence : 0) + 1)
			return error_set(err, ERROR_DEFECT,
					 "master key %" PRIu32 " does not follow the last one",
					 record->master.sequence);
		return record_key_check(record->master.der, record->master.der_size, PUBLIC_KEY_RSA,
					err);
	case RECORD_SIGNING_KEY:
		return record_key_check(record->signing_key.der, record->signing_key.der_size,
					PUBLIC_KEY_EC, err);
	case RECORD_POLICY:
		return state_policy(state) ? check_policy(state_policy(state), &record->policy, err)
					   : 0;
	case RECORD_CONFIG:
		return state_config(state) ? check_config(state_config(state), &record->config, err)
					   : 0;
	case RECORD_PERIOD:
		return check_period(state, &record->period, err);
	case RECORD_SEGMENT_OPENED:
		return check_opened(state, &record->opened, err);
	case RECORD_SEGMENT_SEALED:
		return check_sealed(state, &record->sealed, err);
	case RECORD_GENERATION:
		return check_generation(state, &record->generation, err);
	case RECORD_GAP_ACCEPTED:
		return check_gap_accepted(state, &record->gap_accepted, err);
	case RECORD_REQUEST:
		if (find_request(state, record->request.id) ||
		    state_shared_find(state, record->request.id))
			return error_set(err, ERROR_DEFECT, "there is a request '%s' already",
					 record->request.id);
		return 0;
	case RECORD_APPROVED:
		return check_request(state, record->approved.request, err);
	case RECORD_EXPORTED:
		return check_exported(state, &record->exported, err);
	case RECORD_WITHDRAWN:
		return check_withdrawn(state, record->withdrawn.request, err);
	case RECORD_EXPORT_FAILED:
		return check_request(state, record->failed.request, err);
	case RECORD_PAUSED:
	case RECORD_RESUMED:
		return check_pause(state, type, record, err);
	case RECORD_ARCHIVE:
	case RECORD_CONFIG_REFUSED:
	case RECORD_COVERED:
	case RECORD_DAMAGED:
	case RECORD_SEMI_SYNC:
	case RECORD_VOID:
	case RECORD_ORPHAN:
	case RECORD_PREFLIGHT:
	case RECORD_STATE:
	case RECORD_TYPE_COUNT:
	default:
		return 0;
	}
}

/* --- what a leaf makes irrelevant ------------------------------------------------------------ */

/* A period matters while it is its source's and class's newest, or an open segment names it. */
static bool period_is_live(const struct state *state, const struct period_record *period)
{
	const struct entry *entry;

	if (state_period_newest(state, period->source, period->class) == period)
		return true;
	for (size_t i = 0; (entry = state_entry_at(state, RECORD_SEGMENT_OPENED, i)); i++) {
		if (memcmp(entry->record->opened.header.period_id, period->id, STORE_ID_SIZE) == 0)
			return true;
	}
	return false;
}

static void prune_periods(struct state *state)
{
	for (size_t i = state->count; i-- > 0;) {
		if (state->entries[i].type == RECORD_PERIOD &&
		    !period_is_live(state, &state->entries[i].record->period))
			entry_remove(state, i);
	}
}

/* Does it move the resume point? One without events does so only by saying that its file ended. */
static bool moves_on(const struct segment_sealed_record *sealed)
{
	return sealed->end.summary.event_count > 0 || sealed->end.ended == SEGMENT_ENDED_ROTATE ||
	       sealed->end.next_file[0];
}

/* Does @new take the place of @old? */
static bool supersedes(const struct entry *new, const struct entry *old)
{
	switch (new->type) {
	case RECORD_POLICY:
	case RECORD_CONFIG:
	case RECORD_CONFIG_REFUSED:
		return old->type == new->type;
	case RECORD_COVERED:
		return old->type == RECORD_COVERED &&
		       strcmp(old->record->covered.source, new->record->covered.source) == 0;
	case RECORD_PREFLIGHT:
		return old->type == RECORD_PREFLIGHT &&
		       strcmp(old->record->preflight.source, new->record->preflight.source) == 0 &&
		       strcmp(old->record->preflight.server, new->record->preflight.server) == 0;
	case RECORD_DAMAGED:
		return old->type == RECORD_DAMAGED &&
		       strcmp(old->record->damaged.source, new->record->damaged.source) == 0;
	case RECORD_GENERATION:
		/* A gap is remembered: it waits to be accepted, and is shown when it is. */
		return old->type == RECORD_GENERATION && !old->record->generation.gap &&
		       strcmp(old->record->generation.source, new->record->generation.source) == 0;
	case RECORD_SEGMENT_SEALED:
		if (old->type == RECORD_SEGMENT_OPENED)
			return memcmp(old->record->opened.header.segment_id,
				      new->record->sealed.segment_id, SEGMENT_ID_SIZE) == 0;
		return old->type == RECORD_SEGMENT_SEALED && moves_on(&new->record->sealed) &&
		       strcmp(old->record->sealed.source, new->record->sealed.source) == 0 &&
		       old->record->sealed.opened_index <= new->record->sealed.opened_index;
	case RECORD_EXPORTED:
	case RECORD_EXPORT_FAILED: {
		const char *id = new->type == RECORD_EXPORTED ? new->record->exported.request
							      : new->record->failed.request;

		return (old->type == RECORD_REQUEST && strcmp(old->record->request.id, id) == 0) ||
		       (old->type == RECORD_APPROVED &&
			strcmp(old->record->approved.request, id) == 0);
	}
	case RECORD_WITHDRAWN:
		return old->type == RECORD_EXPORTED &&
		       strcmp(old->record->exported.request, new->record->withdrawn.request) == 0;
	case RECORD_RESUMED:
		return old->type == RECORD_PAUSED &&
		       strcmp(old->record->paused.source, new->record->resumed.source) == 0;
	case RECORD_ARCHIVE:
	case RECORD_MASTER:
	case RECORD_SIGNING_KEY:
	case RECORD_PERIOD:
	case RECORD_SEGMENT_OPENED:
	case RECORD_VOID:
	case RECORD_ORPHAN:
	case RECORD_GAP_ACCEPTED:
	case RECORD_SEMI_SYNC:
	case RECORD_REQUEST:
	case RECORD_APPROVED:
	case RECORD_PAUSED:
	case RECORD_STATE:
	case RECORD_TYPE_COUNT:
	default:
		return false;
	}
}

/* Is the leaf itself to be remembered, with what stands now? */
static bool is_relevant(const struct state *state, const struct entry *entry)
{
	const struct segment_sealed_record *sealed;

	switch (entry->type) {
	case RECORD_VOID:
	case RECORD_ORPHAN:
	case RECORD_SEMI_SYNC:
	case RECORD_EXPORT_FAILED:
	case RECORD_WITHDRAWN:
	case RECORD_RESUMED:
	case RECORD_STATE:
		return false;
	case RECORD_EXPORTED:
		return entry->record->exported.client[0] != '\0';
	case RECORD_SEGMENT_SEALED:
		if (!moves_on(&entry->record->sealed))
			return false;
		sealed = state_sealed(state, entry->record->sealed.source, NULL);
		return !sealed || sealed->opened_index <= entry->record->sealed.opened_index;
	case RECORD_ARCHIVE:
	case RECORD_MASTER:
	case RECORD_SIGNING_KEY:
	case RECORD_POLICY:
	case RECORD_CONFIG:
	case RECORD_CONFIG_REFUSED:
	case RECORD_PERIOD:
	case RECORD_SEGMENT_OPENED:
	case RECORD_COVERED:
	case RECORD_PREFLIGHT:
	case RECORD_DAMAGED:
	case RECORD_GENERATION:
	case RECORD_GAP_ACCEPTED:
	case RECORD_REQUEST:
	case RECORD_APPROVED:
	case RECORD_PAUSED:
	case RECORD_TYPE_COUNT:
	default:
		return true;
	}
}

static void fold(struct state *state, struct entry *entry, bool carried)
{
	for (size_t i = state->count; i-- > 0;) {
		if (supersedes(entry, &state->entries[i]))
			entry_remove(state, i);
	}
	if (is_relevant(state, entry))
		entry_add(state, entry);
	else
		entry_release(entry);
	/* Carried leaves are all relevant, but the segment that says so may be yet to come. */
	if (!carried)
		prune_periods(state);
}

/* --- taking leaves --------------------------------------------------------------------------- */

int state_check(const struct state *state, const json_t *object, struct error *err)
{
	union any_record *record;
	enum record_type type;
	int r = record_type(object, &type, err);

	if (r < 0)
		return r;
	record = calloc(1, sizeof(*record));
	ASSERT(record);
	r = record_decode(type, object, record, err);
	if (r == 0 && type != RECORD_STATE)
		r = check_relations(state, type, record, err);
	record_release(type, record);
	return r < 0 ? error_prefix(err, "leaf of type '%s'", record_type_name(type)) : 0;
}

static int apply_entry(struct state *state, json_t *object, bool carried, struct error *err)
{
	struct entry entry = {0};
	int r = record_type(object, &entry.type, err);

	if (r == 0)
		r = record_index(object, &entry.index, err);
	if (r == 0)
		r = record_time(object, &entry.time_usec, err);
	if (r == 0 && state->count && state->entries[state->count - 1].index >= entry.index)
		r = error_set(err, ERROR_DEFECT, "leaf %" PRIu64 " comes twice or too late",
			      entry.index);
	if (r < 0)
		return r;
	entry.record = calloc(1, sizeof(*entry.record));
	ASSERT(entry.record);
	r = record_decode(entry.type, object, entry.record, err);
	if (r == 0 && !carried)
		r = check_relations(state, entry.type, entry.record, err);
	if (r < 0) {
		record_release(entry.type, entry.record);
		return error_prefix(err, "leaf %" PRIu64 " of type '%s'", entry.index,
				    record_type_name(entry.type));
	}
	entry.object = json_incref(object);
	fold(state, &entry, carried);
	return 0;
}

/* Part @part of a group of `state` leaves, written while this state stood. */
static int compare_part(const struct state *state, const json_t *object, const json_t *carried,
			struct error *err)
{
	uint64_t position, count, index;
	int r = record_index(carried, &index, err);

	if (r == 0)
		r = json_get_u64(object, "part", &position, err);
	if (r == 0)
		r = json_get_u64(object, "parts", &count, err);
	if (r < 0)
		return r;
	if (count != state->count || position >= count)
		return error_set(err, ERROR_DEFECT,
				 "%" PRIu64 " state leaves where %zu leaves are relevant", count,
				 state->count);
	if (!json_equal(state->entries[position].object, carried))
		return error_set(err, ERROR_DEFECT,
				 "the state leaf carries leaf %" PRIu64 " where leaf %" PRIu64
				 " belongs, or carries it changed",
				 index, state->entries[position].index);
	return 0;
}

int state_apply(struct state *state, json_t *object, struct error *err)
{
	enum record_type type;
	json_t *carried;
	int r = record_type(object, &type, err);

	if (r < 0)
		return r;
	if (type != RECORD_STATE) {
		state->live = true;
		return apply_entry(state, object, false, err);
	}
	carried = json_object_get(object, "carries");
	if (!json_is_object(carried))
		return error_set(err, ERROR_DEFECT, "a state leaf carries nothing");
	if (state->live)
		return compare_part(state, object, carried, err);
	return apply_entry(state, carried, true, err);
}
