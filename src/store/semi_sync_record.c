#include "store/semi_sync_record.h"

#include "store/field.h"

json_t *semi_sync_record_encode(const struct semi_sync_record *record)
{
	json_t *object = field_record_new(RECORD_SEMI_SYNC);

	json_put_string(object, "source", record->source);
	json_put_bool(object, "on", record->on);
	json_put_u64(object, "since", record->since_usec);
	field_put_text(object, "sentence", record->sentence);
	json_put_string(object, "binlog_file", record->binlog_file);
	json_put_u64(object, "position", record->position);
	json_put_u64(object, "changes", record->change_count);
	json_put_u64(object, "off_usec", record->off_usec);
	return object;
}

int semi_sync_record_decode(const json_t *object, struct semi_sync_record *ret, struct error *err)
{
	struct semi_sync_record record = {0};
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_bool(object, "on", &record.on, err);
	if (r == 0)
		r = json_get_u64(object, "since", &record.since_usec, err);
	if (r == 0)
		r = json_get_text(object, "sentence", record.sentence, sizeof(record.sentence),
				  err);
	if (r == 0)
		r = field_get_binlog(object, "binlog_file", true, record.binlog_file, err);
	if (r == 0)
		r = json_get_u64(object, "position", &record.position, err);
	if (r == 0)
		r = json_get_u64(object, "changes", &record.change_count, err);
	if (r == 0)
		r = json_get_u64(object, "off_usec", &record.off_usec, err);
	if (r < 0)
		return r;
	if (record.on != (record.sentence[0] == '\0'))
		return error_set(err, ERROR_DEFECT,
				 "semi-sync is either on or has a sentence why not");
	*ret = record;
	return 0;
}
