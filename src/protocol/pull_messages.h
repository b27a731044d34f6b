/*
 * Puller and keeper. The puller connects to the socket of its source (the socket says which source
 * it is; no message does). It speaks first: HELLO, then ATTACH, and then whatever it wants; every
 * request has one answer, in order; PROGRESS, SEGMENT_CLOSED, STATE, SEMI_SYNC (pull_semi_sync.h)
 * and OBSERVED (observed.h) have none. Only CONTROL comes without a question: before ATTACHED, and
 * whenever it changes.
 *
 *   puller                      keeper
 *   HELLO                   ->
 *                           <-  HELLO
 *   ATTACH                  ->
 *                           <-  CONTROL                  (may be pulled, or not)
 *                           <-  ATTACHED | FAILURE      (after recovery of what the last one left)
 *   OPEN_SEGMENT            ->
 *                           <-  SEGMENT_OPENED + fd | FAILURE (NO_SPACE: ask again later)
 *   PROGRESS …              ->
 *   SEGMENT_CLOSED          ->                            (END is durable, key wiped, fd closed)
 *                           <-  CONTROL …
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "crypto/hash.h"
#include "protocol/message.h"
#include "volume/generation.h"
#include "volume/gtid_snapshot.h"
#include "volume/header.h"

/*
 * ATTACH: does the puller still hold an open segment of before the keeper's restart? Then it goes
 * on writing to it, and the keeper adopts it.
 */
struct attach {
	bool holds_segment;
	uint8_t segment_id[SEGMENT_ID_SIZE];
};

enum attached_kind {
	/* Nothing is sealed: begin with next_file, or as the configuration says if it is empty.
	 * What the last puller wrote is pending then, and what follows must not begin behind it. */
	ATTACHED_START = 0,
	ATTACHED_RESUME = 1,   /* go on in binlog_file at good_end */
	ATTACHED_NEXT = 2,     /* binlog_file is whole; the next is next_file from position 4 */
	ATTACHED_CONTINUE = 3, /* the held segment is yours; nothing else is set */
};

struct attached {
	enum attached_kind kind;
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	struct hash generation;
	struct hash file_id;
	char binlog_file[BINLOG_NAME_MAX + 1];
	char next_file[BINLOG_NAME_MAX + 1];
	uint64_t good_end;	      /* binlog position */
	uint64_t last_event_position; /* of the last archived event */
	uint32_t last_event_crc;
	struct gtid_snapshot gtids; /* all of the source that is archived up to good_end */
};

/*
 * Why a generation begins beside the one before, with the segment that is asked for; the keeper
 * notes it in the ledger before the segment. Asked again for the same generation, it does not
 * note it twice.
 */
struct generation_begin {
	enum generation_reason reason; /* 0: no generation begins, or the source's first */
	struct hash before;
	char after_file[BINLOG_NAME_MAX + 1]; /* where that one ended */
	uint64_t after_position;
	bool gap; /* transactions are missing between them, or may be */
	char sentence[MESSAGE_SENTENCE_SIZE];
};

struct open_segment {
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	struct hash generation;
	struct hash file_id;
	char binlog_file[BINLOG_NAME_MAX + 1];
	uint64_t start_position;
	struct gtid_snapshot gtids; /* all of the source that is archived before the segment */
	struct generation_begin begin;
};

/* The key goes by value, once, and is wiped on both sides as soon as it is in a struct secret. */
struct segment_opened {
	uint8_t header[SEGMENT_HEADER_SIZE]; /* as it stands on disk, for segment_header_decode() */
	uint8_t key[32];
};

/* At most ten a second, and one before SEGMENT_CLOSED. What it states is durable. */
struct progress {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t good_end;
	uint64_t transaction_end;
	uint64_t transaction_usec; /* time of the last whole transaction, as the server says */
	uint64_t received_usec;	   /* vault time of the last durable frame */
	uint64_t source_position;  /* where the server is in its current file, 0 if not known */
	uint64_t byte_count;	   /* binlog bytes since the puller started */
	uint32_t frame_sequence;   /* of the last durable frame */
	uint8_t frame_tag[16];
};

struct segment_closed {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t good_end;
};

enum pull_state {
	PULL_CONNECTING = 0,
	PULL_STREAMING = 1,
	PULL_WAITING = 2, /* a failure that may pass: next try at retry_usec */
	PULL_REFUSED = 3, /* a failure that a person must end */
	PULL_PAUSED = 4,  /* a CONTROL_PAUSE, obeyed */
	PULL_LIMITED = 5, /* a CONTROL_LIMIT, obeyed */
};

#define PULL_CONNECTION_SIZE 37 /* a UUID in text */

struct pull_status {
	enum pull_state state;
	uint64_t retry_usec; /* realtime of the next try, 0 if none is planned */
	char server[128];    /* "db1.bank.example:3306" */
	char sentence[MESSAGE_SENTENCE_SIZE];
	/* Of the stream that stands: as in its SESSION frames and on the server; "" if there is
	 * none. */
	char connection[PULL_CONNECTION_SIZE];
	/* Vault time at which the server said that it has no more than what is durable; told once a
	 * second at most, 0 before the first time. */
	uint64_t caught_up_usec;
};

enum control_kind {
	CONTROL_PULL = 0,
	CONTROL_PAUSE = 1, /* a person wants it: end the stream and the segment in good order */
	CONTROL_LIMIT = 2, /* the source has had its share: likewise, until until_usec */
};

/* May the source be pulled? What it asks for is done in good order: no byte that was received and
 * no acknowledgement of it is lost. */
struct control {
	enum control_kind kind;
	uint64_t until_usec; /* vault time at which the keeper takes it back, 0 if a person does */
	char sentence[MESSAGE_SENTENCE_SIZE]; /* why; "" for CONTROL_PULL */
};

int attach_send(int fd, const struct attach *attach, struct error *err) MUST_CHECK;
int attach_decode(const struct message *message, struct attach *ret, struct error *err) MUST_CHECK;
int attached_send(int fd, const struct attached *attached, struct error *err) MUST_CHECK;
int attached_decode(const struct message *message, struct attached *ret,
		    struct error *err) MUST_CHECK;
int open_segment_send(int fd, const struct open_segment *request, struct error *err) MUST_CHECK;
int open_segment_decode(const struct message *message, struct open_segment *ret,
			struct error *err) MUST_CHECK;
int segment_opened_send(int fd, const struct segment_opened *opened, const int *fds,
			size_t fd_count, struct error *err) MUST_CHECK;
int segment_opened_decode(const struct message *message, struct segment_opened *ret,
			  struct error *err) MUST_CHECK;
int progress_send(int fd, const struct progress *progress, struct error *err) MUST_CHECK;
int progress_decode(const struct message *message, struct progress *ret,
		    struct error *err) MUST_CHECK;
int segment_closed_send(int fd, const struct segment_closed *closed, struct error *err) MUST_CHECK;
int segment_closed_decode(const struct message *message, struct segment_closed *ret,
			  struct error *err) MUST_CHECK;
int pull_status_send(int fd, const struct pull_status *status, struct error *err) MUST_CHECK;
int pull_status_decode(const struct message *message, struct pull_status *ret,
		       struct error *err) MUST_CHECK;
int control_send(int fd, const struct control *control, struct error *err) MUST_CHECK;
int control_decode(const struct message *message, struct control *ret,
		   struct error *err) MUST_CHECK;
