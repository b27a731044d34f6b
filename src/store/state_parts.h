/*
 * What state.c (the fold) and state_questions.c (what is asked of it) share. For these two only.
 *
 * Invariants:
 *  1. entries stand in the order of their indices;
 *  2. every entry's record decodes from its object: `record` is that decoding;
 *  3. a segment-opened entry's period is an entry too, before it.
 */
#pragma once

#include "store/state.h"

union any_record {
	struct store_record archive;
	struct master_record master;
	struct signing_key_record signing_key;
	struct policy_record policy;
	struct config_record config;
	struct config_refused_record config_refused;
	struct period_record period;
	struct segment_opened_record opened;
	struct segment_sealed_record sealed;
	struct covered_record covered;
	struct damaged_record damaged;
	struct orphan_record orphan;
	struct generation_record generation;
	struct gap_accepted_record gap_accepted;
	struct semi_sync_record semi_sync;
	struct request_record request;
	struct approved_record approved;
	struct exported_record exported;
	struct export_failed_record failed;
	struct withdrawn_record withdrawn;
	struct paused_record paused;
	struct resumed_record resumed;
	struct preflight_record preflight;
};

struct entry {
	uint64_t index;
	uint64_t time_usec;
	enum record_type type;
	json_t *object; /* owned reference */
	union any_record *record;
};

struct state {
	struct entry *entries;
	size_t count, capacity;
	bool live; /* a leaf that is no `state` leaf was applied: carried ones are compared now */
};

/* The @position-th entry of a type, NULL if there are fewer; and how many there are. */
const struct entry *state_entry_at(const struct state *state, enum record_type type,
				   size_t position);
size_t state_entry_count(const struct state *state, enum record_type type);
