/*
 * The texts of GTIDs and of sets of them, in the servers' own notations:
 *
 *	MariaDB	one GTID for each domain and server, the last:	"0-1-100,1-2-5"
 *	MySQL	groups and their intervals:			"uuid:1-5:7:tag:1-3,uuid:1"
 *
 * Owns: nothing; a reader borrows the text it reads, a writer the buffer it writes to.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/flavour.h"
#include "binlog/gtid.h"

#define GTID_TEXT_SIZE		96
#define GTID_INTERVAL_TEXT_SIZE 128

/*
 * The way the server writes it, to @text of GTID_TEXT_SIZE bytes. The group may come from disk:
 * ERROR_DEFECT if it is of no known form.
 */
int gtid_format(const struct gtid *gtid, char *text, struct error *err) MUST_CHECK;

/*
 * The same for an interval, to @text of GTID_INTERVAL_TEXT_SIZE bytes: "uuid:1-5", "uuid:tag:3".
 * MariaDB has no notation for one; there it is its last GTID, "0-1-100".
 */
int gtid_interval_format(const struct gtid_interval *interval, char *text,
			 struct error *err) MUST_CHECK;

/* Reads the text of a set, interval by interval, in the order of the text. */
struct gtid_text {
	enum flavour flavour;
	const char *rest;
	struct gtid_group group; /* MySQL: whose intervals come next */
};

void gtid_text_init(struct gtid_text *text, enum flavour flavour, const char *string);

/*
 * The next interval: 1, 0 behind the last one, or ERROR_DEFECT. A MariaDB GTID stands for all of
 * its domain and server up to it: 1 to its number.
 *
 * The servers' grammars (MySQL: Gtid_set::add_gtid_text(); MariaDB: gtid_parser_helper()), blanks,
 * line ends, empty items and upper case included; but not what MySQL reads as something else than
 * it looks like: numbers with a leading zero (octal, hexadecimal) or a sign.
 */
int gtid_text_next(struct gtid_text *text, struct gtid_interval *ret_interval,
		   struct error *err) MUST_CHECK;

/*
 * Writes the text of a set to a bounded buffer. What does not fit is left out, and the text then
 * ends in "..."; it always ends in a NUL.
 */
struct gtid_text_writer {
	char *text;
	size_t size;
	size_t length;
	size_t kept;	    /* the text up to here is whole, and room for ",..." is behind it */
	size_t item_offset; /* MariaDB: where the last GTID begins */
	bool is_cut;
	struct gtid_group group; /* of the last interval; size 0: none yet */
};

#define GTID_TEXT_WRITER_SIZE_MIN 8

/* @size is GTID_TEXT_WRITER_SIZE_MIN at least; the text is "" until something is added. */
void gtid_text_writer_init(struct gtid_text_writer *writer, char *text, size_t size);

/*
 * Add an interval; those of one group come one after the other, from low to high, as they stand
 * in a struct gtid_ranges. Of a MariaDB group only the last one remains. ERROR_DEFECT for a group
 * of no known form; no error if the text does not fit.
 */
int gtid_text_writer_add(struct gtid_text_writer *writer, const struct gtid_interval *interval,
			 struct error *err) MUST_CHECK;
