/*
 * The leaf that begins a new generation of a source beside the one before: why, from which server,
 * and whether transactions are missing between them. FORMAT.md is normative. The first generation
 * of a source has none.
 *
 * Owns: nothing; a plain value.
 */
#pragma once

#include "store/record.h"
#include "volume/generation.h"
#include "volume/header.h"

#define GENERATION_SENTENCE_SIZE 512

struct generation_record {
	char source[SOURCE_NAME_MAX + 1];
	struct hash generation, before;
	enum generation_reason reason;
	uint8_t identity[SEGMENT_IDENTITY_SIZE]; /* of the server that it comes from */
	char binlog_file[BINLOG_NAME_MAX + 1];	 /* its first file */
	char after_file[BINLOG_NAME_MAX + 1];	 /* where the one before ended */
	uint64_t after_position;
	bool gap;	    /* transactions are missing between them, or may be */
	uint64_t gap_count; /* of the source, this one included */
	char sentence[GENERATION_SENTENCE_SIZE];
};
json_t *generation_record_encode(const struct generation_record *record);
int generation_record_decode(const json_t *object, struct generation_record *ret,
			     struct error *err) MUST_CHECK;
