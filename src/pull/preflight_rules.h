/*
 * The rules of the pre-flight: one table, one row a rule. A row says for which flavours it is,
 * which key of the configuration governs it, and how a server is judged; each has its own sentence,
 * which names the setting or the statement that mends it.
 *
 * Owns: nothing. Threads: any. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "pull/preflight_facts.h"

#define PREFLIGHT_RULES_MAX	40u
#define PREFLIGHT_SENTENCE_SIZE 512u /* as much as a message to the keeper holds */

/* A certificate that ends so soon needs somebody now. */
#define PREFLIGHT_ATTENTION_USEC (UINT64_C(7) * 86400 * 1000000)

enum preflight_verdict {
	PREFLIGHT_OFF, /* not for this flavour, not asked for, or nothing to judge */
	PREFLIGHT_HOLDS,
	PREFLIGHT_WARNS,
	PREFLIGHT_REFUSES,
};

struct preflight_finding {
	const char *rule, *key; /* the key is "" for what cannot be configured */
	enum preflight_verdict verdict;
	bool attention;	   /* a warning that cannot wait */
	uint64_t end_usec; /* of a certificate, if the rule is about one: 0 for none */
	char sentence[PREFLIGHT_SENTENCE_SIZE];
};

const char *preflight_verdict_name(enum preflight_verdict verdict); /* "refused" */

/* All rules, in the order of the table. Returns their number. */
size_t preflight_judge(const struct preflight_facts *facts,
		       struct preflight_finding findings[static PREFLIGHT_RULES_MAX]);
