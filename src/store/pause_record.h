/*
 * Leaves about a source that a person pauses, and lets go on: who and why, and what was not covered
 * in between. FORMAT.md is normative.
 *
 * Owns: nothing; plain values. A person's words must be printable ASCII: request_text_check().
 */
#pragma once

#include "store/record.h"
#include "store/request_record.h"

struct paused_record {
	char source[SOURCE_NAME_MAX + 1];
	uint32_t uid, gid; /* of the caller, as the kernel said */
	char reason[REQUEST_TEXT_SIZE];
};
json_t *paused_record_encode(const struct paused_record *record);
int paused_record_decode(const json_t *object, struct paused_record *ret,
			 struct error *err) MUST_CHECK;

/* What the source's server wrote from there until this leaf's time is not covered, until it has
 * been pulled after all. */
struct resumed_record {
	char source[SOURCE_NAME_MAX + 1];
	uint32_t uid, gid;
	char reason[REQUEST_TEXT_SIZE];	     /* may be "" */
	uint64_t paused_index;		     /* of the leaf that this one ends */
	char from_file[BINLOG_NAME_MAX + 1]; /* the last durable position, "": nothing */
	uint64_t from_position;
	uint64_t from_usec; /* all that was committed by then is durable; 0: not known */
};
json_t *resumed_record_encode(const struct resumed_record *record);
int resumed_record_decode(const json_t *object, struct resumed_record *ret,
			  struct error *err) MUST_CHECK;
