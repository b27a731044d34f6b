/*
 * Generations: unbroken chains of binlog files of one source. Where a chain breaks, the next one
 * begins beside it, and neither ever overwrites the other.
 *
 * The first generation of a source is named by the file id of its first file. Each later one by
 *
 *	SHA-256("binvault generation v1" ‖ generation before ‖ le64 position where that ended ‖
 *		file id of its first file)
 *
 * so that a server that lost the tail of a file, and wrote it anew, does not bring the same name.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stdint.h>

#include "crypto/hash.h"

/* Why a chain broke. */
enum generation_reason {
	GENERATION_FAILOVER = 1, /* another server of the group goes on */
	GENERATION_RESET = 2,	 /* the server was reset or built anew: its files are others */
	GENERATION_DIVERGED = 3, /* the server has another end of the file: it lost it in a crash,
				    or was set back to an earlier state */
	GENERATION_PURGED = 4,	 /* the server has removed files that were not archived */
	GENERATION_JUMPED = 5,	 /* a file begins with transactions that none before it holds, or
				    without some that the one before it holds */
};
#define GENERATION_REASON_LAST GENERATION_JUMPED

/* "failover", "reset", …: the word that leaves and listings use; NULL for no such value. */
const char *generation_reason_name(enum generation_reason reason);

void generation_compute(const struct hash *before, uint64_t position, const struct hash *file_id,
			struct hash *ret_generation);
