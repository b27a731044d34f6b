/*
 * The leaf by which a person accepts a gap: who, why, and which one. It does not fill the gap, and
 * nothing ceases to state it; it only no longer asks for anybody's attention. FORMAT.md is
 * normative.
 *
 * Owns: nothing; a plain value. A person's words must be printable ASCII: request_text_check().
 */
#pragma once

#include "crypto/hash.h"
#include "store/record.h"
#include "store/request_record.h"

struct gap_accepted_record {
	char source[SOURCE_NAME_MAX + 1];
	struct hash generation; /* the one that began with the gap */
	uint32_t uid, gid;	/* of the caller, as the kernel said */
	char reason[REQUEST_TEXT_SIZE];
};
json_t *gap_accepted_record_encode(const struct gap_accepted_record *record);
int gap_accepted_record_decode(const json_t *object, struct gap_accepted_record *ret,
			       struct error *err) MUST_CHECK;

/* "accepted 2026-08-23T03:21:07Z by user 0: the backup of that night covers it". */
#define GAP_ACCEPTED_TEXT_SIZE (REQUEST_TEXT_SIZE + 64)
void gap_accepted_text(const struct gap_accepted_record *record, uint64_t accepted_usec,
		       char text[static GAP_ACCEPTED_TEXT_SIZE]);
