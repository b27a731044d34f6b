#include "store/request_record.h"

#include <string.h>

#include "base/checked.h"
#include "store/field.h"

static const char *const kind_names[] = {
	[REQUEST_RESTORE] = "restore",
	[REQUEST_VERIFY] = "verify",
};

static const char *const form_names[] = {
	[REQUEST_FILES] = "files",
	[REQUEST_TAR] = "tar",
};

static const char *const limit_names[] = {
	[REQUEST_LIMIT_NONE] = "none",
	[REQUEST_LIMIT_TIME] = "time",
	[REQUEST_LIMIT_POSITION] = "position",
};

int request_text_check(const char *text, const char *what, struct error *err)
{
	size_t length = strlen(text);

	if (length >= REQUEST_TEXT_SIZE)
		return error_set(err, ERROR_USAGE, "%s has %zu bytes, the limit is %d", what,
				 length, REQUEST_TEXT_SIZE - 1);
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			return error_set(err, ERROR_USAGE,
					 "%s may hold printable ASCII only: the ledger does", what);
	}
	return 0;
}

json_t *request_record_encode(const struct request_record *record)
{
	json_t *object = field_record_new(RECORD_REQUEST);

	field_put_text(object, "request", record->id);
	json_put_string(object, "kind", kind_names[record->kind]);
	json_put_u64(object, "uid", record->uid);
	json_put_u64(object, "gid", record->gid);
	json_put_string(object, "source", record->source);
	json_put_string(object, "to", record->to);
	/* Archives had leaves before there was a choice. */
	if (record->form != REQUEST_FILES)
		json_put_string(object, "form", form_names[record->form]);
	if (record->client[0]) {
		json_put_string(object, "client", record->client);
		json_put_u64(object, "keep_usec", record->keep_usec);
	}
	json_put_string(object, "from_file", record->from_file);
	if (record->generation[0])
		json_put_string(object, "generation", record->generation);
	json_put_string(object, "limit", limit_names[record->limit]);
	json_put_u64(object, "limit_usec", record->limit_usec);
	json_put_string(object, "limit_file", record->limit_file);
	json_put_u64(object, "limit_position", record->limit_position);
	field_put_text(object, "reason", record->reason);
	return object;
}

/* Who reads it, and until when or for how long. */
static int get_client(const json_t *object, const char *time_key, char *client, uint64_t *ret_usec,
		      struct error *err)
{
	int r = field_get_source(object, "client", client, err);

	return r < 0 ? r : json_get_u64(object, time_key, ret_usec, err);
}

static int get_form(const json_t *object, enum request_form *ret_form, struct error *err)
{
	size_t form = REQUEST_FILES;
	int r = json_object_get(object, "form")
			? field_get_word(object, "form", form_names, ARRAY_LENGTH(form_names),
					 &form, err)
			: 0;

	*ret_form = (enum request_form)form;
	return r;
}

static int get_target(const json_t *object, struct request_record *record, struct error *err)
{
	size_t limit = 0;
	int r = json_get_text(object, "source", record->source, sizeof(record->source), err);

	if (r == 0 && record->source[0])
		r = name_check_source(record->source, err);
	if (r == 0)
		r = json_get_text(object, "to", record->to, sizeof(record->to), err);
	if (r == 0 && record->to[0])
		r = name_check_export(record->to, err);
	if (r < 0)
		return error_set(err, ERROR_DEFECT, "field 'source' or 'to' is not a name");
	r = get_form(object, &record->form, err);
	if (r == 0 && (json_object_get(object, "client") || json_object_get(object, "keep_usec")))
		r = get_client(object, "keep_usec", record->client, &record->keep_usec, err);
	if (r == 0)
		r = field_get_binlog(object, "from_file", true, record->from_file, err);
	if (r == 0 && json_object_get(object, "generation"))
		r = json_get_text(object, "generation", record->generation,
				  sizeof(record->generation), err);
	if (r == 0)
		r = field_get_word(object, "limit", limit_names, ARRAY_LENGTH(limit_names), &limit,
				   err);
	if (r == 0)
		r = json_get_u64(object, "limit_usec", &record->limit_usec, err);
	if (r == 0)
		r = field_get_binlog(object, "limit_file", true, record->limit_file, err);
	if (r == 0)
		r = json_get_u64(object, "limit_position", &record->limit_position, err);
	record->limit = (enum request_limit)limit;
	return r;
}

int request_record_decode(const json_t *object, struct request_record *ret, struct error *err)
{
	struct request_record record = {0};
	size_t kind = 0;
	int r = json_get_text(object, "request", record.id, sizeof(record.id), err);

	if (r == 0)
		r = field_get_word(object, "kind", kind_names, ARRAY_LENGTH(kind_names), &kind,
				   err);
	if (r == 0)
		r = field_get_u32(object, "uid", &record.uid, err);
	if (r == 0)
		r = field_get_u32(object, "gid", &record.gid, err);
	if (r == 0)
		r = get_target(object, &record, err);
	if (r == 0)
		r = json_get_text(object, "reason", record.reason, sizeof(record.reason), err);
	if (r < 0)
		return r;
	record.kind = (enum request_kind)kind;
	*ret = record;
	return 0;
}

json_t *approved_record_encode(const struct approved_record *record)
{
	json_t *object = field_record_new(RECORD_APPROVED);

	field_put_text(object, "request", record->request);
	field_put_text(object, "by", record->by);
	return object;
}

