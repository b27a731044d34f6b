#include "store/segment_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "store/field.h"
#include "store/gtids_field.h"

#define RANGES_JSON_MAX 32768

int segment_path_check(const char *path, struct error *err)
{
	if (strncmp(path, "segments/", 9) != 0 || strstr(path, "..") || strstr(path, "//") ||
	    strlen(path) >= SEGMENT_PATH_SIZE)
		return error_set(err, ERROR_DEFECT, "'%.80s' is not the path of a segment", path);
	for (const char *at = path; *at; at++) {
		if (*at <= 0x20 || *at > 0x7e)
			return error_set(err, ERROR_DEFECT,
					 "the path of a segment holds byte %#04x",
					 (unsigned)(unsigned char)*at);
	}
	return 0;
}

static int get_path(const json_t *object, char ret_path[static SEGMENT_PATH_SIZE],
		    struct error *err)
{
	int r = json_get_text(object, "path", ret_path, SEGMENT_PATH_SIZE, err);

	return r < 0 ? r : segment_path_check(ret_path, err);
}

json_t *segment_opened_record_encode(const struct segment_opened_record *record)
{
	json_t *object = field_record_new(RECORD_SEGMENT_OPENED);
	struct segment_header header;
	struct error err;
	int r = segment_header_decode(record->header_bytes, &header, &err);

	ASSERT(r == 0);
	json_put_hex(object, "segment", header.segment_id, SEGMENT_ID_SIZE);
	json_put_string(object, "source", header.source);
	json_put_string(object, "path", record->path);
	field_put_base64(object, "header", record->header_bytes, SEGMENT_HEADER_SIZE);
	field_put_snapshot(object, "gtids_before", &record->gtids_before);
	return object;
}

int segment_opened_record_decode(const json_t *object, struct segment_opened_record *ret,
				 struct error *err)
{
	struct segment_opened_record record = {0};
	char source[SOURCE_NAME_MAX + 1];
	uint8_t id[SEGMENT_ID_SIZE];
	size_t size = 0;
	int r = json_get_hex(object, "segment", id, sizeof(id), err);

	if (r == 0)
		r = field_get_source(object, "source", source, err);
	if (r == 0)
		r = get_path(object, record.path, err);
	if (r == 0)
		r = field_get_base64(object, "header", record.header_bytes, SEGMENT_HEADER_SIZE,
				     &size, err);
	if (r == 0 && size != SEGMENT_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT, "field 'header' has %zu bytes", size);
	if (r == 0)
		r = segment_header_decode(record.header_bytes, &record.header, err);
	if (r == 0)
		r = field_get_snapshot(object, "gtids_before", &record.gtids_before, err);
	if (r < 0)
		return r;
	if (memcmp(record.header.segment_id, id, sizeof(id)) != 0 ||
	    strcmp(record.header.source, source) != 0)
		return error_set(err, ERROR_DEFECT, "the header names another segment or source");
	*ret = record;
	return 0;
}

/* --- sealed ---------------------------------------------------------------------------------- */

static void put_hashes(json_t *object, const struct segment_hashes *hashes)
{
	json_put_u64(object, "size", hashes->size);
	json_put_hex(object, "hash", hashes->file.bytes, HASH_SIZE);
	/* One base64 text: 512 hashes in hex would not leave room for the ranges in a leaf. */
	field_put_base64(object, "chunks", hashes->chunks, hashes->count * HASH_SIZE);
}

static int get_hashes(const json_t *object, struct segment_hashes *ret, struct error *err)
{
	size_t size = 0;
	uint64_t count;
	int r = json_get_u64(object, "size", &ret->size, err);

	if (r == 0)
		r = json_get_hex(object, "hash", ret->file.bytes, HASH_SIZE, err);
	if (r == 0)
		r = field_get_base64(object, "chunks", (uint8_t *)ret->chunks, sizeof(ret->chunks),
				     &size, err);
	if (r < 0)
		return r;
	count = ret->size / SEGMENT_CHUNK_SIZE + (ret->size % SEGMENT_CHUNK_SIZE != 0);
	if (ret->size == 0 || ret->size > SEGMENT_SIZE_MAX || size != count * HASH_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "%zu bytes of chunk hashes for %" PRIu64 " bytes of file", size,
				 ret->size);
	ret->count = (uint32_t)count;
	return 0;
}

