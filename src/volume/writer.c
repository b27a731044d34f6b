#include "volume/writer.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/checked.h"
#include "crypto/random.h"
#include "io/file.h"
#include "volume/frame.h"
#include "volume/ranges.h"

/*
 * Invariants:
 *  1. A buffer in `standing` is not touched: its ciphertext may be on its way to a disk. Making it
 *     again, with another nonce or without, would put two ciphertexts at one place or two
 *     plaintexts under one nonce.
 *  2. state.position = start + all bytes ever added; frame_position = the same without pending.
 *  3. summary.event_end <= state.position, and every event begins where the last one ended.
 */

/* Room for the summary and the largest ranges stands before the event bytes, so that they are put
 * in front when the frame is built, without moving the bytes. */
#define EVENTS_OFFSET (DATA_PREFIX_SIZE + FRAME_RANGES_SIZE_MAX)

#define OUTPUT_COUNT 2

/* After so many frames in a row that did not shrink, only one in so many is tried. */
#define COMPRESSION_MISSES_MAX	4
#define COMPRESSION_RETRY_COUNT 16

/* Frames that are kept in hand before the limits of the format, so that nothing runs into them. */
#define FRAMES_IN_HAND 3

struct segment_writer {
	struct aead *aead;
	struct segment_state state;
	uint32_t block_size;
	uint64_t frame_position;  /* of the pending frame's first event byte */
	uint64_t frame_event_end; /* the good end when the pending frame began */
	size_t pending;		  /* event bytes */
	bool ended;

	uint8_t *plain; /* FRAME_PLAIN_SIZE_MAX */
	struct gtid_ranges *ranges;
	uint8_t *outputs[OUTPUT_COUNT];
	size_t output_size_max;
	size_t next_output; /* index of the one to build in */
	size_t standing;    /* how many are built and not yet written */

	ZSTD_CCtx *compressor; /* inside workspace; NULL: compression is off */
	void *workspace;
	int compression_level;
	unsigned int compression_misses;
	unsigned int compression_skips;

	void (*random)(void *context, void *bytes, size_t size);
	void *random_context;
};

static void random_default(void *context, void *bytes, size_t size)
{
	(void)context;
	random_bytes(bytes, size);
}

/*
 * A static workspace: an ordinary context gives memory back and takes it again as frame sizes
 * change, and the hot path must not allocate. Where a future library needs more than it says,
 * compression fails and frames are stored plain.
 */
static int compressor_init(struct segment_writer *writer, int level, struct error *err)
{
	size_t size;

	if (level < 0 || level > COMPRESSION_LEVEL_MAX)
		return error_set(err, ERROR_USAGE, "compression level %d is not 0 to %d", level,
				 COMPRESSION_LEVEL_MAX);
	writer->compression_level = level;
	if (level == 0)
		return 0;
	size = ZSTD_estimateCCtxSize(level);
	if (ZSTD_isError(size))
		return error_set(err, ERROR_FAILED, "zstd: %s", ZSTD_getErrorName(size));
	size = round_up(size, 64);
	writer->workspace = aligned_alloc(64, size);
	ASSERT(writer->workspace);
	writer->compressor = ZSTD_initStaticCCtx(writer->workspace, size);
	if (!writer->compressor)
		return error_set(err, ERROR_FAILED, "zstd does not accept its workspace");
	return 0;
}

int segment_writer_new(const struct segment_header *header, const struct secret *segment_key,
		       const struct segment_writer_options *options,
		       struct segment_writer **ret_writer, struct error *err)
{
	CLEANUP(segment_writer_freep)
	struct segment_writer *writer = calloc(1, sizeof(*writer));
	int result;