int approved_record_decode(const json_t *object, struct approved_record *ret, struct error *err)
{
	struct approved_record record = {0};
	int r = json_get_text(object, "request", record.request, sizeof(record.request), err);

	if (r == 0)
		r = json_get_text(object, "by", record.by, sizeof(record.by), err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *exported_record_encode(const struct exported_record *record)
{
	json_t *object = field_record_new(RECORD_EXPORTED);

	field_put_text(object, "request", record->request);
	json_put_bool(object, "manifest", record->manifest);
	if (record->manifest) {
		json_put_hex(object, "manifest_hash", record->manifest_hash.bytes, HASH_SIZE);
		json_put_hex(object, "fingerprint", record->key_fingerprint.bytes, HASH_SIZE);
		field_put_base64(object, "signature", record->signature, record->signature_size);
	}
	json_put_u64(object, "segments", record->segment_count);
	json_put_u64(object, "files", record->file_count);
	json_put_u64(object, "bytes", record->byte_count);
	json_put_string(object, "until_file", record->until_file);
	json_put_u64(object, "until_position", record->until_position);
	json_put_u64(object, "until_usec", record->until_usec);
	if (record->client[0]) {
		json_put_string(object, "client", record->client);
		json_put_string(object, "to", record->to);
		json_put_string(object, "form", form_names[record->form]);
		json_put_u64(object, "end_usec", record->end_usec);
	}
	return object;
}

static int get_share(const json_t *object, struct exported_record *record, struct error *err)
{
	int r = get_client(object, "end_usec", record->client, &record->end_usec, err);

	if (r == 0)
		r = json_get_text(object, "to", record->to, sizeof(record->to), err);
	if (r == 0 && name_check_export(record->to, err) < 0)
		return error_set(err, ERROR_DEFECT, "field 'to' is not a name");
	if (r == 0 && !json_object_get(object, "form"))
		return error_set(err, ERROR_DEFECT, "field 'form' is missing");
	return r < 0 ? r : get_form(object, &record->form, err);
}

static int get_manifest(const json_t *object, struct exported_record *record, struct error *err)
{
	int r = json_get_bool(object, "manifest", &record->manifest, err);

	if (r < 0 || !record->manifest)
		return r;
	r = json_get_hex(object, "manifest_hash", record->manifest_hash.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "fingerprint", record->key_fingerprint.bytes, HASH_SIZE,
				 err);
	if (r == 0)
		r = field_get_base64(object, "signature", record->signature,
				     sizeof(record->signature), &record->signature_size, err);
	return r;
}

int exported_record_decode(const json_t *object, struct exported_record *ret, struct error *err)
{
	struct exported_record record = {0};
	int r = json_get_text(object, "request", record.request, sizeof(record.request), err);

	if (r == 0)
		r = get_manifest(object, &record, err);
	if (r == 0)
		r = json_get_u64(object, "segments", &record.segment_count, err);
	if (r == 0)
		r = json_get_u64(object, "files", &record.file_count, err);
	if (r == 0)
		r = json_get_u64(object, "bytes", &record.byte_count, err);
	if (r == 0)
		r = field_get_binlog(object, "until_file", true, record.until_file, err);
	if (r == 0)
		r = json_get_u64(object, "until_position", &record.until_position, err);
	if (r == 0)
		r = json_get_u64(object, "until_usec", &record.until_usec, err);
	if (r == 0 && (json_object_get(object, "client") || json_object_get(object, "to") ||
		       json_object_get(object, "end_usec")))
		r = get_share(object, &record, err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *export_failed_record_encode(const struct export_failed_record *record)
{
	json_t *object = field_record_new(RECORD_EXPORT_FAILED);

	field_put_text(object, "request", record->request);
	field_put_text(object, "sentence", record->sentence);
	return object;
}

int export_failed_record_decode(const json_t *object, struct export_failed_record *ret,
				struct error *err)
{
	struct export_failed_record record = {0};
	int r = json_get_text(object, "request", record.request, sizeof(record.request), err);

	if (r == 0)
		r = json_get_text(object, "sentence", record.sentence, sizeof(record.sentence),
				  err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *withdrawn_record_encode(const struct withdrawn_record *record)
{
	json_t *object = field_record_new(RECORD_WITHDRAWN);

	field_put_text(object, "request", record->request);
	json_put_bool(object, "by_person", record->by_person);
	if (record->by_person) {
		json_put_u64(object, "uid", record->uid);
		json_put_u64(object, "gid", record->gid);
		field_put_text(object, "reason", record->reason);
	}
	return object;
}

int withdrawn_record_decode(const json_t *object, struct withdrawn_record *ret, struct error *err)
{
	struct withdrawn_record record = {0};
	int r = json_get_text(object, "request", record.request, sizeof(record.request), err);

	if (r == 0)
		r = json_get_bool(object, "by_person", &record.by_person, err);
	if (r == 0 && record.by_person)
		r = field_get_u32(object, "uid", &record.uid, err);
	if (r == 0 && record.by_person)
		r = field_get_u32(object, "gid", &record.gid, err);
	if (r == 0 && record.by_person)
		r = json_get_text(object, "reason", record.reason, sizeof(record.reason), err);
	if (r == 0)
		*ret = record;
	return r;
}
