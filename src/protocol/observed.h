/*
 * OBSERVED, from puller to keeper, without an answer: what its second connection saw of the server
 * that it streams from, at most once a minute. The server's list of binlog files is a body beside
 * it (a sealed memory file), since a server may keep many.
 *
 * One entry of the list: le64 size, u8 encrypted, u8 length of the name, the name. Sizes are binlog
 * positions: where the stream of the file ends or has come to. The last is the one that the server
 * writes.
 *
 * Owns: struct observed nothing; a plain value. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "protocol/message.h"

#define OBSERVED_FILES_MAX     200000u
#define OBSERVED_FILE_SIZE_MAX (8 + 1 + 1 + BINLOG_NAME_MAX)
#define OBSERVED_LIST_SIZE_MAX ((size_t)OBSERVED_FILES_MAX * OBSERVED_FILE_SIZE_MAX)
#define OBSERVED_GTIDS_SIZE    8192

enum observed_semi_sync {
	OBSERVED_SEMI_SYNC_UNKNOWN = 0, /* the server knows no such thing */
	OBSERVED_SEMI_SYNC_OFF = 1,
	OBSERVED_SEMI_SYNC_ON = 2,
};

struct observed {
	uint64_t observed_usec; /* vault time, just before the server was asked for its list */
	char server[128];	/* "db1.bank.example:3306" */
	/* Why nothing could be seen this time; then nothing below is set. "": all of it is. */
	char sentence[MESSAGE_SENTENCE_SIZE];
	uint64_t server_usec; /* the server's clock at that time */
	bool read_only;
	uint64_t expire_usec; /* it purges files of this age, 0: not by age */
	uint64_t size_limit;  /* and the oldest beyond this size of all, 0: not by size */
	enum observed_semi_sync semi_sync;
	uint64_t semi_sync_client_count; /* replicas that acknowledge */
	uint64_t semi_sync_yes_count;	 /* commits that were acknowledged since its start */
	uint64_t semi_sync_no_count;	 /* and that were not */
	uint32_t file_count;
	/* What of the source was given to segments when it was asked: all up to there, which may
	 * not have been durable yet. GTIDs "": not known, or too long. */
	char given_file[BINLOG_NAME_MAX + 1];
	uint64_t given_position;
	char given_gtids[OBSERVED_GTIDS_SIZE];
	char gtids[OBSERVED_GTIDS_SIZE]; /* all that it has executed, as it writes it; "" if that is
					    longer, or nothing */
};

/* @list_fd: the body of the list, borrowed; there is one exactly if there are files. */
int observed_send(int fd, const struct observed *observed, int list_fd,
		  struct error *err) MUST_CHECK;
int observed_decode(const struct message *message, struct observed *ret,
		    struct error *err) MUST_CHECK;

struct observed_file {
	char name[BINLOG_NAME_MAX + 1];
	uint64_t size;
	bool encrypted; /* on the server's disk; MySQL says so */
};

/* Returns how many bytes the entry takes. */
size_t observed_file_encode(const struct observed_file *file,
			    uint8_t bytes[static OBSERVED_FILE_SIZE_MAX]);

/* Are these @size bytes @count entries, and nothing else? ERROR_DEFECT if not. */
int observed_list_check(const uint8_t *bytes, size_t size, uint32_t count,
			struct error *err) MUST_CHECK;

/* The entry at *offset of a list that was checked, which is moved behind it; false: no more. */
bool observed_list_next(const uint8_t *bytes, size_t size, size_t *offset,
			struct observed_file *ret_file);
