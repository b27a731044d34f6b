#include "store/generation_record.h"

#include "store/field.h"

json_t *generation_record_encode(const struct generation_record *record)
{
	json_t *object = field_record_new(RECORD_GENERATION);

	json_put_string(object, "source", record->source);
	json_put_hex(object, "generation", record->generation.bytes, HASH_SIZE);
	json_put_hex(object, "before", record->before.bytes, HASH_SIZE);
	json_put_string(object, "reason", generation_reason_name(record->reason));
	json_put_hex(object, "identity", record->identity, SEGMENT_IDENTITY_SIZE);
	json_put_string(object, "binlog_file", record->binlog_file);
	json_put_string(object, "after_file", record->after_file);
	json_put_u64(object, "after_position", record->after_position);
	json_put_bool(object, "gap", record->gap);
	json_put_u64(object, "gaps", record->gap_count);
	field_put_text(object, "sentence", record->sentence);
	return object;
}

static int get_reason(const json_t *object, enum generation_reason *ret, struct error *err)
{
	const char *names[GENERATION_REASON_LAST + 1] = {NULL};
	size_t reason;
	int r;

	for (int i = GENERATION_FAILOVER; i <= GENERATION_REASON_LAST; i++)
		names[i] = generation_reason_name((enum generation_reason)i);
	r = field_get_word(object, "reason", names, GENERATION_REASON_LAST + 1, &reason, err);
	if (r == 0)
		*ret = (enum generation_reason)reason;
	return r;
}

int generation_record_decode(const json_t *object, struct generation_record *ret, struct error *err)
{
	struct generation_record record = {0};
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_hex(object, "generation", record.generation.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "before", record.before.bytes, HASH_SIZE, err);
	if (r == 0)
		r = get_reason(object, &record.reason, err);
	if (r == 0)
		r = json_get_hex(object, "identity", record.identity, SEGMENT_IDENTITY_SIZE, err);
	if (r == 0)
		r = field_get_binlog(object, "binlog_file", false, record.binlog_file, err);
	if (r == 0)
		r = field_get_binlog(object, "after_file", false, record.after_file, err);
	if (r == 0)
		r = json_get_u64(object, "after_position", &record.after_position, err);
	if (r == 0)
		r = json_get_bool(object, "gap", &record.gap, err);
	if (r == 0)
		r = json_get_u64(object, "gaps", &record.gap_count, err);
	if (r == 0)
		r = json_get_text(object, "sentence", record.sentence, sizeof(record.sentence),
				  err);
	if (r < 0)
		return r;
	if (record.gap && record.gap_count == 0)
		return error_set(err, ERROR_DEFECT, "a gap that is not counted");
	*ret = record;
	return 0;
}
