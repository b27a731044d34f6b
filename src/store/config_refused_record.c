#include "store/config_refused_record.h"

#include "store/field.h"

json_t *config_refused_record_encode(const struct config_refused_record *record)
{
	json_t *object = field_record_new(RECORD_CONFIG_REFUSED);

	json_put_u64(object, "refused_usec", record->refused_usec);
	if (record->version > 0)
		json_put_u64(object, "version", record->version);
	if (record->hashed)
		json_put_hex(object, "hash", record->hash.bytes, HASH_SIZE);
	json_put_u64(object, "uid", record->uid);
	json_put_u64(object, "gid", record->gid);
	field_put_text(object, "sentence", record->sentence);
	return object;
}

int config_refused_record_decode(const json_t *object, struct config_refused_record *ret,
				 struct error *err)
{
	struct config_refused_record record = {.hashed = json_object_get(object, "hash") != NULL};
	int r = json_get_u64(object, "refused_usec", &record.refused_usec, err);

	if (r == 0 && json_object_get(object, "version")) {
		r = json_get_u64(object, "version", &record.version, err);
		if (r == 0 && record.version == 0)
			r = error_set(err, ERROR_DEFECT, "field 'version' is 0");
	}
	if (r == 0 && record.hashed)
		r = json_get_hex(object, "hash", record.hash.bytes, HASH_SIZE, err);
	if (r == 0)
		r = field_get_u32(object, "uid", &record.uid, err);
	if (r == 0)
		r = field_get_u32(object, "gid", &record.gid, err);
	if (r == 0)
		r = json_get_text(object, "sentence", record.sentence, sizeof(record.sentence),
				  err);
	if (r == 0)
		*ret = record;
	return r;
}
