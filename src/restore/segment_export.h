/*
 * One sealed segment, read once from its first byte to its last: what its leaf says of it is
 * compared, every frame authenticated, the events are checked, and, in a restore, written.
 *
 * Whatever is written before the segment turned out to be right lies in a directory without its
 * final name; a defect ends the restore and with it that directory.
 *
 * Owns: the binlog file that is being written. Threads: one.
 */
#pragma once

#include <stdbool.h>

#include "protocol/export_messages.h"
#include "restore/chain.h"
#include "restore/manifest.h"
#include "restore/output.h"
#include "restore/tar.h"

struct segment_export {
	struct chain_limit limit;  /* of the files that the keeper says */
	struct output *output;	   /* NULL: verify only */
	struct manifest *manifest; /* NULL: verify only */
	struct tar *tar;	   /* borrowed; NULL: the files stay files */
	/* Called now and then while a segment is read: @size bytes of it are. Ends it with an
	 * error. */
	int (*progress)(void *context, uint64_t size, struct error *err);
	void *context;

	/* The segment before, if it was right and its file goes on. */
	bool continues;
	struct hash file_id;
	struct chain chain;

	bool finished;	      /* the limit was reached: nothing further is wanted */
	uint64_t binlog_size; /* event bytes that were checked, in all */
	/* Where the restore ends, up to now. */
	char until_file[BINLOG_NAME_MAX + 1];
	uint64_t until_position;
	uint64_t until_usec;
};

/*
 * Read @fd against @wanted (its key is wiped). On success *ret_done says what was found. An error
 * of a restore is final; `verify` may go on with any other segment.
 */
int segment_export(struct segment_export *export, struct export_segment *wanted, int fd,
		   struct export_segment_done *ret_done, struct error *err) MUST_CHECK;
