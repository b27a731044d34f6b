#include "store/pause_record.h"

#include "store/field.h"

static int get_caller(const json_t *object, char *source, uint32_t *uid, uint32_t *gid,
		      char *reason, struct error *err)
{
	int r = field_get_source(object, "source", source, err);

	if (r == 0)
		r = field_get_u32(object, "uid", uid, err);
	if (r == 0)
		r = field_get_u32(object, "gid", gid, err);
	if (r == 0)
		r = json_get_text(object, "reason", reason, REQUEST_TEXT_SIZE, err);
	return r;
}

json_t *paused_record_encode(const struct paused_record *record)
{
	json_t *object = field_record_new(RECORD_PAUSED);

	json_put_string(object, "source", record->source);
	json_put_u64(object, "uid", record->uid);
	json_put_u64(object, "gid", record->gid);
	field_put_text(object, "reason", record->reason);
	return object;
}

int paused_record_decode(const json_t *object, struct paused_record *ret, struct error *err)
{
	struct paused_record record = {0};
	int r = get_caller(object, record.source, &record.uid, &record.gid, record.reason, err);

	if (r == 0)
		*ret = record;
	return r;
}

json_t *resumed_record_encode(const struct resumed_record *record)
{
	json_t *object = field_record_new(RECORD_RESUMED);

	json_put_string(object, "source", record->source);
	json_put_u64(object, "uid", record->uid);
	json_put_u64(object, "gid", record->gid);
	field_put_text(object, "reason", record->reason);
	json_put_u64(object, "paused", record->paused_index);
	json_put_string(object, "from_file", record->from_file);
	json_put_u64(object, "from_position", record->from_position);
	json_put_u64(object, "from_usec", record->from_usec);
	return object;
}

int resumed_record_decode(const json_t *object, struct resumed_record *ret, struct error *err)
{
	struct resumed_record record = {0};
	int r = get_caller(object, record.source, &record.uid, &record.gid, record.reason, err);

	if (r == 0)
		r = json_get_u64(object, "paused", &record.paused_index, err);
	if (r == 0)
		r = field_get_binlog(object, "from_file", true, record.from_file, err);
	if (r == 0)
		r = json_get_u64(object, "from_position", &record.from_position, err);
	if (r == 0)
		r = json_get_u64(object, "from_usec", &record.from_usec, err);
	if (r == 0)
		*ret = record;
	return r;
}
