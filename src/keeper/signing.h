/*
 * Checkpoints: what the ledger says is signed by the HSM, at most once a second, and the HSM's own
 * memory of what it signed last is what tells an archive that was rolled back.
 *
 * Owns: its timers and the tree that binvault-hsm signed last. Threads: the loop's.
 * Durable: a checkpoint is appended only after binvault-hsm stored (size, root).
 * Crash: what was signed and not appended is signed again, the same or larger.
 */
#pragma once

#include "keeper/keeper.h"

int signing_new(struct keeper *keeper, struct signing **ret_signing, struct error *err) MUST_CHECK;
void signing_free(struct signing *signing);

/* binvault-hsm is there and signed this last. An error: rolled back or a fork; the keeper ends. */
int signing_connected(struct signing *signing, const struct hsm_signed_state *state,
		      struct error *err) MUST_CHECK;
void signing_lost(struct signing *signing);

/* There are new leaves. */
void signing_kick(struct signing *signing);

/* Are there leaves that will be signed within a second or so? */
bool signing_busy(const struct signing *signing);

/* Leaves that no checkpoint covers yet. */
uint64_t signing_unsigned_count(const struct signing *signing);
/* Has binvault-hsm's memory agreed with this archive since the keeper's start? */
bool signing_checked(const struct signing *signing);
uint64_t signing_last_usec(const struct signing *signing); /* of the last checkpoint, 0: none yet */
