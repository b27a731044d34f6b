#include "pull/segment.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

#define FRAMES_MAX 2 /* as many as a writer lets stand */

struct segment {
	struct ring *ring;
	uint32_t tag;
	struct segment_header header;
	struct segment_writer *writer;
	size_t volume_count;
	int fds[CONFIG_VOLUMES_MAX];

	struct segment_output frames[FRAMES_MAX]; /* [0] is being written */
	size_t frame_count;
	uint64_t frame_requests[FRAMES_MAX]; /* positions to acknowledge with them; 0: none */
	uint64_t pending_request;	     /* the same of the pending bytes */
	uint64_t granted;		     /* the same of what is durable and was not taken */
	size_t written[CONFIG_VOLUMES_MAX];  /* bytes of frames[0] that are on this volume */
	bool in_flight[CONFIG_VOLUMES_MAX];
	struct segment_durable durable;
};

int segment_new(struct ring *ring, uint32_t tag, struct segment_opened *opened, const int *fds,
		size_t fd_count, int compression_level, struct segment **ret_segment,
		struct error *err)
{
	CLEANUP(segment_freep)
	struct segment *segment = calloc(1, sizeof(*segment));
	const struct segment_writer_options options = {.compression_level = compression_level};
	struct secret key = {0};
	int r;

	ASSERT(segment);
	ASSERT(fd_count > 0 && fd_count <= CONFIG_VOLUMES_MAX);
	segment->ring = ring;
	segment->tag = tag;
	segment->volume_count = fd_count;
	memcpy(segment->fds, fds, fd_count * sizeof(*fds));
	r = secret_init(&key, sizeof(opened->key), err);
	if (r == 0)
		memcpy(key.bytes, opened->key, sizeof(opened->key));
	secret_wipe(opened->key, sizeof(opened->key));
	if (r == 0)
		r = segment_header_decode(opened->header, &segment->header, err);
	if (r == 0)
		r = segment_writer_new(&segment->header, &key, &options, &segment->writer, err);
	secret_release(&key);
	if (r < 0)
		return error_prefix(err, "beginning a segment");
	segment->durable.size = segment->header.block_size;
	*ret_segment = TAKE(segment);
	return 0;
}

void segment_free(struct segment *segment)
{
	if (!segment)
		return;
	for (size_t i = 0; i < segment->volume_count; i++) {
		/* The buffer belongs to the ring until the append has completed. */
		ASSERT(!segment->in_flight[i]);
		close(segment->fds[i]);
	}
	segment_writer_free(segment->writer);
	free(segment);
}

const struct segment_header *segment_header(const struct segment *segment)
{
	return &segment->header;
}

struct segment_writer *segment_writer(struct segment *segment)
{
	return segment->writer;
}

size_t segment_frames(const struct segment *segment)
{
	return segment->frame_count;
}

bool segment_in_flight(const struct segment *segment)
{
	for (size_t i = 0; i < segment->volume_count; i++) {
		if (segment->in_flight[i])
			return true;
	}
	return false;
}

const struct segment_durable *segment_durable(const struct segment *segment)
{
	return &segment->durable;
}

/* Append the rest of frames[0] wherever it is not complete and nothing is in flight. */
static void submit(struct segment *segment)
{
	const struct segment_output *frame = &segment->frames[0];

	for (size_t i = 0; i < segment->volume_count; i++) {
		if (segment->in_flight[i] || segment->written[i] == frame->size)
			continue;
		segment->in_flight[i] = true;
		ring_append(segment->ring, segment->fds[i], frame->bytes + segment->written[i],
			    frame->size - segment->written[i], segment->tag + (uint32_t)i);
	}
}

static void queue(struct segment *segment, uint64_t request)
{
	segment->frame_requests[segment->frame_count] = request;
	segment->frame_count++;
	if (segment->frame_count == 1) {
		memset(segment->written, 0, sizeof(segment->written));
		submit(segment);
	}
}

void segment_flush(struct segment *segment, uint64_t now_usec)
{
	ASSERT(segment->frame_count < FRAMES_MAX);
	segment_writer_build(segment->writer, now_usec, &segment->frames[segment->frame_count]);
	queue(segment, segment->pending_request);
	segment->pending_request = 0;
}