static void put_end(json_t *object, const struct segment_end *end)
{
	const struct segment_summary *summary = &end->summary;

	json_put_u64(object, "events", summary->event_count);
	json_put_u64(object, "transactions", summary->transaction_count);
	json_put_u64(object, "good_end", summary->event_end);
	json_put_u64(object, "transaction_end", summary->transaction_end);
	json_put_u64(object, "last_event_position", summary->last_event_position);
	json_put_u64(object, "last_event_crc", summary->last_event_crc);
	json_put_u64(object, "time_first_usec", summary->time_first_usec);
	json_put_u64(object, "time_last_usec", summary->time_last_usec);
	json_put_u64(object, "transaction_last_usec", summary->transaction_last_usec);
	json_put_bool(object, "crc_wrong", summary->flags & SUMMARY_CRC_WRONG);
	json_put_u64(object, "frames", end->frame_count);
	json_put_u64(object, "sessions", end->session_count);
	json_put_u64(object, "void_begin", end->void_range.begin);
	json_put_u64(object, "void_end", end->void_range.end);
	json_put_hex(object, "void_hash", end->void_range.hash.bytes, HASH_SIZE);
	json_put_string(object, "ended", segment_ended_name(end->ended));
	field_put_text(object, "next_file", end->next_file);
}

static int get_ended(const json_t *object, struct segment_end *ret, struct error *err)
{
	const char *names[SEGMENT_ENDED_BROKEN + 1] = {NULL};
	size_t ended;
	int r;

	for (int i = SEGMENT_ENDED_ROTATE; i <= SEGMENT_ENDED_BROKEN; i++)
		names[i] = segment_ended_name((enum segment_ended)i);
	r = field_get_word(object, "ended", names, SEGMENT_ENDED_BROKEN + 1, &ended, err);
	if (r < 0)
		return r;
	ret->ended = (enum segment_ended)ended;
	return field_get_binlog(object, "next_file", true, ret->next_file, err);
}

static int get_summary(const json_t *object, struct segment_summary *ret, struct error *err)
{
	const struct {
		const char *key;
		uint64_t *value;
	} fields[] = {
		{"events", &ret->event_count},
		{"transactions", &ret->transaction_count},
		{"good_end", &ret->event_end},
		{"transaction_end", &ret->transaction_end},
		{"last_event_position", &ret->last_event_position},
		{"time_first_usec", &ret->time_first_usec},
		{"time_last_usec", &ret->time_last_usec},
		{"transaction_last_usec", &ret->transaction_last_usec},
	};
	bool crc_wrong;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(fields) / sizeof(fields[0]); i++)
		r = json_get_u64(object, fields[i].key, fields[i].value, err);
	if (r == 0)
		r = field_get_u32(object, "last_event_crc", &ret->last_event_crc, err);
	if (r == 0)
		r = json_get_bool(object, "crc_wrong", &crc_wrong, err);
	if (r < 0)
		return r;
	ret->flags = crc_wrong ? SUMMARY_CRC_WRONG : 0;
	return 0;
}

static int get_end(const json_t *object, struct segment_end *ret, struct error *err)
{
	int r = get_summary(object, &ret->summary, err);

	if (r == 0)
		r = field_get_u32(object, "frames", &ret->frame_count, err);
	if (r == 0)
		r = field_get_u32(object, "sessions", &ret->session_count, err);
	if (r == 0)
		r = json_get_u64(object, "void_begin", &ret->void_range.begin, err);
	if (r == 0)
		r = json_get_u64(object, "void_end", &ret->void_range.end, err);
	if (r == 0)
		r = json_get_hex(object, "void_hash", ret->void_range.hash.bytes, HASH_SIZE, err);
	if (r == 0 && ret->void_range.begin > ret->void_range.end)
		return error_set(err, ERROR_DEFECT, "the void range ends before it begins");
	return r < 0 ? r : get_ended(object, ret, err);
}

