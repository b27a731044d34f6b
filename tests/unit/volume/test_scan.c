#include "unit/cmocka_prelude.h"

#include "unit/volume/segment_builder.h"

/* Where each frame of a builder's file begins, and the totals after it. */
struct boundary {
	size_t offset;
	uint64_t event_end;
};

static size_t boundaries(const struct builder *builder, struct boundary *ret, size_t count_max)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct error err = {0};
	struct frame frame;
	size_t count = 0;
	int fd = bytes_fd(builder->file, builder->size);

	assert_ok(segment_reader_new(fd, &reader, &err), &err);
	assert_ok(segment_reader_unlock(reader, &builder->key, NULL, &err), &err);
	ret[count++] = (struct boundary){builder->header.block_size, BUILDER_START};
	while (segment_reader_next(reader, &frame, &err) > 0) {
		assert_true(count < count_max);
		ret[count++] =
			(struct boundary){frame.offset + frame.total_size, frame.summary.event_end};
	}
	close(fd);
	return count;
}

/* END by the keeper, as durability.md row 5: filler, then END with the void range. */
static void recover(const struct builder *builder, const struct segment_scan *scan,
		    struct builder *ret_whole, size_t cut)
{
	struct segment_writer_options options = {.resume = &scan->state, .random = builder_random};
	struct segment_output output;
	struct error err = {0};
	uint8_t zeros[4096] = {0};

	*ret_whole = (struct builder){.header = builder->header, .random = 99};
	options.random_context = &ret_whole->random;
	builder_append(ret_whole, builder->file, cut);
	builder_append(ret_whole, zeros, scan->filler_size);
	assert_ok(segment_writer_new(&builder->header, &builder->key, &options, &ret_whole->writer,
				     &err),
		  &err);
	assert_ok(segment_writer_end(ret_whole->writer, SEGMENT_ENDED_RECOVERED, NULL,
				     &scan->void_range, 5, &output, &err),
		  &err);
	builder_output(ret_whole, &output);
}

static void check_cut(const struct builder *builder, const struct boundary *bounds, size_t count,
		      size_t cut)
{
	struct segment_scan scan;
	struct builder whole;
	struct segment_end end;
	struct error err = {0};
	size_t index = 0;
	int fd = bytes_fd(builder->file, cut);

	if (cut < builder->header.block_size) {
		assert_fails(segment_scan(fd, &builder->key, &scan, &err), &err, ERROR_DEFECT,
			     "inside the header");
		close(fd);
		return;
	}
	assert_ok(segment_scan(fd, &builder->key, &scan, &err), &err);
	assert_int_equal(scan.sealed, cut == builder->size);
	while (index + 2 < count && bounds[index + 1].offset <= cut)
		index++; /* the last boundary is END's */
	assert_int_equal(scan.state.offset, bounds[index].offset);
	assert_int_equal(scan.state.summary.event_end, bounds[index].event_end);
	assert_int_equal(scan.state.next_sequence, index);
	assert_int_equal(scan.stray_offset, 0);
	close(fd);
	if (!scan.sealed) {
		assert_int_equal(scan.void_range.begin, bounds[index].offset);
		assert_int_equal(scan.tear.code, cut == bounds[index].offset ? 0 : ERROR_DEFECT);
		recover(builder, &scan, &whole, cut);
		fd = bytes_fd(whole.file, whole.size);
		assert_ok(segment_check(fd, &builder->key, builder->events,
					bounds[index].event_end - BUILDER_START, &end, &err),
			  &err);
		assert_int_equal(end.ended, SEGMENT_ENDED_RECOVERED);
		close(fd);
		builder_release(&whole);
	}
	segment_scan_release(&scan);
}

static void a_cut_anywhere_leaves_exactly_the_frames_before_it(void **state)
{
	struct builder builder;
	struct boundary bounds[16];
	unsigned int seed = 3;
	size_t count;

	(void)state;
	builder_small(&builder);
	count = boundaries(&builder, bounds, ARRAY_LENGTH(bounds));
	assert_int_equal(count, 6);
	for (size_t cut = 0; cut <= builder.size; cut += 512)
		check_cut(&builder, bounds, count, cut);
	for (size_t i = 0; i < count; i++) {
		check_cut(&builder, bounds, count, bounds[i].offset - 1);
		if (i + 1 < count) {
			check_cut(&builder, bounds, count, bounds[i].offset + 1);
			check_cut(&builder, bounds, count, bounds[i].offset + FRAME_HEADER_SIZE);
		}
	}
	for (int i = 0; i < 150; i++)
		check_cut(&builder, bounds, count, (size_t)rand_r(&seed) % (builder.size + 1));
	builder_release(&builder);
}