	ASSERT(writer);
	ASSERT(header->block_size >= BLOCK_SIZE_MIN && header->block_size <= BLOCK_SIZE_MAX);
	result = aead_new(segment_key, &writer->aead, err);
	if (result == 0)
		result = compressor_init(writer, options->compression_level, err);
	if (result < 0)
		return result;
	writer->block_size = header->block_size;
	if (options->resume)
		writer->state = *options->resume;
	else
		segment_state_init(&writer->state, header->block_size, header->start_position);
	writer->frame_position = writer->state.position;
	writer->frame_event_end = writer->state.summary.event_end;
	writer->plain = file_buffer_new(FRAME_PLAIN_SIZE_MAX);
	writer->ranges = gtid_ranges_new(FRAME_RANGES_SIZE_MAX);
	writer->output_size_max =
		round_up(FRAME_OVERHEAD + FRAME_PLAIN_SIZE_MAX, writer->block_size);
	for (size_t i = 0; i < OUTPUT_COUNT; i++)
		writer->outputs[i] = file_buffer_new(writer->output_size_max);
	writer->random = options->random ? options->random : random_default;
	writer->random_context = options->random_context;
	*ret_writer = TAKE(writer);
	return 0;
}

void segment_writer_free(struct segment_writer *writer)
{
	if (!writer)
		return;
	/* Binlog content is not a key, but nothing is gained by leaving it in freed memory. */
	if (writer->plain)
		secret_wipe(writer->plain, FRAME_PLAIN_SIZE_MAX);
	if (writer->workspace)
		secret_wipe(writer->workspace, ZSTD_sizeof_CCtx(writer->compressor));
	free(writer->plain);
	free(writer->workspace);
	for (size_t i = 0; i < OUTPUT_COUNT; i++)
		free(writer->outputs[i]);
	gtid_ranges_free(writer->ranges);
	aead_free(writer->aead);
	free(writer);
}

size_t segment_writer_add(struct segment_writer *writer, const void *bytes, size_t size)
{
	size_t room = FRAME_EVENT_SIZE_MAX - writer->pending;

	ASSERT(!writer->ended);
	if (segment_writer_full(writer))
		return 0;
	size = MIN(size, room);
	memcpy(writer->plain + EVENTS_OFFSET + writer->pending, bytes, size);
	writer->pending += size;
	writer->state.position += size;
	return size;
}

static void summary_add(struct segment_summary *summary, const struct segment_event *event)
{
	uint64_t end = event->position + event->length;

	summary->event_count++;
	summary->event_end = end;
	summary->last_event_position = event->position;
	summary->last_event_crc = event->crc;
	if (event->crc_wrong)
		summary->flags |= SUMMARY_CRC_WRONG;
	if (event->time_usec) {
		if (!summary->time_first_usec || event->time_usec < summary->time_first_usec)
			summary->time_first_usec = event->time_usec;
		summary->time_last_usec = MAX(summary->time_last_usec, event->time_usec);
	}
	if (event->transaction_end) {
		summary->transaction_count++;
		summary->transaction_end = end;
		summary->transaction_last_usec =
			event->transaction_usec ? event->transaction_usec : event->time_usec;
	}
}

void segment_writer_event_end(struct segment_writer *writer, const struct segment_event *event)
{
	ASSERT(writer->pending > 0 && event->length > 0);
	ASSERT(event->position == writer->state.summary.event_end);
	ASSERT(event->position + event->length == writer->state.position);
	summary_add(&writer->state.summary, event);
	if (event->gtid_group) {
		struct gtid_range range = {.group_size = event->gtid_group_size,
					   .first = event->gtid_sequence,
					   .last = event->gtid_sequence};

		ASSERT(range.group_size >= 1 && range.group_size <= GTID_GROUP_SIZE_MAX);
		memcpy(range.group, event->gtid_group, range.group_size);
		ASSERT(gtid_ranges_add(writer->ranges, &range));
	}
}

size_t segment_writer_pending(const struct segment_writer *writer)
{
	return writer->pending;
}

bool segment_writer_full(const struct segment_writer *writer)
{
	return writer->pending == FRAME_EVENT_SIZE_MAX || !gtid_ranges_room(writer->ranges);
}

