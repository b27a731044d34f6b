/*
 * The file work of sealing one segment: prove that nobody writes to it any more, end it if its
 * puller could not, read it whole from the device, make it immutable. It runs in a worker and
 * knows nothing of the keeper; the leaf is the caller's next step.
 *
 *   found                               done
 *   a writer has the file open          ERROR_BUSY, nothing is touched
 *   END stands, authentic               read whole, +i
 *   no END: header only, frames, a torn tail, a torn END
 *                                       END with the good end of the longest authenticated prefix,
 *                                       then as above
 *   header missing or not its leaf's, an authentic frame behind damage, END that contradicts
 *                                       ERROR_DEFECT, nothing is touched
 *
 * Owns: what it opens, for the call. Threads: any; the store is only read.
 * Durable: when it returns 0, the file is whole, immutable (where WORM is required) and synced.
 * Crash: done again from the start. An END torn again is only more void bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "store/segment_record.h"
#include "store/store.h"

struct recover_request {
	const struct store *store;
	const struct segment_opened_record *opened;
	uint64_t opened_index;
	const struct secret *key; /* the segment's */
	uint64_t now_usec;	  /* for END */
};

/*
 * Recover and verify. *ret_sealed (release it) is what its leaf will say; *ret_ended whether END
 * was written here. ERROR_BUSY and ERROR_NO_SPACE may be tried again; anything else stays so.
 */
int segment_recover(const struct recover_request *request, struct segment_sealed_record *ret_sealed,
		    bool *ret_ended, struct error *err) MUST_CHECK;
