/*
 * Keeper and binvault-export: one connection is one export, one request at a time.
 *
 *   keeper                         export
 *   HELLO                      <->  HELLO
 *   EXPORT_BEGIN + directory   ->                       what is wanted, and where it goes
 *   EXPORT_SEGMENT + fd        ->                       one at a time, in order
 *                              <-   EXPORT_PROGRESS …
 *                              <-   EXPORT_SEGMENT_DONE the segment was read whole and is right
 *   EXPORT_FINISH              ->
 *                              <-   EXPORT_RESULT + memfd   the manifest body; files are durable
 *   EXPORT_MANIFEST            ->                       its signature; of a tar, its key stands in
 *                                                       MANIFEST_KEY_FILE in the directory
 *                              <-   EXPORT_COMMITTED    manifest durable; the keeper renames
 * Instead of any answer: FAILURE. A defect in a segment is reported in SEGMENT_DONE (so that
 * `verify --decrypt` reports every defect); a restore ends at the first with FAILURE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"
#include "protocol/message.h"
#include "volume/header.h"

enum export_kind { EXPORT_RESTORE = 0, EXPORT_VERIFY = 1 };

/* How a restore ends: not at all, before the first transaction that is as late as @usec, or with
 * the last transaction that ends at or before @position of @file. */
enum export_limit { EXPORT_LIMIT_NONE = 0, EXPORT_LIMIT_TIME = 1, EXPORT_LIMIT_POSITION = 2 };

/* Files in the directory, or one MANIFEST_TAR_FILE in it. */
enum export_form { EXPORT_FILES = 0, EXPORT_TAR = 1 };

struct export_begin {
	enum export_kind kind;
	enum export_form form;
	enum export_limit limit;
	uint64_t limit_usec;
	char limit_file[BINLOG_NAME_MAX + 1];
	uint64_t limit_position;
	uint64_t segment_count;
	uint64_t byte_count; /* of all segments, for progress */
	char source[SOURCE_NAME_MAX + 1];
	char to[EXPORT_NAME_MAX + 1]; /* the directory that a tar's names begin with */
	char request[64];	      /* the request's id, "R-7F3A…" */
	char archive[64];	      /* uuid text; goes into the manifest */
	char worm[16];		      /* "required" or "advisory"; goes into the manifest */
};

/* From the sealed leaf; the exporter trusts nothing else about the segment. */
struct export_segment {
	uint8_t header[SEGMENT_HEADER_SIZE];
	uint8_t key[32];
	struct hash file_hash; /* SHA-256 of the whole segment file */
	uint64_t file_size;
	uint64_t start_position;
	uint64_t good_end;
	uint64_t leaf_index;
	uint8_t last_of_file;		/* the binlog file ends here (rotate, stop, crash) */
	uint8_t limited;		/* the limit is about this file */
	char name[BINLOG_NAME_MAX + 1]; /* of the file that is made of it */
};

struct export_progress {
	uint64_t byte_count; /* segment bytes read so far */
	uint64_t file_count; /* binlog files finished */
};

struct export_segment_done {
	uint64_t good_end; /* as found */
	uint64_t frame_count;
	uint8_t limit_reached; /* nothing further is wanted */
	int32_t code;	       /* 0, or an ERROR_* with its sentence */
	char sentence[MESSAGE_SENTENCE_SIZE];
};

struct export_result {
	struct hash body_hash; /* of the manifest body in the memfd */
	uint64_t file_count;
	uint64_t byte_count;		      /* of restored files, or of binlog bytes verified */
	char until_file[BINLOG_NAME_MAX + 1]; /* the restore reaches to here */
	uint64_t until_position;
	uint64_t until_usec; /* time of the last transaction included, 0 if none */
};

struct export_manifest {
	uint16_t signature_size;
	uint8_t signature[SIGNATURE_SIZE_MAX];
	struct hash key_fingerprint;
};

int export_begin_send(int fd, const struct export_begin *m, int directory_fd,
		      struct error *err) MUST_CHECK; /* EXPORT_VERIFY: -1; EXPORT_RESTORE: never */
int export_begin_decode(const struct message *message, struct export_begin *ret,
			struct error *err) MUST_CHECK;
int export_segment_send(int fd, const struct export_segment *m, int segment_fd,
			struct error *err) MUST_CHECK;
int export_segment_decode(const struct message *message, struct export_segment *ret,
			  struct error *err) MUST_CHECK;
int export_progress_send(int fd, const struct export_progress *m, struct error *err) MUST_CHECK;
int export_progress_decode(const struct message *message, struct export_progress *ret,
			   struct error *err) MUST_CHECK;
int export_segment_done_send(int fd, const struct export_segment_done *m,
			     struct error *err) MUST_CHECK;
int export_segment_done_decode(const struct message *message, struct export_segment_done *ret,
			       struct error *err) MUST_CHECK;
int export_finish_send(int fd, struct error *err) MUST_CHECK;
int export_result_send(int fd, const struct export_result *m, int body_fd,
		       struct error *err) MUST_CHECK; /* body_fd -1: nothing was written */
int export_result_decode(const struct message *message, struct export_result *ret,
			 struct error *err) MUST_CHECK;
int export_manifest_send(int fd, const struct export_manifest *m, struct error *err) MUST_CHECK;
int export_manifest_decode(const struct message *message, struct export_manifest *ret,
			   struct error *err) MUST_CHECK;
int export_committed_send(int fd, struct error *err) MUST_CHECK;
