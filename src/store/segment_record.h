/*
 * Leaves about segments: opened, sealed, covered, orphan. FORMAT.md is normative.
 *
 * Owns: a sealed record owns its GTID ranges (release it); the others are plain values.
 */
#pragma once

#include "crypto/aead.h"
#include "store/record.h"
#include "volume/gtid_snapshot.h"
#include "volume/hashes.h"
#include "volume/header.h"
#include "volume/ranges.h"
#include "volume/summary.h"

/* "segments/<source>/<yyyy-mm>/<binlog file>.<start>.<id>.seg" and a copy's ".r1" */
#define SEGMENT_PATH_SIZE 320
#define REASON_SIZE	  512

/* Does @path lie below segments/, without "..", in printable ASCII? ERROR_DEFECT if not. */
int segment_path_check(const char *path, struct error *err) MUST_CHECK;

struct segment_opened_record {
	char path[SEGMENT_PATH_SIZE];
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	struct segment_header header;	   /* their meaning; decode sets it, encode ignores it */
	struct gtid_snapshot gtids_before; /* of the source, when it was opened */
};
json_t *segment_opened_record_encode(const struct segment_opened_record *record);
int segment_opened_record_decode(const json_t *object, struct segment_opened_record *ret,
				 struct error *err) MUST_CHECK;

struct segment_sealed_record {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint8_t period_id[SEGMENT_ID_SIZE];
	uint64_t opened_index; /* of the segment-opened leaf */
	char source[SOURCE_NAME_MAX + 1];
	char binlog_file[BINLOG_NAME_MAX + 1];
	char path[SEGMENT_PATH_SIZE]; /* may be another than the opened leaf's: a new copy */
	struct hash generation;
	struct hash file_id;
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	uint64_t start_position;
	struct segment_hashes hashes;
	struct segment_end end; /* end.summary.event_end is the good end */
	struct hash gtid_hash;	/* of all frames' encoded ranges in the order of the frames */
	bool gtid_ranges_known; /* else they were too many for a leaf */
	json_t *gtid_ranges;	/* owned: [[group in hex, first, last], …], NULL if not known */
	struct gtid_snapshot gtids_archived; /* of the source, with this segment */
};
json_t *segment_sealed_record_encode(const struct segment_sealed_record *record);
int segment_sealed_record_decode(const json_t *object, struct segment_sealed_record *ret,
				 struct error *err) MUST_CHECK;
void segment_sealed_record_release(struct segment_sealed_record *record);

/* Set both gtid fields; ranges that overflowed or whose JSON passes 32 KiB are left out. */
void segment_sealed_record_set_ranges(struct segment_sealed_record *record,
				      const struct gtid_ranges *ranges, const struct hash *hash);

/* Set gtids_archived: @before, of the opened leaf, and the segment's own ranges, if both are known.
 * After segment_sealed_record_set_ranges(). */
void segment_sealed_record_set_archived(struct segment_sealed_record *record,
					const struct gtid_snapshot *before);

/* Fill @ret_ranges (of SEALED_RANGES_SIZE_MAX) from a record whose ranges are known. */
int segment_sealed_record_ranges(const struct segment_sealed_record *record,
				 struct gtid_ranges *ret_ranges, struct error *err) MUST_CHECK;

/* What is durable of a segment that is being written: once a minute. */
struct covered_record {
	char source[SOURCE_NAME_MAX + 1];
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t position; /* durable good end */
	uint32_t frame_sequence;
	uint8_t frame_tag[AEAD_TAG_SIZE];
};
json_t *covered_record_encode(const struct covered_record *record);
int covered_record_decode(const json_t *object, struct covered_record *ret,
			  struct error *err) MUST_CHECK;

/* An event that the source itself has with a wrong CRC is archived as it came. */
struct damaged_record {
	char source[SOURCE_NAME_MAX + 1];
	uint8_t segment_id[SEGMENT_ID_SIZE];
	char binlog_file[BINLOG_NAME_MAX + 1];
	uint64_t position; /* of the event's first byte */
	uint32_t length;
	uint32_t crc; /* that it states */
};
json_t *damaged_record_encode(const struct damaged_record *record);
int damaged_record_decode(const json_t *object, struct damaged_record *ret,
			  struct error *err) MUST_CHECK;

/* A file that stays and that nothing will ever use. */
struct orphan_record {
	char path[SEGMENT_PATH_SIZE];
	uint64_t size;
	char reason[REASON_SIZE];
};
json_t *orphan_record_encode(const struct orphan_record *record);
int orphan_record_decode(const json_t *object, struct orphan_record *ret,
			 struct error *err) MUST_CHECK;
