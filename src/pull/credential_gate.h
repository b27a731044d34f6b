/*
 * Which versions of a credential may be tried at one server: the circuit breaker (credential.h says
 * why it is as it is). Pure: time comes in.
 *
 * Owns: nothing; a plain value, zeros to begin with. It holds hashes, no secrets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"

#define GATE_VERSIONS	   4 /* that are remembered; the longest unseen is forgotten first */
#define GATE_SENTENCE_SIZE 512

struct gate_version {
	struct hash id;
	uint64_t seen; /* 0: this place is free */
	bool refused, accepted;
	uint64_t refused_usec;
};

struct credential_gate {
	struct gate_version versions[GATE_VERSIONS];
	uint64_t seen;		/* counts what is told */
	unsigned refused_count; /* in a row, whatever version */
	uint64_t refused_usec;
	char sentence[GATE_SENTENCE_SIZE]; /* of the last refusal */
};

/*
 * May @id be tried @now? A version that was refused only after @retry_usec (0: never); others not
 * too soon after another one was refused, in case that each is new and all are wrong; one that has
 * worked here at any time.
 */
bool credential_gate_allows(const struct credential_gate *gate, const struct hash *id, uint64_t now,
			    uint64_t retry_usec);

void credential_gate_accepted(struct credential_gate *gate, const struct hash *id);
void credential_gate_refused(struct credential_gate *gate, const struct hash *id, uint64_t now,
			     const char *sentence);

/* Forget what was refused. */
void credential_gate_forgive(struct credential_gate *gate);
