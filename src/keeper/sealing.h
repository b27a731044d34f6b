/*
 * The life of one unsealed segment, from its segment-opened leaf to its segment-sealed leaf:
 *
 *   WRITING ──(closed, or its puller is gone)──► KEY ──► VERIFYING ──► sealed, and freed
 *      ▲                                          │          │ └──► SPACE  no room for END
 *      └────────(adopted by its puller)──── QUIET ◄──────────┘ └──► STOPPED  damaged: named, left
 *
 * KEY: its period key is awaited from binvault-hsm; this is what "pending" means. QUIET: somebody
 * has the file open for writing; tried again.
 *
 * Owns: the job and its copy of the segment key. Threads: the loop's; the job works on its own
 * struct only.
 */
#pragma once

#include <stdbool.h>

#include "keeper/keeper.h"
#include "protocol/pull_messages.h"
#include "store/segment_record.h"

enum sealing_state {
	SEALING_WRITING,
	SEALING_KEY,
	SEALING_VERIFYING,
	SEALING_QUIET,
	SEALING_SPACE,
	SEALING_STOPPED,
};
const char *sealing_state_name(enum sealing_state state);

struct sealing {
	struct keeper *keeper;
	struct source *source;
	uint64_t opened_index;
	struct segment_opened_record record;
	enum sealing_state state;
	uint64_t since_usec; /* realtime, of the state */
	char sentence[512];  /* why it is not sealed, "" while nothing is wrong */

	bool has_progress;
	struct progress progress;  /* the puller's last */
	uint32_t covered_sequence; /* of the last covered leaf */
	bool covered;

	struct loop_timer timer;
	uint64_t retry_usec;
	struct sealing_job *job; /* in a worker, or NULL */
	struct sealing *next;
};

/* A segment that has its opened leaf; in state WRITING. */
struct sealing *sealing_new(struct source *source, uint64_t opened_index,
			    const struct segment_opened_record *record);
/* No job runs any more: loop_end_jobs(). */
void sealing_free(struct sealing *sealing);

/* Nobody writes to it any more, as far as we know: recover and seal. source_sealed() is told. */
void sealing_begin(struct sealing *sealing);

/* Its puller is back and goes on with it. */
void sealing_adopt(struct sealing *sealing);

/* What it still may take from the volume, in bytes. */
uint64_t sealing_space_needed(const struct sealing *sealing);