static int get_ranges(const json_t *object, struct segment_sealed_record *record, struct error *err)
{
	int r = json_get_hex(object, "gtid_hash", record->gtid_hash.bytes, HASH_SIZE, err);

	record->gtid_ranges = json_object_get(object, "gtid_ranges");
	if (r < 0 || !record->gtid_ranges)
		return r;
	r = field_get_ranges(record->gtid_ranges, NULL, err);
	record->gtid_ranges_known = r == 0;
	return r;
}

json_t *segment_sealed_record_encode(const struct segment_sealed_record *record)
{
	json_t *object = field_record_new(RECORD_SEGMENT_SEALED);

	json_put_hex(object, "segment", record->segment_id, SEGMENT_ID_SIZE);
	json_put_hex(object, "period", record->period_id, SEGMENT_ID_SIZE);
	json_put_u64(object, "opened", record->opened_index);
	json_put_string(object, "source", record->source);
	json_put_string(object, "binlog_file", record->binlog_file);
	json_put_string(object, "path", record->path);
	json_put_hex(object, "generation", record->generation.bytes, HASH_SIZE);
	json_put_hex(object, "file_id", record->file_id.bytes, HASH_SIZE);
	json_put_hex(object, "identity", record->identity, SEGMENT_IDENTITY_SIZE);
	json_put_u64(object, "start", record->start_position);
	put_hashes(object, &record->hashes);
	put_end(object, &record->end);
	json_put_hex(object, "gtid_hash", record->gtid_hash.bytes, HASH_SIZE);
	if (record->gtid_ranges_known)
		json_put(object, "gtid_ranges", json_incref(record->gtid_ranges));
	field_put_snapshot(object, "gtids_archived", &record->gtids_archived);
	return object;
}

static int get_names(const json_t *object, struct segment_sealed_record *record, struct error *err)
{
	int r = json_get_hex(object, "segment", record->segment_id, SEGMENT_ID_SIZE, err);

	if (r == 0)
		r = json_get_hex(object, "period", record->period_id, SEGMENT_ID_SIZE, err);
	if (r == 0)
		r = json_get_u64(object, "opened", &record->opened_index, err);
	if (r == 0)
		r = field_get_source(object, "source", record->source, err);
	if (r == 0)
		r = field_get_binlog(object, "binlog_file", false, record->binlog_file, err);
	if (r == 0)
		r = get_path(object, record->path, err);
	if (r == 0)
		r = json_get_hex(object, "generation", record->generation.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "file_id", record->file_id.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "identity", record->identity, SEGMENT_IDENTITY_SIZE, err);
	if (r == 0)
		r = json_get_u64(object, "start", &record->start_position, err);
	return r;
}

int segment_sealed_record_decode(const json_t *object, struct segment_sealed_record *ret,
				 struct error *err)
{
	struct segment_sealed_record record = {0};
	int r = get_names(object, &record, err);

	if (r == 0)
		r = get_hashes(object, &record.hashes, err);
	if (r == 0)
		r = get_end(object, &record.end, err);
	if (r == 0)
		r = get_ranges(object, &record, err);
	if (r == 0)
		r = field_get_snapshot(object, "gtids_archived", &record.gtids_archived, err);
	if (r < 0)
		return r;
	if (record.end.summary.event_end < record.start_position)
		return error_set(err, ERROR_DEFECT, "the good end lies before the start");
	if (record.end.void_range.end > record.hashes.size)
		return error_set(err, ERROR_DEFECT, "the void range passes the end of the file");
	json_incref(record.gtid_ranges);
	*ret = record;
	return 0;
}

void segment_sealed_record_release(struct segment_sealed_record *record)
{
	json_decref(record->gtid_ranges);
	record->gtid_ranges = NULL;
	record->gtid_ranges_known = false;
}

