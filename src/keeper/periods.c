#include "keeper/periods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/random.h"
#include "io/clock.h"

/* A key in memory. */
struct entry {
	struct period_record record;
	struct secret key;
	bool made; /* by this keeper */
	struct entry *next;
};

struct waiter {
	periods_ready *ready;
	void *owner;
	struct waiter *next;
};

/* An unwrap on the way, and who waits for it. */
struct fetch {
	struct periods *periods;
	struct period_record record;
	struct waiter *waiters;
	struct fetch *next;
};

struct periods {
	struct keeper *keeper;
	uint64_t signed_size; /* leaves that were signed when the keeper started */
	struct entry *entries;
	struct fetch *fetches;
};

int periods_new(struct keeper *keeper, struct periods **ret_periods, struct error *err)
{
	struct periods *periods = calloc(1, sizeof(*periods));
	struct hash root;

	if (!periods)
		return error_set(err, ERROR_FAILED, "no memory for periods");
	periods->keeper = keeper;
	store_checkpoint(keeper->store, &periods->signed_size, &root);
	*ret_periods = periods;
	return 0;
}

static void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	secret_release(&entry->key);
	free(entry);
}
DEFINE_CLEANUP(entry_free, struct entry *);

static void fetch_free(struct fetch *fetch)
{
	while (fetch->waiters) {
		struct waiter *waiter = fetch->waiters;

		fetch->waiters = waiter->next;
		free(waiter);
	}
	free(fetch);
}

void periods_free(struct periods *periods)
{
	if (!periods)
		return;
	while (periods->entries) {
		struct entry *entry = periods->entries;

		periods->entries = entry->next;
		entry_free(entry);
	}
	while (periods->fetches) {
		struct fetch *fetch = periods->fetches;

		periods->fetches = fetch->next;
		if (periods->keeper->hsm)
			hsm_client_cancel(periods->keeper->hsm, fetch);
		fetch_free(fetch);
	}
	free(periods);
}

static struct entry *find(const struct periods *periods, const uint8_t *id)
{
	for (struct entry *entry = periods->entries; entry; entry = entry->next) {
		if (memcmp(entry->record.id, id, STORE_ID_SIZE) == 0)
			return entry;
	}
	return NULL;
}

const struct secret *periods_key(const struct periods *periods,
				 const uint8_t id[static STORE_ID_SIZE])
{
	struct entry *entry = find(periods, id);

	return entry ? &entry->key : NULL;
}

/* Is it for new segments, or named by one that is not sealed? The state remembers only those. */
static bool is_needed(const struct periods *periods, const struct period_record *record)
{
	return state_period_find(store_state(periods->keeper->store), record->id) != NULL;
}

/* A key that only a restore wanted, or whose month is over, leaves memory. */
static void drop_unneeded(struct periods *periods)
{
	struct entry **link = &periods->entries;

	while (*link) {
		struct entry *entry = *link;

		if (is_needed(periods, &entry->record)) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		entry_free(entry);
	}
}

static int bind(const struct periods *periods, struct period_record *record,
		const struct secret *key, struct error *err)
{
	CLEANUP(public_key_freep)
	struct public_key *public_key = NULL;
	const struct master_record *master = state_master(store_state(periods->keeper->store));
	int r;

	if (!master)
		return error_set(err, ERROR_DEFECT, "no leaf of this archive names a master key");
	record->master_sequence = master->sequence;
	r = public_key_decode(master->der, master->der_size, &public_key, err);
	if (r < 0)
		return error_prefix(err, "master key %u", master->sequence);
	return period_record_bind(record, key, public_key, err);
}

static int make(struct periods *periods, const char *source, const char *class, const char *month,
		struct entry **ret_entry, struct error *err)
{
	CLEANUP(entry_freep)
	struct entry *entry = calloc(1, sizeof(*entry));
	struct period_record *record;
	int r;

	ASSERT(entry);
	record = &entry->record;
	memcpy(record->archive_id, store_archive_id(periods->keeper->store), STORE_ID_SIZE);
	random_bytes(record->id, sizeof(record->id));
	snprintf(record->source, sizeof(record->source), "%s", source);
	snprintf(record->class, sizeof(record->class), "%s", class);
	snprintf(record->month, sizeof(record->month), "%s", month);
	r = secret_init(&entry->key, PERIOD_KEY_SIZE, err);
	if (r < 0)
		return r;
	random_secret_bytes(entry->key.bytes, PERIOD_KEY_SIZE);
	r = bind(periods, record, &entry->key, err);
	if (r == 0)
		r = keeper_append(periods->keeper, period_record_encode(record), err);
	if (r < 0)
		return error_prefix(err, "a new period key for source %s", source);
	entry->made = true;
	log_info("period.made", "source", LOG_TEXT(source), "month", LOG_TEXT(month), LOG_END);
	entry->next = periods->entries;
	periods->entries = entry;
	*ret_entry = TAKE(entry);
	drop_unneeded(periods);
	return 0;
}

