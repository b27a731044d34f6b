/*
 * The leaf that says from when on a source's server was acknowledged synchronously, or was not and
 * why: of each span its beginning. FORMAT.md is normative.
 *
 * Owns: nothing; a plain value.
 */
#pragma once

#include "store/record.h"

#define SEMI_SYNC_SENTENCE_SIZE 512

struct semi_sync_record {
	char source[SOURCE_NAME_MAX + 1];
	bool on;
	uint64_t since_usec;
	char sentence[SEMI_SYNC_SENTENCE_SIZE]; /* why not, "" if it is on */
	char binlog_file[BINLOG_NAME_MAX + 1];	/* acknowledged last, "" if nothing was */
	uint64_t position;
	uint64_t change_count; /* since the leaf before: more than 1 if some were too many */
	uint64_t off_usec;     /* since the leaf before, in all */
};
json_t *semi_sync_record_encode(const struct semi_sync_record *record);
int semi_sync_record_decode(const json_t *object, struct semi_sync_record *ret,
			    struct error *err) MUST_CHECK;
