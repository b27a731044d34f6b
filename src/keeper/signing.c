#include "keeper/signing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"

#define SIGN_EVERY_USEC	   USEC_PER_SEC
#define REFUSED_RETRY_USEC (30 * USEC_PER_SEC)
#define UNCHECKED_USEC	   (5 * USEC_PER_SEC)

struct signing {
	struct keeper *keeper;
	struct loop_timer timer, unchecked;
	bool checked;	  /* since the start, once */
	bool ready;	  /* connected, and it knows what it signed last */
	bool on_the_way;  /* one request */
	bool refused;	  /* the last one */
	struct tree tree; /* that binvault-hsm signed last, as far as we know */
	struct tree next; /* that it is asked to sign */
	uint64_t started_usec, last_usec;
	struct hsm_sign_checkpoint request;
};

static void sign_now(void *context);

uint64_t signing_unsigned_count(const struct signing *signing)
{
	struct hash root;
	uint64_t size;

	store_checkpoint(signing->keeper->store, &size, &root);
	return store_tree(signing->keeper->store)->size - size;
}

bool signing_checked(const struct signing *signing)
{
	return signing->checked;
}

uint64_t signing_last_usec(const struct signing *signing)
{
	return signing->last_usec;
}

static void schedule(struct signing *signing, uint64_t delay_usec)
{
	loop_timer_set(signing->keeper->loop, &signing->timer, delay_usec, sign_now, signing);
}

/* Is there a leaf, or a size that was signed and not appended, without its checkpoint? */
static bool is_behind(const struct signing *signing)
{
	struct hash root;
	uint64_t size;

	store_checkpoint(signing->keeper->store, &size, &root);
	return store_tree(signing->keeper->store)->size > size || signing->tree.size > size;
}

bool signing_busy(const struct signing *signing)
{
	return signing->ready && is_behind(signing) && !signing->refused;
}

void signing_kick(struct signing *signing)
{
	uint64_t now = clock_monotonic_usec();
	uint64_t due = signing->started_usec + SIGN_EVERY_USEC;

	if (!signing->ready || signing->on_the_way || signing->timer.due_usec ||
	    !is_behind(signing))
		return;
	schedule(signing, due > now ? due - now : 0);
}

/* 0: whatever follows can wait for the next try. */
static int append(struct signing *signing, const struct hsm_signature *signature, struct error *err)
{
	struct store *store = signing->keeper->store;
	struct hash root;
	uint64_t size;

	tree_root(&signing->next, &root);
	if (signature->size != signing->next.size ||
	    memcmp(&signature->root, &root, sizeof(root)) != 0)
		return error_set(err, ERROR_DEFECT,
				 "binvault-hsm signed size %" PRIu64 ", and size %" PRIu64
				 " was asked for, or another root",
				 signature->size, signing->next.size);
	signing->tree = signing->next;
	store_checkpoint(store, &size, &root);
	/* It was behind our last checkpoint (its state is an older copy) and catches up. */
	if (signature->size <= size)
		return 0;
	return store_checkpoint_append(store, signature->size, &signature->root,
				       signature->signature, signature->signature_size, err);
}

static void refused(struct signing *signing, const struct error *reason)
{
	char sentence[512];

	snprintf(sentence, sizeof(sentence),
		 "%.300s. Ingest goes on, %" PRIu64
		 " leaves are unsigned; the next try is in 30 s. "
		 "Do: binvault verify, and see the log of binvault-hsm",
		 reason->message, signing_unsigned_count(signing));
	keeper_alarm_raise(signing->keeper, "checkpoint refused", sentence);
	signing->refused = true;
	schedule(signing, REFUSED_RETRY_USEC);
}

static void signed_(void *owner, const struct hsm_signature *signature, const struct error *reason)
{
	struct signing *signing = owner;
	struct error err;
	int r;

	signing->on_the_way = false;
	if (!signature) {
		refused(signing, reason);
		return;
	}
	r = append(signing, signature, &err);
	if (r == ERROR_DEFECT || r == ERROR_USAGE || r == ERROR_NO_SPACE) {
		refused(signing, &err);
	} else if (r < 0) {
		error_prefix(&err, "appending a checkpoint");
		keeper_fail(signing->keeper, &err);
	} else {
		signing->last_usec = clock_realtime_usec();
		signing->refused = false;
		keeper_alarm_clear(signing->keeper, "checkpoint refused");
		signing_kick(signing);
	}
}

