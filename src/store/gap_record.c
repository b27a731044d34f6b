#include "store/gap_record.h"

#include <stdio.h>

#include "base/units.h"
#include "store/field.h"

json_t *gap_accepted_record_encode(const struct gap_accepted_record *record)
{
	json_t *object = field_record_new(RECORD_GAP_ACCEPTED);

	json_put_string(object, "source", record->source);
	json_put_hex(object, "generation", record->generation.bytes, HASH_SIZE);
	json_put_u64(object, "uid", record->uid);
	json_put_u64(object, "gid", record->gid);
	field_put_text(object, "reason", record->reason);
	return object;
}

int gap_accepted_record_decode(const json_t *object, struct gap_accepted_record *ret,
			       struct error *err)
{
	struct gap_accepted_record record = {0};
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_hex(object, "generation", record.generation.bytes, HASH_SIZE, err);
	if (r == 0)
		r = field_get_u32(object, "uid", &record.uid, err);
	if (r == 0)
		r = field_get_u32(object, "gid", &record.gid, err);
	if (r == 0)
		r = json_get_text(object, "reason", record.reason, sizeof(record.reason), err);
	if (r == 0)
		*ret = record;
	return r;
}

void gap_accepted_text(const struct gap_accepted_record *record, uint64_t accepted_usec,
		       char text[static GAP_ACCEPTED_TEXT_SIZE])
{
	char when[TIME_TEXT_SIZE];

	time_format(accepted_usec, when);
	snprintf(text, GAP_ACCEPTED_TEXT_SIZE, "accepted %.19sZ by user %u: %s", when,
		 (unsigned)record->uid, record->reason);
}
