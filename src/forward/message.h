/*
 * What a SIEM receives: RFC 5424 messages, each framed as RFC 5425 says ("LENGTH MESSAGE").
 * MESSAGES.md is normative.
 *
 * Owns: nothing; texts are written into the caller's buffer. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "ledger/checkpoint_file.h"
#include "ledger/leaf.h"

#define MESSAGE_HEAD_SIZE 512 /* at most: frame, PRI to structured data */
#define MESSAGE_SIZE_MAX  (MESSAGE_HEAD_SIZE + LEAF_SIZE_MAX)

enum message_severity { /* RFC 5424, section 6.2.1: those that we use */
			MESSAGE_ALERT = 1,
			MESSAGE_WARNING = 4,
			MESSAGE_NOTICE = 5,
			MESSAGE_INFO = 6,
};

/* Of a leaf of this type. One that the table does not know is a notice. */
enum message_severity message_severity(const char *type);

/*
 * A whole frame each into @buffer (MESSAGE_SIZE_MAX); returns its size. @vault is the archive's
 * name, which has no blank and is printable.
 */

/* The leaf's line, byte for byte. */
size_t message_leaf(const struct leaf *leaf, const char *vault, char *buffer);

/* @time_usec: of the last leaf under it; it has none itself. */
size_t message_checkpoint(const struct checkpoint_item *item, uint64_t time_usec, const char *vault,
			  char *buffer);

/* Words of our own about the trail: @fields, to which "type" is added. */
size_t message_report(const char *type, enum message_severity severity, json_t *fields,
		      uint64_t time_usec, const char *vault, char *buffer);
