/*
 * Where transactions begin and end in the events of one binlog file.
 *
 * A restore may be cut where a transaction ends and nowhere else, so one rule stands above the
 * others: an end that is reported is one. Where the events leave doubt (a start in the middle of
 * a transaction, an event that we do not know, a statement whose text we were not given) the end
 * is reported later, or not at all before the next transaction; never earlier.
 *
 * "Transaction" is the server's event group: what one GTID covers. A MariaDB two-phase ALTER is
 * two of them, so is an XA transaction (up to PREPARE, and the COMMIT or ROLLBACK).
 *
 * Owns: nothing; plain values, the prefixes are not kept. The input is hostile: an undecodable
 * event leaves the tracker in doubt, it is no error.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/event.h"
#include "binlog/format.h"
#include "binlog/gtid.h"

/*
 * How many bytes of each event are worth feeding (fewer if it is shorter). A QUERY's text stands
 * behind up to 16 database names of 193 bytes; a text further back counts as not given.
 */
#define TRANSACTION_PREFIX_SIZE 4096

enum transaction_state {
	TRANSACTION_NONE,	/* between transactions */
	TRANSACTION_STANDALONE, /* MariaDB GTID with STANDALONE: ends with one statement */
	TRANSACTION_GTID,	/* MySQL GTID: the next event shows what it is */
	TRANSACTION_OPEN,	/* ends with XID, XA_PREPARE, COMMIT or ROLLBACK */
};

struct transaction_tracker {
	enum transaction_state state;
	bool gtid_is_known; /* of the transaction at hand */
	uint16_t query_post_header_length;
	size_t crc_size;
	struct gtid gtid;
	uint32_t timestamp;
};

struct transaction_step {
	bool starts;	/* the event is the first of a transaction */
	bool inside;	/* the event belongs to a transaction; starts and ends imply it */
	bool ends;	/* the event is its last: behind it nothing is open */
	bool abandoned; /* the one before will never end: it was torn by a crash, or in doubt */
	/* Of the transaction that the event belongs to, if it is inside one: */
	bool gtid_is_known; /* false also when its beginning has not been seen */
	struct gtid gtid;
	uint32_t timestamp; /* seconds since 1970 of its first event seen: a hint, SQL can set it */
};

/* Begin a file of @format, at its first event. */
void transaction_init(struct transaction_tracker *tracker, const struct format *format);

/*
 * Begin in the middle of one. @is_boundary: the first event to come follows the end of a
 * transaction, or stands before the first one. If false it may be inside one.
 */
void transaction_resume(struct transaction_tracker *tracker, const struct format *format,
			bool is_boundary);

/* The next event of the file: its header and the first @size bytes of it, header included. */
void transaction_feed(struct transaction_tracker *tracker, const struct event_header *header,
		      const uint8_t *event, size_t size, struct transaction_step *ret_step);

/*
 * The event that was fed last, with @step, turned out to have a wrong CRC: nothing that it says is
 * relied on. What it seemed to end goes on, what it seemed to begin has no GTID that is known.
 */
void transaction_doubt(struct transaction_tracker *tracker, struct transaction_step *step);
