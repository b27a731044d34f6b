/*
 * How far one source is covered: up to when, how far its server is ahead, and when that may purge
 * what we have not got. Put together from what the puller says (PROGRESS, STATE, OBSERVED); none of
 * it decides what is archived, only what `status` shows.
 *
 * "Covered until T": everything that the server had committed at the vault's time T is archived and
 * durable. Three things show it, and the latest counts:
 *   - the server said that it has no more than what is durable (its heartbeats: an idle server);
 *   - what its list showed at T has become durable (once a minute);
 *   - a transaction of T is durable, for a binlog is in the order of the commits. Its time comes
 *     from the server, which an SQL user can deceive: so the server's clock is compared with ours,
 *     and a time after its receipt counts as the receipt's.
 *
 * Owns: the last report and the mapping of its list. Threads: the loop's. A restart forgets it:
 * then only the last transaction that is sealed says until when.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "protocol/observed.h"
#include "protocol/pull_messages.h"

struct source;

/* Where the server's binlog ended at a time; file "": none. */
struct coverage_mark {
	char file[BINLOG_NAME_MAX + 1];
	uint64_t position;
	uint64_t usec;
};

struct coverage {
	uint64_t until_usec;	 /* 0: not known */
	struct observed *report; /* the last that saw something, NULL before */
	const uint8_t *list;	 /* its files, mapped; NULL: none */
	size_t list_size;
	struct coverage_mark end;	     /* of the report */
	struct coverage_mark awaited;	     /* of an earlier one, until it is reached */
	uint64_t failed_usec;		     /* of the last try, if it saw nothing */
	char failure[MESSAGE_SENTENCE_SIZE]; /* "" if it did */
};

void coverage_release(struct coverage *coverage);

/* An OBSERVED has come. ERROR_DEFECT ends the conversation, as for any message. */
int coverage_observed(struct source *source, struct message *message, struct error *err) MUST_CHECK;

/* More is durable, or the puller has told its state, or a sealed segment was found at the start. */
void coverage_progress(struct source *source);
void coverage_caught_up(struct source *source, uint64_t usec);
void coverage_sealed(struct source *source, uint64_t transaction_usec, uint64_t sealed_usec);

/* The last durable position; false if there is none. @ret_file has BINLOG_NAME_MAX + 1 bytes. */
bool coverage_place(const struct source *source, char *ret_file, uint64_t *ret_position);

/* Since when the source is not covered, if that is longer than maximum-uncovered allows; else 0. */
uint64_t coverage_missed_since(const struct source *source, uint64_t now_usec);

/* Bytes of the server that are not durable, across its files; UINT64_MAX: not known. */
uint64_t coverage_behind(const struct source *source);

/* Put what is known into the source's object of `status` (status.h says what), and a sentence, if
 * the source is not covered for a reason that only this knows. */
void coverage_status(const struct source *source, uint64_t now_usec, json_t *object);

/* The server's files of the last report: [[name, size], …]; an empty array without one. */
json_t *coverage_files(const struct source *source);
