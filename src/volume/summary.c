#include "volume/summary.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "volume/header.h"
#include "volume/padding.h"

struct summary_disk {
	le64 event_count;
	le64 transaction_count;
	le64 event_end;
	le64 transaction_end;
	le64 last_event_position;
	le64 time_first_usec;
	le64 time_last_usec;
	le64 transaction_last_usec;
	le32 last_event_crc;
	le32 flags;
};

struct end_disk {
	uint8_t summary[SEGMENT_SUMMARY_SIZE];
	le64 void_begin;
	le64 void_end;
	uint8_t void_hash[HASH_SIZE];
	le32 frame_count;
	le32 session_count;
	uint8_t ended;
	uint8_t reserved[7];
	uint8_t next_file[BINLOG_NAME_MAX];
};

static_assert(sizeof(struct summary_disk) == SEGMENT_SUMMARY_SIZE, "FORMAT.md");
static_assert(sizeof(struct end_disk) == SEGMENT_END_SIZE, "FORMAT.md");
static_assert(offsetof(struct end_disk, ended) == 128, "FORMAT.md");

static const char *const ended_names[] = {
	[SEGMENT_ENDED_ROTATE] = "rotate",
	[SEGMENT_ENDED_SIZE] = "size",
	[SEGMENT_ENDED_AGE] = "age",
	[SEGMENT_ENDED_SHUTDOWN] = "shutdown",
	[SEGMENT_ENDED_RECOVERED] = "recovered",
	[SEGMENT_ENDED_RESET] = "reset",
	[SEGMENT_ENDED_BROKEN] = "broken",
};

const char *segment_ended_name(enum segment_ended ended)
{
	return (size_t)ended < ARRAY_LENGTH(ended_names) ? ended_names[ended] : NULL;
}

void segment_state_init(struct segment_state *state, uint32_t block_size, uint64_t start_position)
{
	*state = (struct segment_state){
		.offset = block_size,
		.position = start_position,
		.summary = {.event_end = start_position, .transaction_end = start_position},
	};
}

void segment_summary_encode(const struct segment_summary *summary,
			    uint8_t ret_bytes[static SEGMENT_SUMMARY_SIZE])
{
	struct summary_disk disk = {
		.event_count = le64_put(summary->event_count),
		.transaction_count = le64_put(summary->transaction_count),
		.event_end = le64_put(summary->event_end),
		.transaction_end = le64_put(summary->transaction_end),
		.last_event_position = le64_put(summary->last_event_position),
		.time_first_usec = le64_put(summary->time_first_usec),
		.time_last_usec = le64_put(summary->time_last_usec),
		.transaction_last_usec = le64_put(summary->transaction_last_usec),
		.last_event_crc = le32_put(summary->last_event_crc),
		.flags = le32_put(summary->flags),
	};

	memcpy(ret_bytes, &disk, sizeof(disk));
}

static int summary_check(const struct segment_summary *summary, struct error *err)
{
	if (summary->flags & ~SUMMARY_FLAGS_KNOWN)
		return error_set(err, ERROR_DEFECT, "summary: unknown flags 0x%" PRIx32,
				 summary->flags);
	if (summary->event_end > INT64_MAX || summary->transaction_end > summary->event_end)
		return error_set(err, ERROR_DEFECT,
				 "summary: transactions end at %" PRIu64 ", events at %" PRIu64,
				 summary->transaction_end, summary->event_end);
	if (summary->transaction_count > summary->event_count)
		return error_set(err, ERROR_DEFECT,
				 "summary: %" PRIu64 " transactions in %" PRIu64 " events",
				 summary->transaction_count, summary->event_count);
	if (summary->event_count == 0
		    ? summary->last_event_position || summary->last_event_crc || summary->flags
		    : summary->last_event_position >= summary->event_end)
		return error_set(err, ERROR_DEFECT,
				 "summary: the last of %" PRIu64 " events is at %" PRIu64
				 " and ends at %" PRIu64,
				 summary->event_count, summary->last_event_position,
				 summary->event_end);
	if (summary->time_first_usec > summary->time_last_usec ||
	    (summary->event_count == 0 && summary->time_last_usec))
		return error_set(err, ERROR_DEFECT, "summary: event times contradict each other");
	if (summary->transaction_count == 0 && summary->transaction_last_usec)
		return error_set(err, ERROR_DEFECT,
				 "summary: a transaction's time without a transaction");
	return 0;
}

