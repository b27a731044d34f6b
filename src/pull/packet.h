/*
 * The packets of a dump, cut out of the TLS stream: {u24 length, u8 sequence}, and a packet of
 * 0xFFFFFF bytes goes on in the next one. A status byte begins each payload; an event follows.
 *
 * Where semi-sync was asked for and the server does it, {0xef, 0 or 1} stands between the two, in
 * every packet, a heartbeat's too; a server without it sends none. The first packet tells which:
 * it is a ROTATE made for the stream, whose time, which an event begins with, is 0. From then on
 * every packet must be of that kind, because an event of a certain second begins with 0xef too.
 *
 * One linear buffer of PACKET_BUFFER_SIZE receives; an event that fits is handed out whole and in
 * place, a larger one in pieces. Nothing is allocated after packet_reader_new(), and nothing is
 * ever larger than the buffer, whatever the server says.
 *
 * Owns: the buffer. Borrows: the stream. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "crypto/tls_stream.h"

#define PACKET_BUFFER_SIZE     (4u << 20)
#define PACKET_EVENT_WHOLE_MAX (PACKET_BUFFER_SIZE / 2) /* larger events come in pieces */

enum packet_item_kind {
	PACKET_NOTHING, /* the stream must become readable (or writable: @want) first */
	PACKET_EVENT,	/* a whole event */
	PACKET_PIECE,	/* a part of a large one: @first, @last tell which */
};

struct packet_item {
	enum packet_item_kind kind;
	enum tls_want want;
	const uint8_t *bytes; /* until the next call */
	size_t size;
	bool first, last;
	bool acknowledge; /* of the event: the server asks for an acknowledgement of it */
};

enum packet_semi_sync {
	PACKET_SEMI_SYNC_UNKNOWN, /* asked for, and no packet has come yet */
	PACKET_SEMI_SYNC_NO,
	PACKET_SEMI_SYNC_YES,
};

struct packet_reader;

struct packet_reader *packet_reader_new(void);
void packet_reader_free(struct packet_reader *reader);
DEFINE_CLEANUP(packet_reader_free, struct packet_reader *);

/* Begin with a fresh stream (the next packet carries sequence 1). @semi_sync: it was asked for. */
void packet_reader_start(struct packet_reader *reader, struct tls_stream *stream, bool semi_sync);

enum packet_semi_sync packet_reader_semi_sync(const struct packet_reader *reader);

/*
 * The next event or piece. The first piece of a large event holds at least EVENT_HEADER_SIZE
 * bytes and up to PACKET_EVENT_WHOLE_MAX. ERROR_CLOSED: the connection ended. ERROR_REFUSED: the
 * server sent an error, whose number and text are the sentence (its number in *ret_server_error).
 * ERROR_DEFECT: this is no dump.
 */
int packet_reader_next(struct packet_reader *reader, struct packet_item *ret_item,
		       unsigned *ret_server_error, struct error *err) MUST_CHECK;

/* Has anything arrived since the last call? For the silence timer. */
bool packet_reader_heard(struct packet_reader *reader);
