/*
 * The fold: what start-up needs to know, as the set of the leaves that still matter.
 *
 *   archive, all masters, all signing keys · the latest policy, config and config-refused ·
 *   periods that are the newest of their source and class or that an unsealed segment names ·
 *   opened without sealed · per source the sealed segment that is furthest on, the latest covered,
 *   damaged and generation, every generation that began with a gap and who has accepted that, and
 *   the pause that lasts · per server the latest pre-flight · requests without a result, and their
 *   approval
 *
 * "Furthest on" is the segment opened last (by leaf index): a pending segment that is sealed late
 * does not turn the resume point back. One without events counts only if it says that its file
 * ended: so the last event's position and CRC are known wherever a file is gone on with.
 *
 * A ledger file begins with one `state` leaf per relevant leaf, {"type":"state","carries":{…}},
 * which carries the original verbatim (ledger/ adds part, parts and tree). Applying those to an
 * empty state gives the same set; applied to a state that goes on they must be a part of it, and
 * `verify` compares the whole group.
 *
 * Owns: references to the leaves' objects. Pointers into records are valid until the next apply.
 * Threads: one.
 */
#pragma once

#include "store/config_refused_record.h"
#include "store/gap_record.h"
#include "store/generation_record.h"
#include "store/pause_record.h"
#include "store/period_record.h"
#include "store/preflight_record.h"
#include "store/record.h"
#include "store/request_record.h"
#include "store/segment_record.h"
#include "store/semi_sync_record.h"

struct state;

struct state *state_new(void);
void state_free(struct state *state);
DEFINE_CLEANUP(state_free, struct state *);

/*
 * Would the leaf fit? ERROR_DEFECT with the reason if not: a field is wrong, a segment names a
 * period that is not there, a segment is sealed twice, a result has no request, … Called before a
 * leaf is appended, so that no wrong leaf is ever written.
 */
int state_check(const struct state *state, const json_t *object, struct error *err) MUST_CHECK;

/* Take a leaf's object (stamped with its index), in the order of the ledger. */
int state_apply(struct state *state, json_t *object, struct error *err) MUST_CHECK;

/* The relevant leaves' original objects in the order of their indices; borrowed. */
size_t state_count(const struct state *state);
json_t *state_at(const struct state *state, size_t position);

/* Each gives NULL if there is none. */
const struct store_record *state_archive(const struct state *state);
const struct policy_record *state_policy(const struct state *state);
const struct config_record *state_config(const struct state *state);
const struct config_refused_record *state_config_refused(const struct state *state);
const struct master_record *state_master(const struct state *state); /* the highest sequence */
const struct master_record *state_master_find(const struct state *state, uint32_t sequence);
const struct signing_key_record *state_signing_key(const struct state *state,
						   enum signing_role role); /* the latest */
size_t state_signing_key_count(const struct state *state);
const struct signing_key_record *state_signing_key_at(const struct state *state, size_t position);

/* A live period by id; and the newest of a source and class. */
const struct period_record *state_period_find(const struct state *state,
					      const uint8_t id[static STORE_ID_SIZE]);
const struct period_record *state_period_newest(const struct state *state, const char *source,
						const char *class);
/* The index of a live period's leaf; UINT64_MAX if there is none. */
uint64_t state_period_index(const struct state *state, const uint8_t id[static STORE_ID_SIZE]);
size_t state_period_count(const struct state *state);
const struct period_record *state_period_at(const struct state *state, size_t position);

/* Opened without sealed, oldest first; @source NULL: of all. */
struct state_open {
	uint64_t index; /* of the opened leaf, for the sealed record */
	const struct segment_opened_record *record;
};
size_t state_open_count(const struct state *state, const char *source);
struct state_open state_open_at(const struct state *state, const char *source, size_t position);
int state_open_find(const struct state *state, const uint8_t id[static SEGMENT_ID_SIZE],
		    struct state_open *ret_open, struct error *err) MUST_CHECK; /* NOT_FOUND */

/* Where a source goes on: its furthest sealed segment, NULL if none is sealed. */
const struct segment_sealed_record *state_sealed(const struct state *state, const char *source,
						 uint64_t *ret_index);
const struct covered_record *state_covered(const struct state *state, const char *source,
					   uint64_t *ret_usec /* its leaf's time */);

/* The latest pre-flight of a server, as the configuration names it. */
const struct preflight_record *state_preflight(const struct state *state, const char *source,
					       const char *server);
/* The last event of a source that is archived with the wrong CRC that the source has, and when its
 * leaf was written. */
const struct damaged_record *state_damaged(const struct state *state, const char *source,
					   uint64_t *ret_usec);
/* The pause of a source that lasts, NULL if there is none; *ret_usec is its leaf's time. */
const struct paused_record *state_paused(const struct state *state, const char *source,
					 uint64_t *ret_index, uint64_t *ret_usec);

/* The latest that began beside an earlier one; NULL while the source has had one only. */
const struct generation_record *state_generation(const struct state *state, const char *source);

/* A gap of a source, oldest first; false if there are fewer. */
struct state_gap {
	const struct generation_record *generation; /* that begins with it */
	const struct gap_accepted_record *accepted; /* NULL: by nobody */
	uint64_t accepted_usec;			    /* its leaf's time */
};
bool state_gap_at(const struct state *state, const char *source, size_t position,
		  struct state_gap *ret_gap);

/* Requests without a result, oldest first. */
size_t state_request_count(const struct state *state);
const struct request_record *state_request_at(const struct state *state, size_t position,
					      bool *ret_approved);

/* What clients may read: exported for one and not withdrawn, oldest first; NULL if there is none.
 */
const struct exported_record *state_shared_at(const struct state *state, size_t position);
const struct exported_record *state_shared_find(const struct state *state, const char *request);
