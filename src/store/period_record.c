#include "store/period_record.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "store/field.h"

#define WRAP_SIZE_MIN	 384 /* RSA-3072 */
#define COMMITMENT_LABEL "binvault period commitment v1"

/* The record as the wrap binds it: everything but the wrap. */
static json_t *encode_unwrapped(const struct period_record *record)
{
	json_t *object = field_record_new(RECORD_PERIOD);

	field_put_uuid(object, "archive", record->archive_id);
	json_put_hex(object, "period", record->id, STORE_ID_SIZE);
	json_put_string(object, "source", record->source);
	json_put_string(object, "class", record->class);
	json_put_string(object, "month", record->month);
	json_put_u64(object, "master", record->master_sequence);
	json_put_hex(object, "commitment", record->commitment.bytes, HASH_SIZE);
	return object;
}

json_t *period_record_encode(const struct period_record *record)
{
	json_t *object = encode_unwrapped(record);

	field_put_base64(object, "wrap", record->wrap, record->wrap_size);
	return object;
}

/* "2026-11" */
static int check_month(const char *month, struct error *err)
{
	char day[sizeof("2026-11-01T00:00:00Z")];
	uint64_t usec;

	if (strlen(month) != MONTH_SIZE - 1 || month[4] != '-')
		return error_set(err, ERROR_DEFECT, "field 'month' is not a month");
	snprintf(day, sizeof(day), "%s-01T00:00:00Z", month);
	if (time_parse(day, &usec, err) < 0)
		return error_set(err, ERROR_DEFECT, "field 'month' is not a month");
	return 0;
}

int period_record_decode(const json_t *object, struct period_record *ret, struct error *err)
{
	struct period_record record = {0};
	int r = field_get_uuid(object, "archive", record.archive_id, err);

	if (r == 0)
		r = json_get_hex(object, "period", record.id, STORE_ID_SIZE, err);
	if (r == 0)
		r = field_get_source(object, "source", record.source, err);
	if (r == 0)
		r = field_get_source(object, "class", record.class, err);
	if (r == 0)
		r = json_get_text(object, "month", record.month, sizeof(record.month), err);
	if (r == 0)
		r = check_month(record.month, err);
	if (r == 0)
		r = field_get_u32(object, "master", &record.master_sequence, err);
	if (r == 0)
		r = json_get_hex(object, "commitment", record.commitment.bytes, HASH_SIZE, err);
	if (r == 0)
		r = field_get_base64(object, "wrap", record.wrap, sizeof(record.wrap),
				     &record.wrap_size, err);
	if (r == 0 && record.wrap_size < WRAP_SIZE_MIN)
		r = error_set(err, ERROR_DEFECT, "field 'wrap' has only %zu bytes",
			      record.wrap_size);
	if (r == 0)
		*ret = record;
	return r;
}

void period_record_hash(const struct period_record *record, struct hash *ret_hash)
{
	char text[2048];
	struct error err;
	json_t *object = encode_unwrapped(record);
	int length = json_text_canonical(object, text, sizeof(text), &err);

	/* Every field is bounded and checked: only a bug of ours makes this fail. */
	ASSERT(length > 0);
	hash_bytes(text, (size_t)length, ret_hash);
	json_decref(object);
}

void period_commitment(const struct secret *key, const uint8_t id[static STORE_ID_SIZE],
		       struct hash *ret_commitment)
{
	uint8_t info[sizeof(COMMITMENT_LABEL) - 1 + STORE_ID_SIZE];

	memcpy(info, COMMITMENT_LABEL, sizeof(COMMITMENT_LABEL) - 1);
	memcpy(info + sizeof(COMMITMENT_LABEL) - 1, id, STORE_ID_SIZE);
	hash_derive(key->bytes, key->size, info, sizeof(info), ret_commitment->bytes, HASH_SIZE);
}

int period_record_bind(struct period_record *record, const struct secret *key,
		       const struct public_key *master, struct error *err)
{
	uint8_t plain[PERIOD_UNWRAPPED_SIZE];
	struct hash hash;
	int r;

	ASSERT(key->size == PERIOD_KEY_SIZE);
	period_commitment(key, record->id, &record->commitment);
	period_record_hash(record, &hash);
	memcpy(plain, key->bytes, PERIOD_KEY_SIZE);
	memcpy(plain + PERIOD_KEY_SIZE, hash.bytes, HASH_SIZE);
	r = public_key_wrap(master, plain, sizeof(plain), record->wrap, err);
	secret_wipe(plain, sizeof(plain));
	if (r < 0)
		return error_prefix(err, "wrapping a period key");
	record->wrap_size = (size_t)r;
	return 0;
}

int period_record_unbind(const struct period_record *record,
			 const uint8_t unwrapped[static PERIOD_UNWRAPPED_SIZE],
			 struct secret *ret_key, struct error *err)
{
	struct secret key = {0};
	struct hash hash, commitment;
	int r;

	period_record_hash(record, &hash);
	if (memcmp(unwrapped + PERIOD_KEY_SIZE, hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the wrap of this period was made for another record");
	r = secret_init(&key, PERIOD_KEY_SIZE, err);
	if (r < 0)
		return r;
	memcpy(key.bytes, unwrapped, PERIOD_KEY_SIZE);
	period_commitment(&key, record->id, &commitment);
	if (memcmp(&commitment, &record->commitment, sizeof(commitment)) != 0) {
		secret_release(&key);
		return error_set(err, ERROR_DEFECT,
				 "the unwrapped key is not the one that this period committed to");
	}
	*ret_key = key;
	return 0;
}

void month_format(uint64_t usec, char month[static MONTH_SIZE])
{
	char text[TIME_TEXT_SIZE];

	time_format(usec, text);
	memcpy(month, text, MONTH_SIZE - 1);
	month[MONTH_SIZE - 1] = '\0';
}
