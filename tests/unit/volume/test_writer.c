#include "unit/cmocka_prelude.h"

#include <malloc.h>

#include "unit/volume/segment_builder.h"

static struct frame_header header_at(const struct builder *builder, size_t offset)
{
	struct frame_header header;
	struct error err = {0};

	assert_ok(frame_header_decode(builder->file + offset, &header, &err), &err);
	return header;
}

static void frames_say_where_events_begin_and_end(void **state)
{
	struct builder builder;
	const struct segment_state *at;
	size_t offset;

	(void)state;
	builder_init(&builder);
	at = segment_writer_state(builder.writer);
	builder_bytes(&builder, 100);
	builder_frame(&builder);
	assert_int_equal(header_at(&builder, 4096).flags, FRAME_FIRST);
	assert_int_equal(at->summary.event_end, BUILDER_START);
	builder_bytes(&builder, 100);
	builder_frame(&builder);
	assert_int_equal(header_at(&builder, 8192).flags, 0);
	assert_int_equal(header_at(&builder, 8192).position, BUILDER_START + 100);
	builder_bytes(&builder, 100);
	segment_writer_event_end(builder.writer,
				 &(struct segment_event){.position = 4, .length = 300, .crc = 9});
	builder_frame(&builder);
	assert_int_equal(header_at(&builder, 12288).flags, FRAME_LAST);
	assert_int_equal(at->summary.event_end, BUILDER_START + 300);
	assert_int_equal(at->summary.last_event_position, BUILDER_START);
	assert_int_equal(at->summary.last_event_crc, 9);
	offset = builder.size;
	builder_event(&builder, 50, true);
	builder_event(&builder, 5000, true);
	builder_frame(&builder);
	assert_int_equal(header_at(&builder, offset).flags & ~FRAME_COMPRESSED,
			 FRAME_FIRST | FRAME_LAST);
	assert_int_equal(header_at(&builder, offset).sequence, 3);
	assert_int_equal(at->summary.transaction_count, 2);
	assert_int_equal(at->summary.event_count, 3);
	builder_release(&builder);
}

static void an_event_larger_than_a_frame_goes_into_several(void **state)
{
	struct builder builder;
	struct segment_end end;
	struct error err = {0};
	int fd;

	(void)state;
	builder_init(&builder);
	builder_event(&builder, 3500000, true);
	builder_end(&builder, SEGMENT_ENDED_SIZE, NULL);
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_check(fd, &builder.key, builder.events, builder.events_size, &end, &err),
		  &err);
	assert_int_equal(end.frame_count, 4);
	assert_int_equal(end.summary.event_end, 3500004);
	assert_int_equal(end.ended, SEGMENT_ENDED_SIZE);
	close(fd);
	builder_release(&builder);
}

static void a_frame_is_full_when_its_ranges_are(void **state)
{
	struct builder builder;
	struct segment_event event = {.length = 1, .transaction_end = true};
	uint8_t group[GTID_GROUP_SIZE_MAX] = {0};
	int count = 0;

	(void)state;
	builder_init(&builder);
	event.position = BUILDER_START;
	event.gtid_group = group;
	event.gtid_group_size = sizeof(group);
	while (segment_writer_add(builder.writer, "x", 1)) {
		event.gtid_sequence = 2 * (uint64_t)++count;
		segment_writer_event_end(builder.writer, &event);
		event.position++;
	}
	assert_int_equal(count, FRAME_RANGES_SIZE_MAX / GTID_RANGE_SIZE_MAX);
	assert_true(segment_writer_full(builder.writer));
	builder_frame(&builder);
	assert_false(segment_writer_full(builder.writer));
	assert_int_equal(segment_writer_add(builder.writer, "x", 1), 1);
	builder_release(&builder);
}

static void a_frame_that_stands_is_not_touched_by_the_next(void **state)
{
	struct builder builder;
	struct segment_output first, second;
	uint8_t *copy;

	(void)state;
	builder_init(&builder);
	builder_event(&builder, 100000, true);
	segment_writer_build(builder.writer, 1, &first);
	copy = malloc(first.size);
	memcpy(copy, first.bytes, first.size);
	assert_true(segment_writer_ready(builder.writer));
	builder_event(&builder, 200000, true);
	segment_writer_build(builder.writer, 2, &second);
	assert_false(segment_writer_ready(builder.writer));
	assert_memory_equal(copy, first.bytes, first.size);
	assert_int_equal(second.offset, first.offset + first.size);
	assert_int_equal((uintptr_t)first.bytes % 4096, 0);
	assert_int_equal((uintptr_t)second.bytes % 4096, 0);
	assert_int_equal(first.summary.event_count, 1);
	assert_int_equal(second.summary.event_count, 2);
	builder_append(&builder, first.bytes, first.size);
	segment_writer_written(builder.writer);
	assert_true(segment_writer_ready(builder.writer));
	free(copy);
	builder_release(&builder);
}

static void what_compresses_is_compressed_and_what_does_not_is_not(void **state)
{
	struct segment_header header = builder_header();
	struct builder builder;
	uint8_t noise[10000];
	int compressed = 0;

	(void)state;
	builder_init(&builder);
	builder_event(&builder, 100000, true);
	builder_frame(&builder);
	assert_true(header_at(&builder, 4096).flags & FRAME_COMPRESSED);
	assert_true(header_at(&builder, 4096).stored_size < 75000);
	for (int i = 0; i < 100; i++) {
		size_t offset = builder.size;

		builder_random(&builder.seed, noise, sizeof(noise));
		assert_int_equal(segment_writer_add(builder.writer, noise, sizeof(noise)),
				 sizeof(noise));
		builder_frame(&builder);
		compressed += header_at(&builder, offset).flags & FRAME_COMPRESSED;
	}
	assert_int_equal(compressed, 0);
	builder_release(&builder);
	builder_init_with(&builder, &header, 0);
	builder_event(&builder, 100000, true);
	builder_frame(&builder);
	assert_false(header_at(&builder, 4096).flags & FRAME_COMPRESSED);
	builder_release(&builder);
}

