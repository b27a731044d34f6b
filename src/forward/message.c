#include "forward/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"

#define FACILITY_LOG_AUDIT 13
#define FRAME_SIZE	   16 /* of "LENGTH " */

/* Warning: something was refused, failed, is missing or not what it must be. Info: what comes every
 * minute, or repeats what was said before. All else is done by somebody or happens seldom: notice.
 */
static const struct {
	const char *type;
	enum message_severity severity;
} severities[] = {
	{"config-refused", MESSAGE_WARNING},
	{"damaged", MESSAGE_WARNING},
	{"export-failed", MESSAGE_WARNING},
	{"gap-accepted", MESSAGE_WARNING},
	{"generation", MESSAGE_WARNING},
	{"orphan", MESSAGE_WARNING},
	{"void", MESSAGE_WARNING},
	{"covered", MESSAGE_INFO},
	{"state", MESSAGE_INFO},
	{"segment-opened", MESSAGE_INFO},
	{"segment-sealed", MESSAGE_INFO},
	{"period", MESSAGE_INFO},
};

enum message_severity message_severity(const char *type)
{
	for (size_t i = 0; i < ARRAY_LENGTH(severities); i++) {
		if (strcmp(severities[i].type, type) == 0)
			return severities[i].severity;
	}
	return MESSAGE_NOTICE;
}

struct head {
	enum message_severity severity;
	uint64_t time_usec;
	const char *vault;
	const char *process; /* PROCID: the leaf's index, or "-" */
	const char *type;    /* MSGID */
};

/* The length stands before what is counted: the head is composed first. */
static size_t compose(const struct head *head, const char *text, size_t length, char *buffer)
{
	char line[MESSAGE_HEAD_SIZE - FRAME_SIZE], time[TIME_TEXT_SIZE];
	int head_length, frame_length;

	time_format(head->time_usec, time);
	head_length = snprintf(line, sizeof(line), "<%d>1 %s %s binvault %s %s - ",
			       FACILITY_LOG_AUDIT * 8 + (int)head->severity, time, head->vault,
			       head->process, head->type);
	ASSERT(head_length > 0 && (size_t)head_length < sizeof(line) && length <= LEAF_SIZE_MAX);
	frame_length = snprintf(buffer, FRAME_SIZE, "%zu ", (size_t)head_length + length);
	ASSERT(frame_length > 0 && frame_length < FRAME_SIZE);
	memcpy(buffer + frame_length, line, (size_t)head_length);
	memcpy(buffer + frame_length + head_length, text, length);
	return (size_t)(frame_length + head_length) + length;
}

size_t message_leaf(const struct leaf *leaf, const char *vault, char *buffer)
{
	char index[24];
	const struct head head = {
		.severity = message_severity(leaf->type),
		.time_usec = leaf->stamp.time_usec,
		.vault = vault,
		.process = index,
		.type = leaf->type,
	};

	snprintf(index, sizeof(index), "%" PRIu64, leaf->index);
	return compose(&head, leaf->line, leaf->length, buffer);
}

/* A note has a character beyond ASCII, a report perhaps a system's own words: both are escaped. */
static size_t compose_json(const struct head *head, const json_t *object, char *buffer)
{
	CLEANUP(freep)
	char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	ASSERT(text);
	return compose(head, text, strlen(text), buffer);
}

size_t message_checkpoint(const struct checkpoint_item *item, uint64_t time_usec, const char *vault,
			  char *buffer)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	const struct head head = {MESSAGE_NOTICE, time_usec, vault, "-", "checkpoint"};

	json_put_string(object, "type", head.type);
	json_put_string(object, "note", item->note);
	json_put_u64(object, "size", item->checkpoint.size);
	return compose_json(&head, object, buffer);
}

size_t message_report(const char *type, enum message_severity severity, json_t *fields,
		      uint64_t time_usec, const char *vault, char *buffer)
{
	const struct head head = {severity, time_usec, vault, "-", type};

	json_put_string(fields, "type", type);
	return compose_json(&head, fields, buffer);
}