/* Power loss leaves what it likes of the last append: any sectors old (zeros) or new. */
static void a_torn_last_append_is_void_whatever_it_holds(void **state)
{
	struct builder builder;
	struct boundary bounds[16];
	unsigned int seed = 4;
	size_t count;

	(void)state;
	builder_small(&builder);
	count = boundaries(&builder, bounds, ARRAY_LENGTH(bounds));
	for (int round = 0; round < 60; round++) {
		size_t last = 1 + (size_t)rand_r(&seed) % (count - 1);
		size_t begin = bounds[last - 1].offset, end = bounds[last].offset;
		size_t lost = begin + (size_t)rand_r(&seed) % ((end - begin) / 512) * 512;
		uint8_t *copy = malloc(end);
		struct segment_scan scan;
		struct error err = {0};
		bool changed;
		int fd;

		memcpy(copy, builder.file, end);
		memset(copy + lost, 0, 512);
		changed = memcmp(copy, builder.file, end) != 0;
		fd = bytes_fd(copy, end);
		assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
		if (changed) {
			assert_false(scan.sealed);
			assert_int_equal(scan.void_range.begin, begin);
			assert_int_equal(scan.void_range.end, end);
		}
		segment_scan_release(&scan);
		close(fd);
		free(copy);
	}
	builder_release(&builder);
}

static void an_end_torn_and_written_again_is_only_more_void(void **state)
{
	struct builder builder, first, second;
	struct segment_scan scan;
	struct segment_end end;
	struct error err = {0};
	int fd;

	(void)state;
	builder_small(&builder);
	fd = bytes_fd(builder.file, builder.size - 5000);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	close(fd);
	recover(&builder, &scan, &first, builder.size - 5000);
	segment_scan_release(&scan);
	first.file[first.size - 1] = 1; /* its last sector did not arrive */
	fd = bytes_fd(first.file, first.size);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	close(fd);
	assert_false(scan.sealed);
	assert_int_equal(scan.void_range.end, first.size);
	first.key = builder.key;
	first.events = builder.events;
	recover(&first, &scan, &second, first.size);
	fd = bytes_fd(second.file, second.size);
	assert_ok(segment_check(fd, &builder.key, builder.events,
				scan.state.summary.event_end - BUILDER_START, &end, &err),
		  &err);
	assert_int_equal(end.void_range.begin, scan.void_range.begin);
	close(fd);
	segment_scan_release(&scan);
	first.key = (struct secret){0};
	first.events = NULL;
	builder_release(&second);
	builder_release(&first);
	builder_release(&builder);
}

static void damage_in_the_middle_is_not_taken_for_a_tear(void **state)
{
	struct builder builder;
	struct boundary bounds[16];
	struct segment_scan scan;
	struct error err = {0};
	int fd;

	(void)state;
	builder_small(&builder);
	boundaries(&builder, bounds, ARRAY_LENGTH(bounds));
	builder.file[bounds[1].offset + 100] ^= 1;
	/* without END: the later frame strays */
	fd = bytes_fd(builder.file, bounds[4].offset);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	assert_false(scan.sealed);
	assert_int_equal(scan.void_range.begin, bounds[1].offset);
	assert_int_equal(scan.stray_offset, bounds[2].offset);
	assert_non_null(strstr(scan.tear.message, "authentication tag does not match"));
	segment_scan_release(&scan);
	close(fd);
	/* with END: it was whole once */
	fd = bytes_fd(builder.file, builder.size);
	assert_fails(segment_scan(fd, &builder.key, &scan, &err), &err, ERROR_DEFECT,
		     "authentication tag does not match");
	close(fd);
	builder_release(&builder);
}