bool segment_writer_exhausted(const struct segment_writer *writer)
{
	return writer->state.next_sequence > FRAME_SEQUENCE_MAX - FRAMES_IN_HAND ||
	       writer->state.offset > SEGMENT_SIZE_MAX - FRAMES_IN_HAND * writer->output_size_max;
}

bool segment_writer_ready(const struct segment_writer *writer)
{
	return writer->standing < OUTPUT_COUNT;
}

const struct segment_state *segment_writer_state(const struct segment_writer *writer)
{
	return &writer->state;
}

/* Whether this frame is worth trying: it could need fewer blocks, and those before did. */
static bool compression_pays(struct segment_writer *writer, size_t size)
{
	if (!writer->compressor || FRAME_OVERHEAD + size <= writer->block_size)
		return false;
	if (writer->compression_misses < COMPRESSION_MISSES_MAX)
		return true;
	if (++writer->compression_skips < COMPRESSION_RETRY_COUNT)
		return false;
	writer->compression_skips = 0;
	return true;
}

/* Returns the compressed size in @stored, or 0 if it does not shrink by a sixteenth. */
static uint32_t compress(struct segment_writer *writer, const uint8_t *plain, size_t size,
			 uint8_t *stored)
{
	size_t result;

	if (!compression_pays(writer, size))
		return 0;
	result = ZSTD_compressCCtx(writer->compressor, stored, size - size / 16, plain, size,
				   writer->compression_level);
	if (ZSTD_isError(result)) {
		writer->compression_misses++;
		return 0;
	}
	writer->compression_misses = 0;
	return (uint32_t)result;
}

/*
 * Seal @plain into the next output. @header comes with kind, flags and received_usec; the rest is
 * the writer's state. Compression and encryption both happen in the output buffer.
 */
static void output_build(struct segment_writer *writer, struct frame_header *header,
			 const uint8_t *plain, size_t size, struct segment_output *ret_output)
{
	uint8_t *bytes = writer->outputs[writer->next_output];
	uint8_t *stored = bytes + FRAME_HEADER_SIZE;
	uint32_t total, compressed = 0;

	ASSERT(!writer->ended && writer->standing < OUTPUT_COUNT);
	ASSERT(writer->state.next_sequence <= FRAME_SEQUENCE_MAX);
	header->sequence = writer->state.next_sequence;
	header->position = writer->frame_position;
	header->plain_size = header->stored_size = (uint32_t)size;
	if (header->kind == FRAME_DATA)
		compressed = compress(writer, plain, size, stored);
	if (compressed) {
		header->flags |= FRAME_COMPRESSED;
		header->stored_size = compressed;
		plain = stored;
	}
	writer->random(writer->random_context, header->nonce, sizeof(header->nonce));
	frame_header_encode(header, bytes);
	total = frame_total_size(header, writer->block_size);
	ASSERT(writer->state.offset + total <= SEGMENT_SIZE_MAX);
	aead_seal(writer->aead, header->nonce, bytes, FRAME_HEADER_SIZE, plain, header->stored_size,
		  stored, ret_output->tag);
	memcpy(stored + header->stored_size, ret_output->tag, AEAD_TAG_SIZE);
	memset(stored + header->stored_size + AEAD_TAG_SIZE, 0,
	       total - FRAME_OVERHEAD - header->stored_size);

	ret_output->bytes = bytes;
	ret_output->size = total;
	ret_output->offset = writer->state.offset;
	ret_output->sequence = header->sequence;
	ret_output->received_usec = header->received_usec;
	ret_output->summary = writer->state.summary;
	writer->state.next_sequence++;
	writer->state.offset += total;
	writer->next_output = (writer->next_output + 1) % OUTPUT_COUNT;
	writer->standing++;
}