static int collect(void *context, const struct hash *hashes, size_t count, struct error *err)
{
	struct signing *signing = context;
	struct hsm_sign_checkpoint *request = &signing->request;

	(void)err;
	for (size_t i = 0; i < count; i++) {
		request->leaves[request->leaf_count++] = hashes[i];
		tree_append(&signing->next, &hashes[i]);
	}
	return 0;
}

static void sign_now(void *context)
{
	struct signing *signing = context;
	struct store *store = signing->keeper->store;
	struct hsm_sign_checkpoint *request = &signing->request;
	uint64_t from = signing->tree.size, to;
	struct error err;
	int r;

	if (!signing->ready || signing->on_the_way || !is_behind(signing))
		return;
	to = MIN(store_tree(store)->size, from + HSM_LEAVES_MAX);
	memset(request, 0, sizeof(*request));
	snprintf(request->origin, sizeof(request->origin), "%s", store_origin(store));
	request->from_size = from;
	tree_root(&signing->tree, &request->from_root);
	signing->next = signing->tree;
	if (to > from) {
		r = store_leaf_hashes(store, from, to, HSM_LEAVES_MAX, collect, signing, &err);
		if (r < 0) {
			refused(signing, &err);
			return;
		}
	}
	signing->on_the_way = true;
	signing->started_usec = clock_monotonic_usec();
	hsm_client_sign_checkpoint(signing->keeper->hsm, request, signed_, signing);
}

static void raise_unchecked(void *context)
{
	struct signing *signing = context;
	struct keeper *keeper = signing->keeper;
	char sentence[512];

	snprintf(sentence, sizeof(sentence),
		 "%.300s. Ingest goes on; leaves stay unsigned and restores wait. Do: see the log "
		 "of binvault-hsm",
		 hsm_client_sentence(keeper->hsm));
	keeper_alarm_raise(keeper, "hsm away", sentence);
	if (!signing->checked)
		keeper_alarm_raise(keeper, "rollback unchecked",
				   "whether this archive was rolled back is not known before "
				   "binvault-hsm answers. Ingest goes on. Do: start binvault-hsm");
	/* The reason may become a better one. */
	loop_timer_set(keeper->loop, &signing->unchecked, UNCHECKED_USEC, raise_unchecked, signing);
}

int signing_new(struct keeper *keeper, struct signing **ret_signing, struct error *err)
{
	struct signing *signing = calloc(1, sizeof(*signing));

	if (!signing)
		return error_set(err, ERROR_FAILED, "no memory for signing");
	signing->keeper = keeper;
	loop_timer_set(keeper->loop, &signing->unchecked, UNCHECKED_USEC, raise_unchecked, signing);
	*ret_signing = signing;
	return 0;
}

void signing_free(struct signing *signing)
{
	if (!signing)
		return;
	loop_timer_clear(signing->keeper->loop, &signing->timer);
	loop_timer_clear(signing->keeper->loop, &signing->unchecked);
	if (signing->keeper->hsm)
		hsm_client_cancel(signing->keeper->hsm, signing);
	free(signing);
}

int signing_connected(struct signing *signing, const struct hsm_signed_state *state,
		      struct error *err)
{
	struct keeper *keeper = signing->keeper;
	int r;

	loop_timer_clear(keeper->loop, &signing->unchecked);
	if (!state->stored) {
		/* `init` signed the first checkpoint: there is no archive without one. */
		keeper_alarm_raise(keeper, "hsm state lost",
				   "binvault-hsm has no memory of what it signed ([hsm] state): it "
				   "signs nothing, and a rollback of this archive would not be "
				   "seen. Do: binvault verify, stop the vault, binvault init "
				   "--accept-state SIZE:ROOT of a checkpoint kept elsewhere");
		keeper_alarm_clear(keeper, "hsm away");
		return 0;
	}
	r = store_check_signed(keeper->store, &state->tree, err);
	if (r < 0) {
		keeper_fail(keeper, err);
		return r;
	}
	signing->tree = state->tree;
	signing->checked = true;
	signing->ready = true;
	keeper_alarm_clear(keeper, "rollback unchecked");
	keeper_alarm_clear(keeper, "hsm state lost");
	keeper_alarm_clear(keeper, "hsm away");
	signing_kick(signing);
	return 0;
}

void signing_lost(struct signing *signing)
{
	/* What was on the way may have been stored: its answer to LAST_SIGNED will say. */
	hsm_client_cancel(signing->keeper->hsm, signing);
	loop_timer_clear(signing->keeper->loop, &signing->timer);
	signing->ready = false;
	signing->on_the_way = false;
	/* A restart takes a moment and is no alarm. */
	loop_timer_set(signing->keeper->loop, &signing->unchecked, UNCHECKED_USEC, raise_unchecked,
		       signing);
}
