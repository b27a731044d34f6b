/*
 * Of the puller's conversation (pull_messages.h): where it goes on, and the segments that it is
 * given. What a source has archived travels as a set of GTIDs of bounded size.
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

#define ATTACHED_FIRST_POSITION 4 /* of a binlog file: behind its magic number */

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
	/* Behind the last transaction of the file that is archived whole; ATTACHED_FIRST_POSITION
	 * if there is none, or it is not known. One that is archived in part began there or later,
	 * and only its first event tells its GTID. */
	uint64_t transaction_end;
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
