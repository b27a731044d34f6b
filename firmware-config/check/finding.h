/*
 * What a check found: one sentence each, about one named object, with what to do.
 *
 * A check never stops at the first finding; only what cannot be read at all is an error of the
 * call. What was compared and is in order is counted, so that "nothing found" can be told from
 * "nothing looked at".
 *
 * Owns: the texts that it was given, as copies. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"

enum finding_level {
	FINDING_NOTE,	   /* worth knowing; changes nothing */
	FINDING_ATTENTION, /* the state is not the one that was meant: exit status 6 */
	FINDING_DEFECT,	   /* missing, contradictory or malformed evidence: exit status 3 */
};

struct findings {
	json_t *list;	/* in the form that --output=json prints */
	size_t checked; /* comparisons that were made, those with a finding included */
	bool incomplete, attention;
};

void findings_init(struct findings *findings);
void findings_release(struct findings *findings);

/* One more comparison was made, whatever came out. */
void findings_count(struct findings *findings);

/* @object names the thing, @advice says what to do ("" for a note), the sentence is formatted. */
void findings_add(struct findings *findings, enum finding_level level, const char *object,
		  const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* 3 if evidence is missing or contradictory, else 6 if anything asks for attention, else 0. */
int findings_status(const struct findings *findings);

/* How many sentences of @object contain @words: for tests. */
size_t findings_matching(const struct findings *findings, const char *object, const char *words);

void findings_print_text(const struct findings *findings, const char *verb, FILE *out);
void findings_print_json(const struct findings *findings, const char *verb, FILE *out);
