/* Segments in memory for tests: fixed ids, a fixed key, nonces and events from one seed. */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/hex.h"
#include "io/file.h"
#include "volume/frame.h"
#include "volume/reader.h"
#include "volume/writer.h"

#define BUILDER_BLOCK_SIZE 4096u
#define BUILDER_START	   4u

struct builder {
	struct segment_header header;
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	struct secret period_key;
	struct secret key;
	struct segment_writer *writer;
	uint64_t random; /* state of the generator of nonces */
	uint64_t seed;	 /* state of the generator of events */
	uint8_t *file;
	size_t size;
	uint8_t *events; /* all event bytes in order */
	size_t events_size;
	uint64_t gtid;
};

static inline uint64_t builder_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static inline void builder_random(void *context, void *bytes, size_t size)
{
	uint8_t *out = bytes;

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)builder_next(context);
}

static inline void builder_append(struct builder *builder, const void *bytes, size_t size)
{
	builder->file = realloc(builder->file, builder->size + size);
	ASSERT(builder->file);
	memcpy(builder->file + builder->size, bytes, size);
	builder->size += size;
}

static inline struct segment_header builder_header(void)
{
	struct segment_header header = {
		.block_size = BUILDER_BLOCK_SIZE,
		.start_position = BUILDER_START,
		.created_usec = 1700000000000000u,
		.source = "ledger-db",
		.binlog_file = "binlog.000042",
	};

	for (uint8_t i = 0; i < SEGMENT_ID_SIZE; i++) {
		header.archive_id[i] = (uint8_t)(0x10 + i);
		header.segment_id[i] = (uint8_t)(0x30 + i);
		header.period_id[i] = (uint8_t)(0x50 + i);
	}
	for (uint8_t i = 0; i < HASH_SIZE; i++) {
		header.generation.bytes[i] = (uint8_t)(0x80 + i);
		header.file_id.bytes[i] = (uint8_t)(0xa0 + i);
	}
	for (uint8_t i = 0; i < SEGMENT_IDENTITY_SIZE; i++)
		header.identity[i] = (uint8_t)(0xff - i);
	return header;
}

static inline void builder_init_with(struct builder *builder, const struct segment_header *header,
				     int level)
{
	struct error err = {0};
	struct segment_writer_options options = {.compression_level = level,
						 .random = builder_random};
	uint8_t *padding = calloc(1, BLOCK_SIZE_MAX);

	*builder = (struct builder){.header = *header, .random = 1, .seed = 2};
	options.random_context = &builder->random;
	assert_ok(segment_header_encode(header, builder->header_bytes, &err), &err);
	assert_ok(secret_init(&builder->period_key, 32, &err), &err);
	for (uint8_t i = 0; i < 32; i++)
		builder->period_key.bytes[i] = i;
	assert_ok(segment_key_derive(&builder->period_key, builder->header_bytes, &builder->key,
				     &err),
		  &err);
	assert_ok(segment_writer_new(header, &builder->key, &options, &builder->writer, &err),
		  &err);
	builder_append(builder, builder->header_bytes, SEGMENT_HEADER_SIZE);
	builder_append(builder, padding, header->block_size - SEGMENT_HEADER_SIZE);
	free(padding);
}

static inline void builder_init(struct builder *builder)
{
	struct segment_header header = builder_header();

	builder_init_with(builder, &header, 1);
}

static inline void builder_release(struct builder *builder)
{
	segment_writer_free(builder->writer);
	secret_release(&builder->period_key);
	secret_release(&builder->key);
	free(builder->file);
	free(builder->events);
}

static inline void builder_output(struct builder *builder, const struct segment_output *output)
{
	assert_int_equal(output->offset, builder->size);
	assert_int_equal(output->size % builder->header.block_size, 0);
	builder_append(builder, output->bytes, output->size);
	segment_writer_written(builder->writer);
}

static inline void builder_frame(struct builder *builder)
{
	struct segment_output output;

	if (segment_writer_pending(builder->writer) == 0)
		return;
	segment_writer_build(builder->writer, 1700000001000000u + builder->size, &output);
	builder_output(builder, &output);
}

static inline void builder_session(struct builder *builder, const char *text)
{
	struct segment_output output;
	struct error err = {0};

	assert_ok(segment_writer_session(builder->writer, text, strlen(text), 1700000000500000u,
					 &output, &err),
		  &err);
	builder_output(builder, &output);
}