static void the_scan_of_a_sealed_segment_says_so(void **state)
{
	struct builder builder;
	struct segment_scan scan;
	struct segment_outline outline;
	struct error err = {0};
	int fd;

	(void)state;
	builder_small(&builder);
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	assert_true(scan.sealed);
	assert_int_equal(scan.end.frame_count, 4);
	assert_int_equal(scan.end.session_count, 1);
	assert_string_equal(scan.end.next_file, "binlog.000043");
	assert_string_equal(segment_ended_name(scan.end.ended), "rotate");
	assert_int_equal(scan.state.session_count, 1);
	assert_int_equal(gtid_ranges_count(scan.ranges), 1);
	assert_int_equal(gtid_ranges_at(scan.ranges, 0)->last, 12);
	assert_int_equal(scan.state.summary.transaction_count, 12);
	segment_scan_release(&scan);

	assert_ok(segment_outline(fd, &outline, &err), &err);
	assert_true(outline.ended);
	assert_int_equal(outline.end_offset, builder.size - 4096);
	assert_int_equal(outline.end.sequence, 4);
	assert_int_equal(outline.end.position, BUILDER_START + builder.events_size);
	assert_string_equal(outline.header.source, "ledger-db");
	close(fd);
	fd = bytes_fd(builder.file, builder.size - 4096);
	assert_ok(segment_outline(fd, &outline, &err), &err);
	assert_false(outline.ended);
	close(fd);
	builder_release(&builder);
}

static void bytes_of_an_event_that_never_ended_are_void(void **state)
{
	struct builder builder;
	struct segment_end end;
	struct error err = {0};
	size_t good;
	int fd;

	(void)state;
	builder_init(&builder);
	builder_event(&builder, 500, true);
	good = builder.events_size;
	builder_bytes(&builder, 9000);
	builder_end(&builder, SEGMENT_ENDED_BROKEN, NULL);
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_check(fd, &builder.key, builder.events, good, &end, &err), &err);
	assert_int_equal(end.summary.event_end, BUILDER_START + good);
	close(fd);
	builder_release(&builder);
}

static void direct_files_are_read_like_any_other(void **state)
{
	char path[] = "test_scan.XXXXXX";
	struct builder builder;
	struct segment_scan scan;
	struct error err = {0};
	int fd;

	(void)state;
	builder_init(&builder);
	builder_session(&builder, "direct");
	for (int i = 0; i < 40; i++) {
		builder_event(&builder, 100000, true);
		builder_frame(&builder);
	}
	builder_end(&builder, SEGMENT_ENDED_AGE, NULL);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, builder.file, builder.size - 512), builder.size - 512);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	if (fd < 0) {
		unlink(path);
		builder_release(&builder);
		skip(); /* no direct I/O here */
	}
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	assert_false(scan.sealed);
	assert_int_equal(scan.state.next_sequence, 41);
	assert_int_equal(scan.filler_size, 512);
	assert_int_equal(scan.void_range.begin, builder.size - 4096);
	segment_scan_release(&scan);
	close(fd);
	unlink(path);
	builder_release(&builder);
}

static void the_wrong_key_opens_nothing(void **state)
{
	struct builder builder;
	struct segment_scan scan;
	struct error err = {0};
	int fd;

	(void)state;
	builder_small(&builder);
	builder.key.bytes[7] ^= 1;
	fd = bytes_fd(builder.file, builder.size);
	assert_fails(segment_check(fd, &builder.key, NULL, 0, NULL, &err), &err, ERROR_DEFECT,
		     "authentication tag does not match");
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	assert_int_equal(scan.state.next_sequence, 0);
	segment_scan_release(&scan);
	close(fd);
	builder_release(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_anywhere_leaves_exactly_the_frames_before_it),
		cmocka_unit_test(a_torn_last_append_is_void_whatever_it_holds),
		cmocka_unit_test(an_end_torn_and_written_again_is_only_more_void),
		cmocka_unit_test(damage_in_the_middle_is_not_taken_for_a_tear),
		cmocka_unit_test(the_scan_of_a_sealed_segment_says_so),
		cmocka_unit_test(bytes_of_an_event_that_never_ended_are_void),
		cmocka_unit_test(direct_files_are_read_like_any_other),
		cmocka_unit_test(the_wrong_key_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
