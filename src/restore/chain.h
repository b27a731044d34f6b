/*
 * The events of one binlog file, byte by byte as they come out of its segments: lengths, CRCs,
 * transactions, and where a limit cuts.
 *
 * Invariants
 *  1. `position` is where the next event begins, while none is being fed; events follow each other
 *     without a hole.
 *  2. `boundary` is the last position, at or before the limit, where no transaction is open: what
 *     may be kept. It stays where it is from the event on that passes the limit.
 *  3. Nothing that an event with a wrong CRC says moves the boundary or reaches a limit by time.
 *
 * Owns: plain values, nothing allocated. The input is hostile. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "binlog/event.h"
#include "binlog/format.h"
#include "binlog/transaction.h"

#define CHAIN_FIRST_POSITION 4 /* behind the magic */

/* Values that no file reaches mean that there is no limit. */
struct chain_limit {
	uint64_t usec;	   /* before the first transaction that is as late */
	uint64_t position; /* behind the last transaction that ends here or before */
};
#define CHAIN_NO_LIMIT UINT64_MAX

struct chain {
	struct chain_limit limit;
	bool crc_may_be_wrong; /* the segment says that an event in it came so twice */

	uint64_t position;
	uint64_t event_count;
	uint64_t last_event_position;
	uint32_t last_event_crc;     /* 0 where events have none */
	uint64_t crc_wrong_count;    /* events that are kept as they came */
	uint64_t crc_wrong_position; /* of the last of them */

	bool reached; /* the limit */
	uint64_t boundary;
	uint64_t transaction_usec; /* of the last whole transaction up to boundary; 0: none */

	/* The rest is chain.c's. */
	bool has_format;
	struct format format;
	struct transaction_tracker tracker;
	struct event_header header;
	struct transaction_step step;
	struct event_crc crc;
	bool has_crc;
	uint32_t done; /* bytes of the event that were taken; 0: it has not begun */
	size_t prefix_size;
	uint8_t prefix[TRANSACTION_PREFIX_SIZE];
};

/* At the beginning of a file: its FORMAT_DESCRIPTION comes first. */
void chain_begin(struct chain *chain, const struct chain_limit *limit);

/* In the middle of one, at an event: @format of the file, or NULL if it is not known; then only
 * lengths are checked. */
void chain_resume(struct chain *chain, uint64_t position, const struct format *format);

/* The next bytes. ERROR_DEFECT "event at 4711: …". */
int chain_feed(struct chain *chain, const uint8_t *bytes, size_t size,
	       struct error *err) MUST_CHECK;

/* ERROR_DEFECT if the bytes so far end inside an event. */
int chain_check_whole(const struct chain *chain, struct error *err) MUST_CHECK;
