/*
 * What of a source's history is archived, as a set of GTIDs, and how a binlog file that begins
 * joins it. Positions prove continuity within one server's files; where those end (another server,
 * a server that was reset or lost its tail), only the set with which the new file begins does.
 *
 * Of MySQL the set holds exactly the archived transactions. MariaDB's servers number a domain in
 * one sequence, and a server's binlog state names the last number of each server in it: there a
 * group (domain, server) holds 1..n for the last number n. So "is contained in" means the same for
 * both: everything up to there is archived.
 *
 * Owns: the set, bounded (one that overflows is not known any more). Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "binlog/flavour.h"
#include "protocol/pull_messages.h"
#include "volume/ranges.h"

#define HISTORY_TEXT_SIZE 320

struct history;

struct history *history_new(void);
void history_free(struct history *history);
DEFINE_CLEANUP(history_free, struct history *);

/* A set of the size that a history has, for the functions below. */
struct gtid_ranges *history_set_new(void);

/* Begin with what the keeper says, or with nothing known. */
void history_forget(struct history *history);
int history_begin(struct history *history, enum flavour flavour,
		  const struct gtid_snapshot *snapshot, struct error *err) MUST_CHECK;

/* Begin with a set, at the first file of a source. */
void history_begin_with(struct history *history, enum flavour flavour,
			const struct gtid_ranges *set);

/* A transaction is archived. */
void history_add(struct history *history, const uint8_t *group, size_t group_size,
		 uint64_t sequence);

/* Known, and of which flavour. */
bool history_known(const struct history *history);
enum flavour history_flavour(const struct history *history);
const struct gtid_ranges *history_set(const struct history *history);
void history_snapshot(const struct history *history, struct gtid_snapshot *ret_snapshot);

/*
 * The set that a file begins with, out of its PREVIOUS_GTIDS or GTID_LIST event of @size bytes, or
 * that a server's text states, united into @set (which may overflow).
 */
int history_read_event(enum flavour flavour, const uint8_t *event, size_t size, size_t crc_size,
		       struct gtid_ranges *set, struct error *err) MUST_CHECK;
int history_read_text(enum flavour flavour, const char *text, struct gtid_ranges *set,
		      struct error *err) MUST_CHECK;

/* The way the server writes it, cut to fit; "nothing" if it is empty. */
void history_text(const struct gtid_ranges *set, char text[static HISTORY_TEXT_SIZE]);

/* The same, whole, of a history that is known; false (and "") if it does not fit. */
bool history_whole_text(const struct history *history, char *text, size_t size);

/*
 * A file begins with the transactions of @start, and what is archived ended at @after: how do they
 * join? @reason is why the stream could not go on by position; 0: the file follows the archived one
 * by its server's own ROTATE.
 *
 * In order, it has to begin with all that the file before began with and held, as far as this
 * history has followed that from its beginning. (MariaDB may forget a domain; with
 * gtid_strict_mode=OFF a client can make a server's numbers go back, which counts as a break.)
 *
 * Fills @ret_begin: reason 0 if the chain goes on, else why a generation begins, with the sentence
 * and whether there is a gap; `before` is the caller's business. @ret_next becomes the history when
 * the file's first events are archived: then what precedes it counts too.
 */
struct history_file {
	enum flavour flavour;
	const char *name;
	const struct gtid_ranges *start;
	bool start_unknown; /* the event that names it is damaged on the server: @start is empty */
	enum generation_reason reason;
	bool is_next; /* the archived file said that this one follows */
	const char *after_file;
	uint64_t after_position;
	const char *note; /* of the one who chose the file, "" if there is nothing to say */
};
void history_join(const struct history *history, const struct history_file *file,
		  struct generation_begin *ret_begin, struct history *ret_next);