void segment_sealed_record_set_ranges(struct segment_sealed_record *record,
				      const struct gtid_ranges *ranges, const struct hash *hash)
{
	segment_sealed_record_release(record);
	record->gtid_hash = *hash;
	record->gtid_ranges = field_ranges_json(ranges, RANGES_JSON_MAX);
	record->gtid_ranges_known = record->gtid_ranges != NULL;
}

int segment_sealed_record_ranges(const struct segment_sealed_record *record,
				 struct gtid_ranges *ret_ranges, struct error *err)
{
	if (!record->gtid_ranges_known)
		return error_set(err, ERROR_NOT_FOUND,
				 "the leaf holds only a hash of the segment's GTID ranges");
	return field_get_ranges(record->gtid_ranges, ret_ranges, err);
}

void segment_sealed_record_set_archived(struct segment_sealed_record *record,
					const struct gtid_snapshot *before)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	struct error ignored;

	record->gtids_archived.known = false;
	if (gtid_snapshot_unite(before, ranges, &ignored) == 0 &&
	    segment_sealed_record_ranges(record, ranges, &ignored) == 0)
		gtid_snapshot_take(&record->gtids_archived, ranges);
}

/* --- covered, damaged, orphan -------------------------------------------------------------------
 */

json_t *covered_record_encode(const struct covered_record *record)
{
	json_t *object = field_record_new(RECORD_COVERED);

	json_put_string(object, "source", record->source);
	json_put_hex(object, "segment", record->segment_id, SEGMENT_ID_SIZE);
	json_put_u64(object, "position", record->position);
	json_put_u64(object, "frame", record->frame_sequence);
	json_put_hex(object, "tag", record->frame_tag, AEAD_TAG_SIZE);
	return object;
}

int covered_record_decode(const json_t *object, struct covered_record *ret, struct error *err)
{
	struct covered_record record = {0};
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_hex(object, "segment", record.segment_id, SEGMENT_ID_SIZE, err);
	if (r == 0)
		r = json_get_u64(object, "position", &record.position, err);
	if (r == 0)
		r = field_get_u32(object, "frame", &record.frame_sequence, err);
	if (r == 0)
		r = json_get_hex(object, "tag", record.frame_tag, AEAD_TAG_SIZE, err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *damaged_record_encode(const struct damaged_record *record)
{
	json_t *object = field_record_new(RECORD_DAMAGED);

	json_put_string(object, "source", record->source);
	json_put_hex(object, "segment", record->segment_id, SEGMENT_ID_SIZE);
	json_put_string(object, "binlog_file", record->binlog_file);
	json_put_u64(object, "position", record->position);
	json_put_u64(object, "length", record->length);
	json_put_u64(object, "crc", record->crc);
	return object;
}

int damaged_record_decode(const json_t *object, struct damaged_record *ret, struct error *err)
{
	struct damaged_record record = {0};
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_hex(object, "segment", record.segment_id, SEGMENT_ID_SIZE, err);
	if (r == 0)
		r = field_get_binlog(object, "binlog_file", false, record.binlog_file, err);
	if (r == 0)
		r = json_get_u64(object, "position", &record.position, err);
	if (r == 0)
		r = field_get_u32(object, "length", &record.length, err);
	if (r == 0)
		r = field_get_u32(object, "crc", &record.crc, err);
	if (r == 0)
		*ret = record;
	return r;
}

json_t *orphan_record_encode(const struct orphan_record *record)
{
	json_t *object = field_record_new(RECORD_ORPHAN);

	field_put_text(object, "path", record->path);
	json_put_u64(object, "size", record->size);
	field_put_text(object, "reason", record->reason);
	return object;
}

int orphan_record_decode(const json_t *object, struct orphan_record *ret, struct error *err)
{
	struct orphan_record record = {0};
	int r = get_path(object, record.path, err);

	if (r == 0)
		r = json_get_u64(object, "size", &record.size, err);
	if (r == 0)
		r = json_get_text(object, "reason", record.reason, sizeof(record.reason), err);
	if (r == 0)
		*ret = record;
	return r;
}