/* Bytes of an event; half of them compress. Frames are cut as they become full. */
static inline void builder_bytes(struct builder *builder, size_t size)
{
	uint8_t *bytes = malloc(size);
	size_t done = 0;

	for (size_t i = 0; i < size; i++)
		bytes[i] = i % 2 ? (uint8_t)builder_next(&builder->seed) : 'e';
	builder->events = realloc(builder->events, builder->events_size + size);
	ASSERT(builder->events);
	memcpy(builder->events + builder->events_size, bytes, size);
	builder->events_size += size;
	while (done < size) {
		size_t taken = segment_writer_add(builder->writer, bytes + done, size - done);

		if (taken == 0)
			builder_frame(builder);
		done += taken;
	}
	free(bytes);
}

static inline void builder_event(struct builder *builder, size_t size, bool transaction_end)
{
	uint64_t position = segment_writer_state(builder->writer)->position;
	struct segment_event event = {
		.position = position,
		.length = size,
		.crc = (uint32_t)position * 7,
		.time_usec = 1600000000000000u + position,
		.transaction_end = transaction_end,
	};

	builder_bytes(builder, size);
	if (transaction_end) {
		event.gtid_group = (const uint8_t *)"0-1";
		event.gtid_group_size = 3;
		event.gtid_sequence = ++builder->gtid;
	}
	segment_writer_event_end(builder->writer, &event);
}

static inline void builder_end(struct builder *builder, enum segment_ended ended,
			       const char *next_file)
{
	struct segment_output output;
	struct error err = {0};

	builder_frame(builder);
	assert_ok(segment_writer_end(builder->writer, ended, next_file, NULL, 1700000009000000u,
				     &output, &err),
		  &err);
	builder_output(builder, &output);
}

/* The same small segment each time: a session, three data frames, a rotation. */
static inline void builder_small(struct builder *builder)
{
	builder_init(builder);
	builder_session(builder, "session of a test");
	builder_event(builder, 120, false);
	builder_event(builder, 40, true);
	builder_frame(builder);
	for (int i = 0; i < 30; i++)
		builder_event(builder, 300, i % 3 == 2);
	builder_frame(builder);
	builder_event(builder, 77, true);
	builder_end(builder, SEGMENT_ENDED_ROTATE, "binlog.000043");
}

/* Any frame, well sealed, whatever it says; the state of the writer is not touched. */
static inline void builder_raw(struct builder *builder, const struct frame_header *header,
			       const void *stored)
{
	uint32_t total = frame_total_size(header, builder->header.block_size);
	uint8_t *bytes = calloc(1, total);
	struct aead *aead = NULL;
	struct error err = {0};

	assert_ok(aead_new(&builder->key, &aead, &err), &err);
	frame_header_encode(header, bytes);
	aead_seal(aead, header->nonce, bytes, FRAME_HEADER_SIZE, stored, header->stored_size,
		  bytes + FRAME_HEADER_SIZE, bytes + FRAME_HEADER_SIZE + header->stored_size);
	if (header->kind == FRAME_END) {
		le64 size = le64_put(total);

		memcpy(bytes + total - sizeof(size), &size, sizeof(size));
	}
	builder_append(builder, bytes, total);
	aead_free(aead);
	free(bytes);
}

/* A file of these bytes, gone when it is closed. */
static inline int bytes_fd(const void *bytes, size_t size)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);

	ASSERT(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const uint8_t *)bytes + done, size - done);

		ASSERT(n > 0);
		done += (size_t)n;
	}
	return fd;
}

/* Read a whole segment; its event bytes up to the good end must be @events. */
static inline int segment_check(int fd, const struct secret *key, const uint8_t *events,
				size_t events_size, struct segment_end *ret_end, struct error *err)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_end end;
	struct frame frame;
	size_t done = 0;
	int result = segment_reader_new(fd, &reader, err);

	if (result == 0)
		result = segment_reader_unlock(reader, key, &end, err);
	if (result < 0)
		return result;
	while ((result = segment_reader_next(reader, &frame, err)) > 0) {
		size_t good = segment_frame_good_size(&frame, end.summary.event_end);

		if (events && good) {
			assert_true(done + good <= events_size);
			assert_memory_equal(frame.data, events + done, good);
		}
		done += good;
	}
	if (result < 0)
		return result;
	if (events)
		assert_int_equal(done, events_size);
	if (ret_end)
		*ret_end = end;
	return 0;
}