void segment_writer_build(struct segment_writer *writer, uint64_t received_usec,
			  struct segment_output *ret_output)
{
	const struct segment_summary *summary = &writer->state.summary;
	struct frame_header header = {.kind = FRAME_DATA, .received_usec = received_usec};
	size_t ranges_size = gtid_ranges_size(writer->ranges);
	uint8_t *plain = writer->plain + EVENTS_OFFSET - ranges_size - DATA_PREFIX_SIZE;
	le32 counts[2] = {le32_put((uint32_t)gtid_ranges_count(writer->ranges)),
			  le32_put((uint32_t)ranges_size)};

	ASSERT(writer->pending > 0);
	ASSERT(writer->state.next_sequence < FRAME_SEQUENCE_MAX); /* the last is END's */
	segment_summary_encode(summary, plain);
	memcpy(plain + SEGMENT_SUMMARY_SIZE, counts, sizeof(counts));
	gtid_ranges_encode(writer->ranges, plain + DATA_PREFIX_SIZE);
	if (writer->frame_position == writer->frame_event_end)
		header.flags |= FRAME_FIRST;
	if (writer->state.position == summary->event_end)
		header.flags |= FRAME_LAST;
	output_build(writer, &header, plain, DATA_PREFIX_SIZE + ranges_size + writer->pending,
		     ret_output);
	gtid_ranges_clear(writer->ranges);
	writer->pending = 0;
	writer->frame_position = writer->state.position;
	writer->frame_event_end = summary->event_end;
}

int segment_writer_session(struct segment_writer *writer, const void *bytes, size_t size,
			   uint64_t received_usec, struct segment_output *ret_output,
			   struct error *err)
{
	struct frame_header header = {.kind = FRAME_SESSION, .received_usec = received_usec};

	ASSERT(writer->pending == 0 && writer->state.position == writer->state.summary.event_end);
	ASSERT(writer->state.next_sequence < FRAME_SEQUENCE_MAX);
	if (size < 1 || size > SESSION_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a session record of %zu bytes is not 1 to %d",
				 size, SESSION_SIZE_MAX);
	writer->state.session_count++;
	output_build(writer, &header, bytes, size, ret_output);
	return 0;
}

void segment_writer_written(struct segment_writer *writer)
{
	ASSERT(writer->standing > 0);
	writer->standing--;
}

int segment_writer_end(struct segment_writer *writer, enum segment_ended ended,
		       const char *next_file, const struct segment_void *void_range,
		       uint64_t received_usec, struct segment_output *ret_output, struct error *err)
{
	struct frame_header header = {.kind = FRAME_END, .received_usec = received_usec};
	struct segment_end end = {
		.summary = writer->state.summary,
		.frame_count = writer->state.next_sequence,
		.session_count = writer->state.session_count,
		.ended = ended,
	};
	uint8_t plain[SEGMENT_END_SIZE];
	le64 size;
	int result;

	ASSERT(writer->pending == 0);
	if (!next_file)
		next_file = "";
	if (strlen(next_file) > BINLOG_NAME_MAX)
		return error_set(err, ERROR_USAGE, "END: the next file's name is too long");
	memcpy(end.next_file, next_file, strlen(next_file) + 1);
	if (void_range) {
		end.void_range = *void_range;
		if (void_range->begin != writer->state.offset ||
		    void_range->end % writer->block_size)
			return error_set(err, ERROR_USAGE,
					 "END: the void range does not begin where frames end");
	} else {
		end.void_range.begin = end.void_range.end = writer->state.offset;
		hash_bytes("", 0, &end.void_range.hash);
	}
	result = segment_end_encode(&end, plain, err);
	if (result < 0)
		return result;
	writer->state.offset = end.void_range.end;
	output_build(writer, &header, plain, sizeof(plain), ret_output);
	size = le64_put(ret_output->size);
	memcpy(writer->outputs[(writer->next_output + OUTPUT_COUNT - 1) % OUTPUT_COUNT] +
		       ret_output->size - sizeof(size),
	       &size, sizeof(size));
	writer->ended = true;
	return 0;
}
