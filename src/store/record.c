#include "store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "base/checked.h"
#include "base/units.h"
#include "store/field.h"

static const char *const type_names[RECORD_TYPE_COUNT] = {
	[RECORD_ARCHIVE] = "archive",
	[RECORD_MASTER] = "master",
	[RECORD_SIGNING_KEY] = "signing-key",
	[RECORD_POLICY] = "policy",
	[RECORD_CONFIG] = "config",
	[RECORD_CONFIG_REFUSED] = "config-refused",
	[RECORD_PERIOD] = "period",
	[RECORD_SEGMENT_OPENED] = "segment-opened",
	[RECORD_SEGMENT_SEALED] = "segment-sealed",
	[RECORD_COVERED] = "covered",
	[RECORD_VOID] = "void",
	[RECORD_ORPHAN] = "orphan",
	[RECORD_GENERATION] = "generation",
	[RECORD_GAP_ACCEPTED] = "gap-accepted",
	[RECORD_SEMI_SYNC] = "semi-sync",
	[RECORD_REQUEST] = "request",
	[RECORD_APPROVED] = "approved",
	[RECORD_EXPORTED] = "exported",
	[RECORD_WITHDRAWN] = "withdrawn",
	[RECORD_EXPORT_FAILED] = "export-failed",
	[RECORD_PREFLIGHT] = "preflight",
	[RECORD_DAMAGED] = "damaged",
	[RECORD_PAUSED] = "paused",
	[RECORD_RESUMED] = "resumed",
	[RECORD_STATE] = "state",
};

static const char *const worm_names[] = {
	[WORM_REQUIRED] = "required",
	[WORM_ADVISORY] = "advisory",
};

static const char *const role_names[] = {
	[SIGNING_CHECKPOINT] = "checkpoint",
	[SIGNING_MANIFEST] = "manifest",
};

const char *record_type_name(enum record_type type)
{
	ASSERT((size_t)type < RECORD_TYPE_COUNT);
	return type_names[type];
}

int record_type(const json_t *object, enum record_type *ret_type, struct error *err)
{
	size_t value;
	int r = field_get_word(object, "type", type_names, RECORD_TYPE_COUNT, &value, err);

	if (r < 0)
		return r;
	*ret_type = (enum record_type)value;
	return 0;
}

int record_index(const json_t *object, uint64_t *ret_index, struct error *err)
{
	return json_get_u64(object, "index", ret_index, err);
}

void uuid_text(const uint8_t id[static STORE_ID_SIZE], char text[static UUID_SIZE])
{
	uuid_unparse_lower(id, text);
}

int record_time(const json_t *object, uint64_t *ret_usec, struct error *err)
{
	const char *text;
	int r = json_get_string(object, "time", &text, err);

	return r < 0 ? r : time_parse(text, ret_usec, err);
}

static int check_origin(const struct store_record *record, struct error *err)
{
	char expected[ORIGIN_SIZE];
	char id[UUID_SIZE];

	uuid_text(record->archive_id, id);
	snprintf(expected, sizeof(expected), "binvault/%s", id);
	if (strcmp(expected, record->origin) != 0)
		return error_set(err, ERROR_DEFECT, "field 'origin' is not '%s'", expected);
	return 0;
}

json_t *store_record_encode(const struct store_record *record)
{
	json_t *object = field_record_new(RECORD_ARCHIVE);
	json_t *volumes = json_array();

	json_put_u64(object, "format", STORE_FORMAT);
	field_put_uuid(object, "archive", record->archive_id);
	field_put_text(object, "name", record->name);
	field_put_text(object, "origin", record->origin);
	json_put_u64(object, "leaves_per_file", record->leaves_per_file);
	for (size_t i = 0; i < record->volume_count; i++) {
		json_t *volume = json_object();

		field_put_uuid(volume, "id", record->volumes[i].id);
		json_put_hex(volume, "hash", record->volumes[i].hash.bytes, HASH_SIZE);
		json_array_append_new(volumes, volume);
	}
	json_put(object, "volumes", volumes);
	return object;
}

