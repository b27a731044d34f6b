/*
 * Period keys: made, wrapped, remembered while the keeper lives, unwrapped again by the HSM.
 *
 * Owns: the keys (struct secret) of live periods. Threads: the loop's.
 * Durable: periods_current() returns a period only after its leaf is durable.
 * Crash: keys in memory are gone; the HSM gives them back, or the segments stay pending.
 */
#pragma once

#include "base/secret.h"
#include "keeper/keeper.h"
#include "store/period_record.h"

struct periods;

int periods_new(struct keeper *keeper, struct periods **ret_periods, struct error *err) MUST_CHECK;
void periods_free(struct periods *periods);

/*
 * The period for new segments of a source: the newest of this class and month if its key is in
 * memory, else a new one (key, bound wrap, leaf). Never needs the HSM. Both outputs are borrowed.
 * A period of leaves that nobody had signed when the keeper started is not gone on with: who can
 * write to the disk could have planted it, with a key of his own and a wrap that fits.
 */
int periods_current(struct periods *periods, const char *source, const char *class,
		    const struct period_record **ret_record, const struct secret **ret_key,
		    struct error *err) MUST_CHECK;

/* The key if it is in memory, else NULL. */
const struct secret *periods_key(const struct periods *periods,
				 const uint8_t id[static STORE_ID_SIZE]);

/*
 * Have @record's key: at once if it is in memory, else the HSM unwraps it and it is checked
 * against the record (a planted or swapped wrap: ERROR_DEFECT, and an alarm). @ready is called
 * once, possibly before periods_fetch() returns; the key is borrowed and stays in memory at least
 * until @ready returns.
 */
typedef void periods_ready(void *owner, const struct secret *key, const struct error *reason);
void periods_fetch(struct periods *periods, const struct period_record *record,
		   periods_ready *ready, void *owner);
void periods_cancel(struct periods *periods, void *owner);
