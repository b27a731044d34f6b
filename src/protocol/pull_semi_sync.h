/*
 * SEMI_SYNC, a message of the puller to the keeper that has no answer: of a source with
 * semi-sync = yes, whether its server waits for our acknowledgements. At each change of `on` and of
 * the sentence, after ATTACHED, and once a second while the rest changes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "protocol/message.h"

struct pull_semi_sync {
	bool on; /* the server waits for our acknowledgements, and gets them */
	uint64_t since_usec;
	char sentence[MESSAGE_SENTENCE_SIZE]; /* why not; "" exactly if it is on */
	char file[BINLOG_NAME_MAX + 1];	      /* acknowledged last, "" if nothing was */
	uint64_t position;
	uint64_t acknowledged_count; /* transactions that waited for us, since the puller started */
	uint64_t other_count;	     /* those that did not */
};

int pull_semi_sync_send(int fd, const struct pull_semi_sync *semi_sync,
			struct error *err) MUST_CHECK;
int pull_semi_sync_decode(const struct message *message, struct pull_semi_sync *ret,
			  struct error *err) MUST_CHECK;
