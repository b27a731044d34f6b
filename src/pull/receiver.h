/*
 * What the events of a dump are: which belong to the binlog file, where in it they stand, and
 * whether they are what they must be. Nothing is trusted: CRC, position (counted here, in 64 bits;
 * log_pos is only compared), the repetition of the last archived event, the names of files.
 *
 * An event with a wrong CRC that comes byte for byte the same over two connections is what the
 * source has: it is taken as it came, and said to be so (event.crc_wrong). Nothing in it is relied
 * on: it has no time, begins and ends no transaction, and does not end its file.
 *
 * Owns: plain state, allocated once. Borrows the bytes of an item until the next one.
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "pull/packet.h"
#include "pull/place.h"
#include "volume/writer.h"

enum received_kind {
	RECEIVED_NOTHING, /* made for the stream, or archived already */
	RECEIVED_EVENT,	  /* bytes of the file: a whole event, or a part of a large one */
	RECEIVED_FILE,	  /* the events to come are of another file: @next_file */
};

struct received {
	enum received_kind kind;
	uint8_t type; /* enum event_type */
	const uint8_t *bytes;
	size_t size;
	bool first, last;	    /* of the event; a whole one is both */
	bool file_end;		    /* a ROTATE or STOP: nothing follows in this file */
	uint64_t position;	    /* of the event's first byte */
	uint64_t length;	    /* of the event */
	const char *next_file;	    /* of a FILE, or of a ROTATE event; else NULL */
	struct segment_event event; /* with @last: for segment_writer_event_end() */
	/* With @last: the server asks for an acknowledgement of it, and no event of its
	 * transaction came with a wrong CRC. */
	bool acknowledge;
	/* Of NOTHING: the last archived event has come again and is the same, and may be
	 * acknowledged, for the one that should have done so may have died before. */
	bool verified;
};

struct receiver;

struct receiver *receiver_new(void);
void receiver_free(struct receiver *receiver);
DEFINE_CLEANUP(receiver_free, struct receiver *);

/*
 * Where the server is to be asked for a stream that goes on behind @place, which is not empty: at
 * the place's last event; or, if that stands in a transaction whose beginning this receiver has not
 * seen (no @same_history), where that transaction may have begun. Otherwise its GTID would never be
 * known, and what is archived in two parts would look like a gap.
 */
uint64_t receiver_begin_position(const struct place *place, bool same_history);

/*
 * A stream begins. With a place that is not empty it must begin as receiver_begin_position() says;
 * otherwise with the first event of @file. What was received of an event that had not ended is
 * forgotten. @same_history: the place is the one that this receiver reached itself, and what it
 * knows of the transaction at hand still holds.
 */
void receiver_start(struct receiver *receiver, const struct place *place, const char *file,
		    bool same_history);

/*
 * Right after receiver_start(): @file is the one that the server wrote when it was connected, "" if
 * that was not asked. It and what follows it end by a ROTATE; anything else is a server that was
 * reset under our hands, and ERROR_DEFECT, for a fresh connection finds that out.
 */
void receiver_set_current(struct receiver *receiver, const char *file);

/*
 * Right after receiver_start(): the server was asked for the whole file, because it cannot be asked
 * for the place. What is archived comes first; it is looked at, and compared at its end.
 */
void receiver_set_reread(struct receiver *receiver);

/*
 * Look at the next item. ERROR_DEFECT: damaged, or no binlog: a fresh connection may bring it
 * right. ERROR_DIVERGED: the server's binlog is not the one that is archived. ERROR_REFUSED: it is
 * one that is not archived. After an error only receiver_start() may follow.
 */
int receiver_take(struct receiver *receiver, const struct packet_item *item,
		  struct received *ret_received, struct error *err) MUST_CHECK;

/*
 * The server has ended the dump, since the file's next event is torn: it died while it wrote it,
 * took it back when it was started again, and goes on in the file that it numbers next. Nothing of
 * this file is still to come, which is an item. ERROR_DIVERGED: not even the archived events are
 * whole there; ERROR_DEFECT: it has no next file.
 */
int receiver_take_torn(struct receiver *receiver, struct received *ret_received,
		       struct error *err) MUST_CHECK;

/*
 * After an error: it is a wrong CRC that came for the first time, and the next connection tells
 * whether it is the source's. (Of an event that comes in pieces: the second time too.)
 */
bool receiver_suspected(const struct receiver *receiver);

/* Where the stream stands: the file, and the end of the last whole event. */
const char *receiver_file(const struct receiver *receiver);
uint64_t receiver_position(const struct receiver *receiver);

/* Something of the stream has come. */
bool receiver_has_begun(const struct receiver *receiver);

/* The last archived event has come again and is the same: what follows is new. */
bool receiver_verified(const struct receiver *receiver);

/* While what is archived is read again: how much of that has come, of 100 (-1 otherwise), and why
 * that is so. */
int receiver_reread_percent(const struct receiver *receiver);

void receiver_reread_sentence(const struct receiver *receiver, char *text, size_t size);

/* The FORMAT_DESCRIPTION of the file at hand as this stream brought it; 0 bytes before. */
size_t receiver_format(const struct receiver *receiver, const uint8_t **ret_bytes);

/* The last that came was a heartbeat: the server had sent all that it has. */
bool receiver_at_end(const struct receiver *receiver);

/* Where the server is in its current file, as its last heartbeat said; 0 if it did not. */
uint64_t receiver_source_position(const struct receiver *receiver);
