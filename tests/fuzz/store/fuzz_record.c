/*
 * Leaves as the store reads them: one line each. Whatever they say, decoding ends with a record or
 * a sentence; what decodes encodes again, and the encoding decodes to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/plan.h"
#include "store/state.h"

#define ROUND_TRIP(name)                                                                           \
	static void round_trip_##name(const json_t *object)                                        \
	{                                                                                          \
		struct name##_record *record = calloc(2, sizeof(*record));                         \
		struct error err;                                                                  \
		json_t *first, *second;                                                            \
                                                                                                   \
		if (name##_record_decode(object, &record[0], &err) == 0) {                         \
			first = name##_record_encode(&record[0]);                                  \
			ASSERT(name##_record_decode(first, &record[1], &err) == 0);                \
			second = name##_record_encode(&record[1]);                                 \
			ASSERT(json_equal(first, second));                                         \
			json_decref(first);                                                        \
			json_decref(second);                                                       \
			release_##name(&record[0]);                                                \
			release_##name(&record[1]);                                                \
		}                                                                                  \
		free(record);                                                                      \
	}

#define PLAIN(name)                                                                                \
	static void release_##name(struct name##_record *record)                                   \
	{                                                                                          \
		(void)record;                                                                      \
	}                                                                                          \
	ROUND_TRIP(name)

static void release_segment_sealed(struct segment_sealed_record *record)
{
	segment_sealed_record_release(record);
}

PLAIN(store)
PLAIN(master)
PLAIN(signing_key)
PLAIN(policy)
PLAIN(config)
PLAIN(config_refused)
PLAIN(period)
PLAIN(segment_opened)
ROUND_TRIP(segment_sealed)
PLAIN(covered)
PLAIN(orphan)
PLAIN(generation)
PLAIN(gap_accepted)
PLAIN(semi_sync)
PLAIN(request)
PLAIN(approved)
PLAIN(exported)
PLAIN(export_failed)
PLAIN(withdrawn)
PLAIN(paused)
PLAIN(resumed)

static void release_preflight(struct preflight_record *record)
{
	preflight_record_release(record);
}
ROUND_TRIP(preflight)

static void decode_all(const json_t *object)
{
	round_trip_store(object);
	round_trip_master(object);
	round_trip_signing_key(object);
	round_trip_policy(object);
	round_trip_config(object);
	round_trip_config_refused(object);
	round_trip_period(object);
	round_trip_segment_opened(object);
	round_trip_segment_sealed(object);
	round_trip_covered(object);
	round_trip_orphan(object);
	round_trip_generation(object);
	round_trip_gap_accepted(object);
	round_trip_semi_sync(object);
	round_trip_request(object);
	round_trip_approved(object);
	round_trip_exported(object);
	round_trip_export_failed(object);
	round_trip_withdrawn(object);
	round_trip_preflight(object);
	round_trip_paused(object);
	round_trip_resumed(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *state = state_new();
	struct plan *plan = plan_new("orders");
	const char *at = (const char *)data, *end = at + size;
	struct error err;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		json_t *object = NULL;

		line_end = line_end ? line_end : end;
		if (json_parse(at, (size_t)(line_end - at), &object, &err) == 0) {
			decode_all(object);
			if (state_check(state, object, &err) == 0)
				(void)!state_apply(state, object, &err);
			(void)!plan_add(plan, object, &err);
			json_decref(object);
		}
		at = line_end + 1;
	}
	(void)!plan_finish(plan, NULL, &err);
	plan_free(plan);
	state_free(state);
	return 0;
}
