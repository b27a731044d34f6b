#include "keeper/gap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "keeper/operator.h"
#include "keeper/source.h"

#define DIGITS "0123456789abcdef"

static bool gap_at(const struct source *source, size_t position, struct state_gap *ret_gap)
{
	return state_gap_at(store_state(source->keeper->store), source->config->name, position,
			    ret_gap);
}

static size_t open_count(const struct source *source)
{
	struct state_gap gap;
	size_t count = 0;

	for (size_t i = 0; gap_at(source, i, &gap); i++)
		count += !gap.accepted;
	return count;
}

bool gap_needs_attention(const struct source *source)
{
	return open_count(source) > 0;
}

static json_t *accepted_object(const struct state_gap *gap)
{
	const struct gap_accepted_record *accepted = gap->accepted;
	char text[GAP_ACCEPTED_TEXT_SIZE];
	json_t *object = json_object();

	gap_accepted_text(accepted, gap->accepted_usec, text);
	json_put_hex(object, "generation", accepted->generation.bytes, HASH_SIZE);
	json_put_string(object, "sentence", gap->generation->sentence);
	json_put_string(object, "accepted", text);
	json_put_u64(object, "since", gap->accepted_usec);
	json_put_u64(object, "uid", accepted->uid);
	json_put_string(object, "reason", accepted->reason);
	return object;
}

void gap_status(const struct source *source, json_t *object)
{
	json_t *accepted = json_array();
	struct state_gap gap;
	size_t count = 0;

	for (; gap_at(source, count, &gap); count++) {
		if (gap.accepted)
			json_array_append_new(accepted, accepted_object(&gap));
	}
	json_put_u64(object, "gaps", count);
	json_put_u64(object, "gaps_open", open_count(source));
	json_put(object, "gaps_accepted", accepted);
}

/* --- the verb -------------------------------------------------------------------------------- */

static bool begins_with(const struct hash *generation, const char *digits)
{
	char text[HEX_SIZE(HASH_SIZE)];

	hex_encode(generation->bytes, HASH_SIZE, text);
	return strncmp(text, digits, strlen(digits)) == 0;
}

static int find(const struct source *source, const char *digits, struct state_gap *ret_gap,
		struct error *err)
{
	const char *name = source->config->name;
	struct state_gap gap;
	size_t count = 0;

	if (digits[0] == '\0' || digits[strspn(digits, DIGITS)] != '\0')
		return error_set(err, ERROR_USAGE,
				 "'%.80s' is no generation: the first digits of the one behind the "
				 "gap, as binvault list %s shows it",
				 digits, name);
	for (size_t i = 0; gap_at(source, i, &gap); i++) {
		if (!begins_with(&gap.generation->generation, digits))
			continue;
		*ret_gap = gap;
		count++;
	}
	if (count > 1)
		return error_set(err, ERROR_USAGE,
				 "%zu generations of source '%s' that begin with a gap have the "
				 "digits %s; give more of them",
				 count, name, digits);
	if (count == 0)
		return error_set(err, ERROR_NOT_FOUND,
				 "no generation %.64s of source '%s' begins with a gap. Do: "
				 "binvault list %s",
				 digits, name, name);
	return 0;
}

int gap_answer_accept(struct keeper *keeper, const struct operator_caller *caller,
		      const json_t *request, json_t *reply, struct error *err)
{
	struct gap_accepted_record record = {.uid = caller->uid, .gid = caller->gid};
	char text[GAP_ACCEPTED_TEXT_SIZE], generation[HEX_SIZE(HASH_SIZE)];
	struct state_gap gap = {0};
	const char *digits, *reason;
	struct source *source;
	int r = operator_take_source(keeper, request, false, &source, &reason, err);

	if (r < 0)
		return r;
	if (json_get_string(request, "generation", &digits, err) < 0)
		return err->code = ERROR_USAGE;
	r = find(source, digits, &gap, err);
	if (r < 0)
		return r;
	record.generation = gap.generation->generation;
	hex_encode(record.generation.bytes, HASH_SIZE, generation);
	if (gap.accepted) {
		gap_accepted_text(gap.accepted, gap.accepted_usec, text);
		return error_set(err, ERROR_EXISTS,
				 "the gap before generation %.12s of source '%s' is %.400s: a gap "
				 "is accepted once",
				 generation, source->config->name, text);
	}
	memcpy(record.source, source->config->name, sizeof(record.source));
	snprintf(record.reason, sizeof(record.reason), "%s", reason);
	json_put_string(reply, "sentence", gap.generation->sentence);
	r = keeper_append(keeper, gap_accepted_record_encode(&record), err);
	if (r < 0)
		return r;
	log_info("gap.accepted", "source", LOG_TEXT(record.source), "generation",
		 LOG_TEXT(generation), "uid", LOG_NUMBER(record.uid), "reason",
		 LOG_TEXT(record.reason), LOG_END);
	json_put(reply, "schema", json_integer(1));
	json_put_string(reply, "name", source->config->name);
	json_put_string(reply, "generation", generation);
	return 0;
}