static void compression_comes_back_when_it_pays_again(void **state)
{
	struct builder builder;
	uint8_t noise[10000];
	int frames = 0;

	(void)state;
	builder_init(&builder);
	for (int i = 0; i < 10; i++) {
		builder_random(&builder.seed, noise, sizeof(noise));
		assert_true(segment_writer_add(builder.writer, noise, sizeof(noise)));
		builder_frame(&builder);
	}
	memset(noise, 'a', sizeof(noise));
	for (bool compressed = false; !compressed && frames < 100; frames++) {
		size_t offset = builder.size;

		assert_true(segment_writer_add(builder.writer, noise, sizeof(noise)));
		builder_frame(&builder);
		compressed = header_at(&builder, offset).flags & FRAME_COMPRESSED;
	}
	assert_in_range(frames, 1, 16);
	builder_release(&builder);
}

static void nothing_is_allocated_after_new(void **state)
{
	struct segment_header header = builder_header();
	struct segment_output output;
	struct segment_event event = {
		.transaction_end = true, .gtid_group = (const uint8_t *)"g", .gtid_group_size = 1};
	struct mallinfo2 before, after;
	struct builder builder;
	uint8_t *bytes;

	(void)state;
#ifdef BINVAULT_SANITIZED
	skip(); /* the sanitizer's allocator keeps no such count */
#endif
	bytes = malloc(2000000);
	for (int level = 0; level <= COMPRESSION_LEVEL_MAX; level++) {
		builder_init_with(&builder, &header, level);
		for (size_t i = 0; i < 2000000; i++)
			bytes[i] = i % 3 ? 'z' : (uint8_t)builder_next(&builder.seed);
		before = mallinfo2();
		for (int i = 0; i < 300; i++) {
			size_t size = i < 4 ? 1000000 : 100 + 7000 * ((size_t)i % 5);

			event.position = segment_writer_state(builder.writer)->position;
			event.length = size;
			event.gtid_sequence = 3 * (uint64_t)i;
			assert_int_equal(segment_writer_add(builder.writer, bytes, size), size);
			segment_writer_event_end(builder.writer, &event);
			segment_writer_build(builder.writer, 5, &output);
			segment_writer_written(builder.writer);
			/* What is allocated and given back at once would not show, but what is
			 * allocated lazily does. */
			after = mallinfo2();
			assert_int_equal(after.uordblks, before.uordblks);
			assert_int_equal(after.hblkhd, before.hblkhd);
		}
		builder_release(&builder);
	}
	free(bytes);
}

static void what_contradicts_itself_is_not_written(void **state)
{
	struct builder builder;
	struct segment_output output;
	struct segment_void range = {.begin = 8192, .end = 12288};
	struct segment_writer_options options = {.compression_level = 10};
	struct segment_writer *writer = NULL;
	uint8_t *session = calloc(1, SESSION_SIZE_MAX + 1);
	struct error err = {0};

	(void)state;
	builder_init(&builder);
	assert_fails(segment_writer_session(builder.writer, session, SESSION_SIZE_MAX + 1, 1,
					    &output, &err),
		     &err, ERROR_DEFECT, "a session record of 65537 bytes is not 1 to 65536");
	assert_ok(
		segment_writer_session(builder.writer, session, SESSION_SIZE_MAX, 1, &output, &err),
		&err);
	segment_writer_written(builder.writer);
	assert_fails(segment_writer_end(builder.writer, SEGMENT_ENDED_SIZE, "binlog.000043", NULL,
					1, &output, &err),
		     &err, ERROR_USAGE, "a next file is named");
	assert_fails(segment_writer_end(builder.writer, SEGMENT_ENDED_ROTATE, "../etc", NULL, 1,
					&output, &err),
		     &err, ERROR_USAGE, "END: next file: ");
	assert_fails(segment_writer_end(builder.writer, (enum segment_ended)9, NULL, NULL, 1,
					&output, &err),
		     &err, ERROR_USAGE, "how the segment ended is unknown");
	assert_fails(segment_writer_end(builder.writer, SEGMENT_ENDED_RECOVERED, NULL, &range, 1,
					&output, &err),
		     &err, ERROR_USAGE, "the void range does not begin where frames end");
	assert_fails(segment_writer_new(&builder.header, &builder.key, &options, &writer, &err),
		     &err, ERROR_USAGE, "compression level 10 is not 0 to 9");
	free(session);
	builder_release(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_say_where_events_begin_and_end),
		cmocka_unit_test(an_event_larger_than_a_frame_goes_into_several),
		cmocka_unit_test(a_frame_is_full_when_its_ranges_are),
		cmocka_unit_test(a_frame_that_stands_is_not_touched_by_the_next),
		cmocka_unit_test(what_compresses_is_compressed_and_what_does_not_is_not),
		cmocka_unit_test(compression_comes_back_when_it_pays_again),
		cmocka_unit_test(nothing_is_allocated_after_new),
		cmocka_unit_test(what_contradicts_itself_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