static int decode_volumes(const json_t *object, struct store_record *record, struct error *err)
{
	const json_t *volumes, *volume;
	size_t i;
	int r = json_get_array(object, "volumes", &volumes, err);

	if (r < 0)
		return r;
	record->volume_count = json_array_size(volumes);
	if (record->volume_count < 1 || record->volume_count > CONFIG_VOLUMES_MAX)
		return error_set(err, ERROR_DEFECT, "%zu volumes, allowed are 1 to %d",
				 record->volume_count, CONFIG_VOLUMES_MAX);
	json_array_foreach(volumes, i, volume)
	{
		r = field_get_uuid(volume, "id", record->volumes[i].id, err);
		if (r == 0)
			r = json_get_hex(volume, "hash", record->volumes[i].hash.bytes, HASH_SIZE,
					 err);
		if (r < 0)
			return error_prefix(err, "volume %zu", i);
	}
	return 0;
}

int store_record_decode(const json_t *object, struct store_record *ret, struct error *err)
{
	struct store_record record = {0};
	uint64_t format;
	int r = json_get_u64(object, "format", &format, err);

	if (r == 0 && format != STORE_FORMAT)
		return error_set(err, ERROR_REFUSED,
				 "archive format %" PRIu64
				 ", this program knows %d: use a newer one",
				 format, STORE_FORMAT);
	if (r == 0)
		r = field_get_uuid(object, "archive", record.archive_id, err);
	if (r == 0)
		r = json_get_text(object, "name", record.name, sizeof(record.name), err);
	if (r == 0)
		r = json_get_text(object, "origin", record.origin, sizeof(record.origin), err);
	if (r == 0)
		r = check_origin(&record, err);
	if (r == 0)
		r = json_get_u64(object, "leaves_per_file", &record.leaves_per_file, err);
	if (r == 0 && (record.leaves_per_file < 1 || record.leaves_per_file > UINT32_MAX))
		return error_set(err, ERROR_DEFECT, "field 'leaves_per_file' is out of range");
	if (r == 0)
		r = decode_volumes(object, &record, err);
	if (r == 0)
		*ret = record;
	return r;
}

/* Whether it is a usable key is record_key_check()'s question: the answer costs a millisecond. */
static int get_key(const json_t *object, uint8_t *ret_der, size_t *ret_size, struct error *err)
{
	struct hash stated, fingerprint;
	int r = field_get_base64(object, "key", ret_der, PUBLIC_KEY_DER_MAX, ret_size, err);

	if (r == 0)
		r = json_get_hex(object, "fingerprint", stated.bytes, HASH_SIZE, err);
	if (r < 0)
		return r;
	hash_bytes(ret_der, *ret_size, &fingerprint);
	if (memcmp(&fingerprint, &stated, sizeof(stated)) != 0)
		return error_set(err, ERROR_DEFECT, "field 'fingerprint' is not that of the key");
	return 0;
}

int record_key_check(const uint8_t *der, size_t size, enum public_key_kind kind, struct error *err)
{
	CLEANUP(public_key_freep)
	struct public_key *key = NULL;
	int r = public_key_decode(der, size, &key, err);

	if (r == 0 && public_key_kind(key) != kind)
		r = error_set(err, ERROR_DEFECT, "a key of another kind");
	return r < 0 ? error_prefix(err, "field 'key'") : 0;
}

static void put_key(json_t *object, const uint8_t *der, size_t size)
{
	struct hash fingerprint;

	hash_bytes(der, size, &fingerprint);
	field_put_base64(object, "key", der, size);
	json_put_hex(object, "fingerprint", fingerprint.bytes, HASH_SIZE);
}

json_t *master_record_encode(const struct master_record *record)
{
	json_t *object = field_record_new(RECORD_MASTER);

	json_put_u64(object, "sequence", record->sequence);
	field_put_text(object, "label", record->label);
	put_key(object, record->der, record->der_size);
	return object;
}

