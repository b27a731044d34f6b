/*
 * The other direction of a dump: semi-sync acknowledgements to the server, each one packet of
 * {u24 length, u8 sequence 0, 0xef, u64 position, file name}, over the TLS session of the dump.
 *
 * One position covers all before it, so that only the newest is kept. A packet whose first byte was
 * given to TLS is finished as it is; what came meanwhile follows in one packet. Each packet is a
 * TLS record of its own: a server waits on the socket, and would not see a second one that it has
 * decrypted with the first.
 *
 * What is given here must be durable; see sink_take_acknowledgement().
 *
 * Owns: one packet. Borrows: the stream. Threads: one, that of the stream. Allocates nothing after
 * _new.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "crypto/tls_stream.h"

/* The events of @file up to @position. */
struct acknowledgement {
	char file[BINLOG_NAME_MAX + 1];
	uint64_t position; /* in 64 bits, counted by us: log_pos wraps, and may be 0 */
};

struct acknowledger;

struct acknowledger *acknowledger_new(void);
void acknowledger_free(struct acknowledger *acknowledger);
DEFINE_CLEANUP(acknowledger_free, struct acknowledger *);

/* A stream begins: whatever another one was to be told is forgotten. */
void acknowledger_start(struct acknowledger *acknowledger, struct tls_stream *stream);

/* In place of what was given before and is not being sent yet. */
void acknowledger_give(struct acknowledger *acknowledger, const struct acknowledgement *next);

/*
 * A packet that acknowledges nothing: position 0 of no file, which is before all that a server
 * knows. It wakes one that waits for a packet; see registration.h.
 */
void acknowledger_poke(struct acknowledger *acknowledger);

/*
 * Send what was given. 1: all of it is sent; 0: the socket must become writable (or readable:
 * *ret_want) first. ERROR_CLOSED as tls_stream_write(). *ret_sent: how many packets have become
 * whole by this call.
 */
int acknowledger_send(struct acknowledger *acknowledger, unsigned *ret_sent,
		      enum tls_want *ret_want, struct error *err) MUST_CHECK;

/* The newest one that was sent whole on this stream; NULL before the first. */
const struct acknowledgement *acknowledger_sent(const struct acknowledger *acknowledger);
