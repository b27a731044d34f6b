#include "keeper/export_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/units.h"
#include "protocol/manifest.h"

static int expect_text(const json_t *object, const char *key, const char *wanted, struct error *err)
{
	const char *text;

	if (json_get_string(object, key, &text, err) < 0)
		return err->code;
	if (strcmp(text, wanted) != 0)
		return error_set(err, ERROR_DEFECT, "'%s' is '%.80s' and not '%.80s'", key, text,
				 wanted);
	return 0;
}

static int parse(const void *body, size_t size, const struct request_record *request,
		 json_t **ret_object, struct error *err)
{
	json_t *object = NULL;
	int r = json_parse_canonical(body, size, &object, err);

	if (r == 0)
		r = expect_text(object, "type", "binvault-restore", err);
	if (r == 0)
		r = expect_text(object, "request", request->id, err);
	if (r == 0)
		r = expect_text(object, "source", request->source, err);
	if (r < 0) {
		json_decref(object);
		return r;
	}
	*ret_object = object;
	return 0;
}

static int expect_number(const json_t *object, const char *key, uint64_t wanted, struct error *err)
{
	uint64_t value;

	if (json_get_u64(object, key, &value, err) < 0)
		return err->code;
	if (value != wanted)
		return error_set(err, ERROR_DEFECT, "'%s' is %llu and not %llu", key,
				 (unsigned long long)value, (unsigned long long)wanted);
	return 0;
}

static int check_range(const json_t *range, const struct plan_segment *segment, struct error *err)
{
	char id[HEX_SIZE(SEGMENT_ID_SIZE)];
	int r = expect_text(range, "file", segment->binlog_file, err);

	hex_encode(segment->segment_id, SEGMENT_ID_SIZE, id);
	if (r == 0)
		r = expect_text(range, "segment", id, err);
	if (r == 0)
		r = expect_number(range, "leaf", segment->leaf_index, err);
	if (r == 0)
		r = expect_number(range, "start", segment->start_position, err);
	if (r == 0)
		r = expect_number(range, "good_end", segment->end.summary.event_end, err);
	if (r == 0 && (json_object_get(range, "crc_wrong_count") != NULL) !=
			      (bool)(segment->end.summary.flags & SUMMARY_CRC_WRONG))
		r = error_set(err, ERROR_DEFECT,
			      "it does not say what the leaf says of events with a wrong CRC");
	return r;
}

static int check_ranges(const json_t *object, const struct export_plan *plan, size_t count,
			struct error *err)
{
	const json_t *ranges;
	int r = json_get_array(object, "ranges", &ranges, err);

	if (r == 0 && json_array_size(ranges) != count)
		r = error_set(err, ERROR_DEFECT, "%zu ranges, and %zu were to be read",
			      json_array_size(ranges), count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = check_range(json_array_get(ranges, i), export_plan_at(plan, i), err);
		if (r < 0)
			error_prefix(err, "range %zu", i);
	}
	return r;
}

static int sum_files(const json_t *object, uint64_t *ret_count, uint64_t *ret_size,
		     struct error *err)
{
	const json_t *files;
	uint64_t size = 0;
	int r = json_get_array(object, "files", &files, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_array_size(files); i++) {
		uint64_t file_size = 0;

		r = json_get_u64(json_array_get(files, i), "size", &file_size, err);
		size += file_size;
	}
	*ret_count = json_array_size(files);
	*ret_size = size;
	return r;
}

static int read_until(const json_t *object, struct exported_record *record, struct error *err)
{
	const json_t *until;
	const char *file, *time;
	int r = json_get_object(object, "until", &until, err);

	if (r == 0)
		r = json_get_string(until, "file", &file, err);
	if (r == 0)
		r = json_get_string(until, "time", &time, err);
	if (r == 0)
		r = json_get_u64(until, "position", &record->until_position, err);
	if (r == 0 && time[0])
		r = time_parse(time, &record->until_usec, err);
	if (r < 0)
		return r;
	snprintf(record->until_file, sizeof(record->until_file), "%.128s", file);
	return 0;
}

static int read_counts(const json_t *object, const struct request_record *request,
		       struct exported_record *record, struct error *err)
{
	const json_t *ranges;
	int r = json_get_array(object, "ranges", &ranges, err);

	if (r < 0)
		return r;
	memset(record, 0, sizeof(*record));
	memcpy(record->request, request->id, sizeof(record->request));
	record->manifest = true;
	record->segment_count = json_array_size(ranges);
	r = sum_files(object, &record->file_count, &record->byte_count, err);
	return r < 0 ? r : read_until(object, record, err);
}

int export_manifest_check(const void *body, size_t size, const struct request_record *request,
			  const struct export_plan *plan, size_t count,
			  const struct export_result *result, struct error *err)
{
	struct exported_record record;
	json_t *object = NULL;
	int r = parse(body, size, request, &object, err);

	if (r == 0)
		r = check_ranges(object, plan, count, err);
	if (r == 0)
		r = read_counts(object, request, &record, err);
	if (r == 0 &&
	    (record.file_count != result->file_count || record.byte_count != result->byte_count ||
	     strcmp(record.until_file, result->until_file) != 0 ||
	     record.until_position != result->until_position))
		r = error_set(err, ERROR_DEFECT, "its counts are not those of the result");
	json_decref(object);
	return r < 0 ? error_prefix(err, "the manifest that binvault-export wrote") : 0;
}

int export_manifest_read(const void *body, size_t size, const struct request_record *request,
			 struct exported_record *ret_record, struct error *err)
{
	json_t *object = NULL;
	int r = parse(body, size, request, &object, err);

	if (r == 0)
		r = read_counts(object, request, ret_record, err);
	if (r == 0)
		hash_bytes(body, size, &ret_record->manifest_hash);
	json_decref(object);
	return r;
}

int export_manifest_verify(const void *body, size_t size, const struct signing_key_record *key,
			   const void *signature, size_t signature_size,
			   struct hash *ret_fingerprint, struct error *err)
{
	CLEANUP(public_key_freep)
	struct public_key *public_key = NULL;
	CLEANUP(freep)
	uint8_t *pae = NULL;
	size_t pae_size;
	int r = public_key_decode(key->der, key->der_size, &public_key, err);

	if (r < 0)
		return r;
	pae = manifest_pae(body, size, &pae_size);
	r = public_key_verify(public_key, pae, pae_size, signature, signature_size, err);
	if (r < 0)
		return error_prefix(err, "signature of the manifest");
	public_key_fingerprint(public_key, ret_fingerprint);
	return 0;
}