void segment_request(struct segment *segment, uint64_t position)
{
	const struct segment_state *state = segment_writer_state(segment->writer);

	ASSERT(position <= state->summary.event_end);
	if (segment_writer_pending(segment->writer) > 0)
		segment->pending_request = position;
	else if (segment->frame_count > 0)
		segment->frame_requests[segment->frame_count - 1] = position;
	else
		segment->granted = position;
}

bool segment_requested(const struct segment *segment)
{
	return segment->pending_request != 0;
}

bool segment_owes(const struct segment *segment)
{
	bool owes = segment->pending_request != 0;

	for (size_t i = 0; i < segment->frame_count; i++)
		owes |= segment->frame_requests[i] != 0;
	return owes;
}

uint64_t segment_take_granted(struct segment *segment)
{
	uint64_t position = segment->granted;

	segment->granted = 0;
	return position;
}

void segment_forget_requests(struct segment *segment)
{
	segment->pending_request = 0;
	memset(segment->frame_requests, 0, sizeof(segment->frame_requests));
	segment->granted = 0;
}

int segment_queue_session(struct segment *segment, const void *bytes, size_t size,
			  uint64_t now_usec, struct error *err)
{
	int r;

	ASSERT(segment->frame_count < FRAMES_MAX);
	r = segment_writer_session(segment->writer, bytes, size, now_usec,
				   &segment->frames[segment->frame_count], err);
	if (r == 0)
		queue(segment, 0);
	return r;
}

int segment_queue_end(struct segment *segment, enum segment_ended ended, const char *next_file,
		      uint64_t now_usec, struct error *err)
{
	int r;

	ASSERT(segment->frame_count < FRAMES_MAX);
	r = segment_writer_end(segment->writer, ended, next_file, NULL, now_usec,
			       &segment->frames[segment->frame_count], err);
	if (r == 0)
		queue(segment, 0);
	return r;
}

/* frames[0] is complete on every volume: it counts from now on. */
static void frame_durable(struct segment *segment)
{
	const struct segment_output *frame = &segment->frames[0];

	segment->durable.summary = frame->summary;
	segment->durable.sequence = frame->sequence;
	memcpy(segment->durable.tag, frame->tag, sizeof(frame->tag));
	segment->durable.received_usec = frame->received_usec;
	segment->durable.size = frame->offset + frame->size;
	segment->durable.any = true;
	if (segment->frame_requests[0])
		segment->granted = segment->frame_requests[0];
	segment_writer_written(segment->writer);
	segment->frames[0] = segment->frames[1];
	segment->frame_requests[0] = segment->frame_requests[1];
	segment->frame_count--;
	memset(segment->written, 0, sizeof(segment->written));
	if (segment->frame_count > 0)
		submit(segment);
}

int segment_appended(struct segment *segment, uint32_t tag, int result, struct error *err)
{
	size_t volume = tag - segment->tag;

	ASSERT(volume < segment->volume_count && segment->in_flight[volume]);
	segment->in_flight[volume] = false;
	if (result == -ENOSPC || result == -EDQUOT)
		return error_set(
			err, ERROR_NO_SPACE,
			"the volume is full: free space, or add some; nothing is lost, the "
			"same bytes are written as soon as there is room");
	if (result < 0)
		return error_set_errno(err, ERROR_IO, -result,
				       "appending to the segment of %s at %llu failed, which is "
				       "final for this file",
				       segment->header.binlog_file,
				       (unsigned long long)segment->frames[0].offset);
	segment->written[volume] += (size_t)result;
	ASSERT(segment->written[volume] <= segment->frames[0].size);
	/* Direct I/O goes on at block borders only; a file that ends within a block is torn. */
	if (segment->written[volume] % segment->header.block_size != 0)
		return error_set(err, ERROR_IO,
				 "only %d bytes of a frame were appended, which is no whole block; "
				 "this file is at its end",
				 result);
	if (segment->written[volume] < segment->frames[0].size) {
		if (result == 0)
			return error_set(err, ERROR_NO_SPACE, "nothing more fits the volume");
		submit(segment);
		return 0;
	}
	for (size_t i = 0; i < segment->volume_count; i++) {
		if (segment->written[i] < segment->frames[0].size)
			return 0;
	}
	frame_durable(segment);
	return 1;
}

void segment_retry(struct segment *segment)
{
	if (segment->frame_count > 0)
		submit(segment);
}