int master_record_decode(const json_t *object, struct master_record *ret, struct error *err)
{
	struct master_record record = {0};
	int r = field_get_u32(object, "sequence", &record.sequence, err);

	if (r == 0)
		r = json_get_text(object, "label", record.label, sizeof(record.label), err);
	if (r == 0)
		r = get_key(object, record.der, &record.der_size, err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *signing_key_record_encode(const struct signing_key_record *record)
{
	json_t *object = field_record_new(RECORD_SIGNING_KEY);

	json_put_string(object, "role", role_names[record->role]);
	field_put_text(object, "label", record->label);
	put_key(object, record->der, record->der_size);
	return object;
}

int signing_key_record_decode(const json_t *object, struct signing_key_record *ret,
			      struct error *err)
{
	struct signing_key_record record = {0};
	size_t role;
	int r = field_get_word(object, "role", role_names, ARRAY_LENGTH(role_names), &role, err);

	if (r == 0)
		r = json_get_text(object, "label", record.label, sizeof(record.label), err);
	if (r == 0)
		r = get_key(object, record.der, &record.der_size, err);
	if (r < 0)
		return r;
	record.role = (enum signing_role)role;
	*ret = record;
	return 0;
}

json_t *policy_record_encode(const struct policy_record *record)
{
	json_t *object = field_record_new(RECORD_POLICY);
	json_t *classes = json_array();

	json_put_string(object, "worm", worm_names[record->worm]);
	for (size_t i = 0; i < record->class_count; i++) {
		json_t *class = json_object();

		json_put_string(class, "name", record->classes[i].name);
		json_put_u64(class, "keep_usec", record->classes[i].keep_usec);
		json_put_u64(class, "minimum_usec", record->classes[i].minimum_usec);
		json_put_u64(class, "maximum_usec", record->classes[i].maximum_usec);
		json_array_append_new(classes, class);
	}
	json_put(object, "retention", classes);
	return object;
}

static int decode_class(const json_t *object, struct config_class *class, struct error *err)
{
	int r = field_get_source(object, "name", class->name, err);

	if (r == 0)
		r = json_get_u64(object, "keep_usec", &class->keep_usec, err);
	if (r == 0)
		r = json_get_u64(object, "minimum_usec", &class->minimum_usec, err);
	if (r == 0)
		r = json_get_u64(object, "maximum_usec", &class->maximum_usec, err);
	return r;
}

int policy_record_decode(const json_t *object, struct policy_record *ret, struct error *err)
{
	struct policy_record record = {0};
	const json_t *classes, *class;
	size_t worm, i;
	int r = field_get_word(object, "worm", worm_names, ARRAY_LENGTH(worm_names), &worm, err);

	if (r == 0)
		r = json_get_array(object, "retention", &classes, err);
	if (r < 0)
		return r;
	record.worm = (enum worm_mode)worm;
	record.class_count = json_array_size(classes);
	if (record.class_count > CONFIG_CLASSES_MAX)
		return error_set(err, ERROR_DEFECT, "%zu retention classes, the limit is %d",
				 record.class_count, CONFIG_CLASSES_MAX);
	json_array_foreach(classes, i, class)
	{
		r = decode_class(class, &record.classes[i], err);
		if (r < 0)
			return error_prefix(err, "retention class %zu", i);
	}
	*ret = record;
	return 0;
}

json_t *config_record_encode(const struct config_record *record)
{
	json_t *object = field_record_new(RECORD_CONFIG);

	json_put_hex(object, "hash", record->hash.bytes, HASH_SIZE);
	field_put_text(object, "version", record->version);
	field_put_text(object, "isolation", record->isolation);
	json_put_string(object, "worm", worm_names[record->worm]);
	if (record->bundle_version > 0) {
		json_put_u64(object, "bundle", record->bundle_version);
		json_put_hex(object, "bundle_hash", record->bundle_hash.bytes, HASH_SIZE);
	}
	return object;
}

/* Left out where the configuration comes from no bundle. */
static int decode_bundle(const json_t *object, struct config_record *record, struct error *err)
{
	int r;

	if (!json_object_get(object, "bundle") && !json_object_get(object, "bundle_hash"))
		return 0;
	r = json_get_u64(object, "bundle", &record->bundle_version, err);
	if (r == 0 && record->bundle_version == 0)
		r = error_set(err, ERROR_DEFECT, "field 'bundle' is 0");
	if (r == 0)
		r = json_get_hex(object, "bundle_hash", record->bundle_hash.bytes, HASH_SIZE, err);
	return r;
}

int config_record_decode(const json_t *object, struct config_record *ret, struct error *err)
{
	struct config_record record = {0};
	size_t worm;
	int r = json_get_hex(object, "hash", record.hash.bytes, HASH_SIZE, err);

	if (r == 0)
		r = json_get_text(object, "version", record.version, sizeof(record.version), err);
	if (r == 0)
		r = json_get_text(object, "isolation", record.isolation, sizeof(record.isolation),
				  err);
	if (r == 0)
		r = field_get_word(object, "worm", worm_names, ARRAY_LENGTH(worm_names), &worm,
				   err);
	if (r == 0)
		r = decode_bundle(object, &record, err);
	if (r < 0)
		return r;
	record.worm = (enum worm_mode)worm;
	*ret = record;
	return 0;
}