int segment_summary_decode(const uint8_t bytes[static SEGMENT_SUMMARY_SIZE],
			   struct segment_summary *ret_summary, struct error *err)
{
	struct summary_disk disk;
	struct segment_summary summary;
	int result;

	memcpy(&disk, bytes, sizeof(disk));
	summary = (struct segment_summary){
		.event_count = le64_get(disk.event_count),
		.transaction_count = le64_get(disk.transaction_count),
		.event_end = le64_get(disk.event_end),
		.transaction_end = le64_get(disk.transaction_end),
		.last_event_position = le64_get(disk.last_event_position),
		.time_first_usec = le64_get(disk.time_first_usec),
		.time_last_usec = le64_get(disk.time_last_usec),
		.transaction_last_usec = le64_get(disk.transaction_last_usec),
		.last_event_crc = le32_get(disk.last_event_crc),
		.flags = le32_get(disk.flags),
	};
	result = summary_check(&summary, err);
	if (result < 0)
		return result;
	*ret_summary = summary;
	return 0;
}

static int end_check(const struct segment_end *end, struct error *err)
{
	struct error why = {0};

	if (!segment_ended_name(end->ended))
		return error_set(err, ERROR_DEFECT, "END: how the segment ended is unknown: %d",
				 (int)end->ended);
	if (end->void_range.begin > end->void_range.end || end->void_range.end > SEGMENT_SIZE_MAX)
		return error_set(err, ERROR_DEFECT,
				 "END: the void range from %" PRIu64 " to %" PRIu64
				 " is impossible",
				 end->void_range.begin, end->void_range.end);
	if (end->session_count > end->frame_count)
		return error_set(err, ERROR_DEFECT,
				 "END: %" PRIu32 " sessions in %" PRIu32 " frames",
				 end->session_count, end->frame_count);
	if (end->next_file[0] && end->ended != SEGMENT_ENDED_ROTATE)
		return error_set(
			err, ERROR_DEFECT,
			"END: a next file is named, but the segment did not end by rotation");
	if (end->next_file[0] && name_check_binlog(end->next_file, &why) < 0)
		return error_set(err, ERROR_DEFECT, "END: next file: %s", why.message);
	return 0;
}

int segment_end_encode(const struct segment_end *end, uint8_t ret_bytes[static SEGMENT_END_SIZE],
		       struct error *err)
{
	struct end_disk disk = {
		.void_begin = le64_put(end->void_range.begin),
		.void_end = le64_put(end->void_range.end),
		.frame_count = le32_put(end->frame_count),
		.session_count = le32_put(end->session_count),
		.ended = (uint8_t)end->ended,
	};

	if (end_check(end, err) < 0)
		return err->code = ERROR_USAGE;
	segment_summary_encode(&end->summary, disk.summary);
	memcpy(disk.void_hash, end->void_range.hash.bytes, HASH_SIZE);
	ASSERT(padded_text_encode(end->next_file, disk.next_file, sizeof(disk.next_file)));
	memcpy(ret_bytes, &disk, sizeof(disk));
	return 0;
}

int segment_end_decode(const uint8_t bytes[static SEGMENT_END_SIZE], struct segment_end *ret_end,
		       struct error *err)
{
	struct end_disk disk;
	struct segment_end end = {0};
	int result;

	memcpy(&disk, bytes, sizeof(disk));
	end.void_range.begin = le64_get(disk.void_begin);
	end.void_range.end = le64_get(disk.void_end);
	memcpy(end.void_range.hash.bytes, disk.void_hash, HASH_SIZE);
	end.frame_count = le32_get(disk.frame_count);
	end.session_count = le32_get(disk.session_count);
	end.ended = (enum segment_ended)disk.ended;
	if (!padding_is_zero(disk.reserved, sizeof(disk.reserved)))
		return error_set(err, ERROR_DEFECT, "END: reserved bytes are not zero");
	if (!padded_text_decode(disk.next_file, sizeof(disk.next_file), end.next_file))
		return error_set(err, ERROR_DEFECT,
				 "END: bytes follow the end of the next file's name");
	result = segment_summary_decode(disk.summary, &end.summary, err);
	if (result == 0)
		result = end_check(&end, err);
	if (result < 0)
		return result;
	*ret_end = end;
	return 0;
}