/* Is it certainly ours? */
static bool may_go_on(const struct periods *periods, const struct entry *entry)
{
	const struct state *state = store_state(periods->keeper->store);

	return entry->made || state_period_index(state, entry->record.id) < periods->signed_size;
}

int periods_current(struct periods *periods, const char *source, const char *class,
		    const struct period_record **ret_record, const struct secret **ret_key,
		    struct error *err)
{
	const struct period_record *newest =
		state_period_newest(store_state(periods->keeper->store), source, class);
	char month[MONTH_SIZE];
	struct entry *entry = NULL;

	month_format(clock_realtime_usec(), month);
	if (newest && strcmp(newest->month, month) == 0)
		entry = find(periods, newest->id);
	if (!entry || !may_go_on(periods, entry)) {
		int r = make(periods, source, class, month, &entry, err);

		if (r < 0)
			return r;
	}
	*ret_record = &entry->record;
	*ret_key = &entry->key;
	return 0;
}

/* Tell everybody who waits, then forget the fetch. */
static void fetch_end(struct fetch *fetch, const struct secret *key, const struct error *reason)
{
	struct periods *periods = fetch->periods;
	struct fetch **link = &periods->fetches;

	while (*link != fetch)
		link = &(*link)->next;
	*link = fetch->next;
	while (fetch->waiters) {
		struct waiter waiter = *fetch->waiters;

		free(fetch->waiters);
		fetch->waiters = waiter.next;
		waiter.ready(waiter.owner, key, reason);
	}
	fetch_free(fetch);
	drop_unneeded(periods);
}

static int check_unwrapped(const struct period_record *record,
			   const struct hsm_unwrapped *unwrapped, struct secret *ret_key,
			   struct error *err)
{
	char id[UUID_SIZE];
	int r = period_record_unbind(record, unwrapped->bytes, ret_key, err);

	if (r < 0) {
		uuid_text(record->id, id);
		return error_prefix(err, "period %s of source %s (%s)", id, record->source,
				    record->month);
	}
	return 0;
}

static void fetch_unwrapped(void *owner, const struct hsm_unwrapped *unwrapped,
			    const struct error *reason)
{
	struct fetch *fetch = owner;
	struct periods *periods = fetch->periods;
	struct error err;
	struct entry *entry;

	if (!unwrapped) {
		fetch_end(fetch, NULL, reason);
		return;
	}
	entry = calloc(1, sizeof(*entry));
	ASSERT(entry);
	entry->record = fetch->record;
	if (check_unwrapped(&fetch->record, unwrapped, &entry->key, &err) < 0) {
		char sentence[sizeof(err.message)];

		snprintf(sentence, sizeof(sentence),
			 "%.700s. Somebody may have planted it. Do: binvault verify", err.message);
		keeper_alarm_raise(periods->keeper, "wrap wrong", sentence);
		entry_free(entry);
		fetch_end(fetch, NULL, &err);
		return;
	}
	entry->next = periods->entries;
	periods->entries = entry;
	fetch_end(fetch, &entry->key, NULL);
}

static struct fetch *fetch_find(const struct periods *periods, const uint8_t *id)
{
	for (struct fetch *fetch = periods->fetches; fetch; fetch = fetch->next) {
		if (memcmp(fetch->record.id, id, STORE_ID_SIZE) == 0)
			return fetch;
	}
	return NULL;
}

static void fetch_begin(struct periods *periods, struct fetch *fetch)
{
	struct hsm_unwrap request = {.master_sequence = fetch->record.master_sequence};

	memcpy(request.archive_id, fetch->record.archive_id, sizeof(request.archive_id));
	request.wrap_size = (uint16_t)fetch->record.wrap_size;
	memcpy(request.wrap, fetch->record.wrap, fetch->record.wrap_size);
	hsm_client_unwrap(periods->keeper->hsm, &request, fetch_unwrapped, fetch);
}

void periods_fetch(struct periods *periods, const struct period_record *record,
		   periods_ready *ready, void *owner)
{
	const struct secret *key = periods_key(periods, record->id);
	struct fetch *fetch = fetch_find(periods, record->id);
	struct waiter *waiter;
	bool begins = !fetch;

	if (key) {
		ready(owner, key, NULL);
		return;
	}
	if (!fetch) {
		fetch = calloc(1, sizeof(*fetch));
		ASSERT(fetch);
		fetch->periods = periods;
		fetch->record = *record;
		fetch->next = periods->fetches;
		periods->fetches = fetch;
	}
	waiter = calloc(1, sizeof(*waiter));
	ASSERT(waiter);
	*waiter = (struct waiter){.ready = ready, .owner = owner, .next = fetch->waiters};
	fetch->waiters = waiter;
	if (begins)
		fetch_begin(periods, fetch);
}

void periods_cancel(struct periods *periods, void *owner)
{
	for (struct fetch *fetch = periods->fetches; fetch; fetch = fetch->next) {
		struct waiter **link = &fetch->waiters;

		while (*link) {
			struct waiter *waiter = *link;

			if (waiter->owner != owner) {
				link = &waiter->next;
				continue;
			}
			*link = waiter->next;
			free(waiter);
		}
	}
}
