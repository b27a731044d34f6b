/*
 * What must hold from frame to frame. A frame that is authentic was made by a holder of the key,
 * so a contradiction here is a bug of the writer that made it or a forgery by a keeper: either
 * way it must not pass as archive.
 */
#include <inttypes.h>
#include <string.h>

#include "volume/opener.h"

static bool summary_equal(const struct segment_summary *a, const struct segment_summary *b)
{
	uint8_t bytes_a[SEGMENT_SUMMARY_SIZE], bytes_b[SEGMENT_SUMMARY_SIZE];

	segment_summary_encode(a, bytes_a);
	segment_summary_encode(b, bytes_b);
	return memcmp(bytes_a, bytes_b, sizeof(bytes_a)) == 0;
}

/* Counts grow by what the frame can hold, ends lie where its bytes are. */
static int summary_follows(const struct segment_summary *before, const struct frame *frame,
			   struct error *err)
{
	const struct segment_summary *after = &frame->summary;
	uint64_t begin = frame->header.position, end = begin + frame->size;

	if (after->event_count == before->event_count) {
		if (!summary_equal(before, after))
			return error_set(err, ERROR_DEFECT,
					 "the summary changed, but no event ended");
		return 0;
	}
	if (after->event_count < before->event_count || after->event_end <= begin ||
	    after->event_end > end || after->last_event_position < before->event_end ||
	    after->event_count - before->event_count > after->event_end - before->event_end)
		return error_set(err, ERROR_DEFECT,
				 "the summary's events do not follow: %" PRIu64 " to %" PRIu64
				 " after %" PRIu64 " to %" PRIu64,
				 after->event_count, after->event_end, before->event_count,
				 before->event_end);
	if (after->transaction_count < before->transaction_count ||
	    after->transaction_count - before->transaction_count >
		    after->event_count - before->event_count ||
	    (after->transaction_count == before->transaction_count
		     ? after->transaction_end != before->transaction_end ||
			       after->transaction_last_usec != before->transaction_last_usec
		     : after->transaction_end <= before->event_end))
		return error_set(err, ERROR_DEFECT, "the summary's transactions do not follow");
	if ((before->flags & ~after->flags) || after->time_last_usec < before->time_last_usec ||
	    (before->time_first_usec &&
	     (!after->time_first_usec || after->time_first_usec > before->time_first_usec)))
		return error_set(err, ERROR_DEFECT, "the summary's flags or times go back");
	return 0;
}

static int data_follows(const struct segment_state *state, const struct frame *frame,
			struct error *err)
{
	const struct frame_header *header = &frame->header;
	bool first = header->position == state->summary.event_end;
	bool last = header->position + frame->size == frame->summary.event_end;
	int result = summary_follows(&state->summary, frame, err);

	if (result < 0)
		return result;
	if (first != !!(header->flags & FRAME_FIRST) || last != !!(header->flags & FRAME_LAST))
		return error_set(err, ERROR_DEFECT,
				 "the flags of first and last do not fit the summary");
	return 0;
}

static int end_follows(const struct segment_state *state, const struct frame *frame,
		       struct error *err)
{
	const struct segment_end *end = &frame->end;

	if (end->void_range.end != frame->offset || end->void_range.begin != state->offset)
		return error_set(err, ERROR_DEFECT,
				 "END's void range from %" PRIu64 " to %" PRIu64
				 " is not where frames end, %" PRIu64,
				 end->void_range.begin, end->void_range.end, state->offset);
	if (end->frame_count != state->next_sequence || end->session_count != state->session_count)
		return error_set(err, ERROR_DEFECT, "END counts %" PRIu32 " frames, not %" PRIu32,
				 end->frame_count, state->next_sequence);
	if (!summary_equal(&end->summary, &state->summary))
		return error_set(err, ERROR_DEFECT, "END's totals are not the last summary");
	return 0;
}

static int frame_follows(const struct segment_state *state, const struct frame *frame,
			 struct error *err)
{
	const struct frame_header *header = &frame->header;

	if (header->sequence != state->next_sequence)
		return error_set(err, ERROR_DEFECT, "sequence is %" PRIu32 " instead of %" PRIu32,
				 header->sequence, state->next_sequence);
	if (header->position != state->position)
		return error_set(err, ERROR_DEFECT, "position is %" PRIu64 " instead of %" PRIu64,
				 header->position, state->position);
	switch (header->kind) {
	case FRAME_DATA:
		return data_follows(state, frame, err);
	case FRAME_SESSION:
		if (state->position != state->summary.event_end)
			return error_set(err, ERROR_DEFECT, "a session begins inside an event");
		return 0;
	case FRAME_END:
		return end_follows(state, frame, err);
	default:
		return error_set(err, ERROR_DEFECT, "unknown kind");
	}
}

int segment_state_accept(struct segment_state *state, struct frame *frame, struct error *err)
{
	int result = frame_follows(state, frame, err);

	if (result < 0)
		return error_prefix(err, "frame at offset %" PRIu64, frame->offset);
	if (frame->header.kind != FRAME_END) {
		state->next_sequence++;
		state->offset += frame->total_size;
	}
	if (frame->header.kind == FRAME_DATA) {
		state->position += frame->size;
		state->summary = frame->summary;
	}
	if (frame->header.kind == FRAME_SESSION)
		state->session_count++;
	frame->summary = state->summary;
	return 0;
}
