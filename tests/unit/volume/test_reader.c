#include "unit/cmocka_prelude.h"

#include "unit/volume/segment_builder.h"

/* Every byte; under a sanitizer, which is thirty times slower here, a sample over all parts. */
#ifdef BINVAULT_SANITIZED
#define FLIP_STEP 29
#else
#define FLIP_STEP 1
#endif

static int check_bytes(const struct builder *builder, struct error *err)
{
	int fd = bytes_fd(builder->file, builder->size);
	int result = segment_check(fd, &builder->key, NULL, 0, NULL, err);

	close(fd);
	return result;
}

static void events_come_back_as_they_went_in(void **state)
{
	static const uint32_t block_sizes[] = {4096, 16384, 65536};
	struct segment_end end;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct segment_header header = builder_header();
		struct builder builder;
		int fd;

		header.block_size = block_sizes[i / 2];
		header.start_position = i % 2 ? UINT64_C(5) << 32 : 4; /* beyond 4 GiB too */
		builder_init_with(&builder, &header, i % 2 ? 3 : 0);
		builder_session(&builder, "round trip");
		for (int j = 0; j < 200; j++) {
			builder_event(&builder, 1 + builder_next(&builder.seed) % 40000,
				      j % 5 == 0);
			if (builder_next(&builder.seed) % 4 == 0)
				builder_frame(&builder);
		}
		builder_end(&builder, SEGMENT_ENDED_SHUTDOWN, "");
		fd = bytes_fd(builder.file, builder.size);
		assert_ok(segment_check(fd, &builder.key, builder.events, builder.events_size, &end,
					&err),
			  &err);
		assert_int_equal(end.summary.event_count, 200);
		assert_int_equal(end.summary.transaction_count, 40);
		assert_int_equal(end.summary.event_end,
				 header.start_position + builder.events_size);
		close(fd);
		builder_release(&builder);
	}
}

static void one_pass_gives_hashes_and_ranges_too(void **state)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_hashes *hashes = malloc(sizeof(*hashes));
	struct builder builder;
	struct error err = {0};
	struct frame frame;
	struct hash hash;
	int fd, kinds[4] = {0};

	(void)state;
	builder_init(&builder);
	builder_session(&builder, "the session");
	for (int i = 0; i < 60; i++) {
		builder_event(&builder, 200000, i % 2);
		builder_frame(&builder);
	}
	builder_end(&builder, SEGMENT_ENDED_SIZE, NULL);
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_reader_new(fd, &reader, &err), &err);
	assert_memory_equal(segment_reader_header_bytes(reader), builder.header_bytes,
			    SEGMENT_HEADER_SIZE);
	assert_ok(segment_reader_unlock(reader, &builder.key, NULL, &err), &err);
	while (segment_reader_next(reader, &frame, &err) > 0) {
		kinds[frame.header.kind]++;
		if (frame.header.kind == FRAME_SESSION)
			assert_memory_equal(frame.data, "the session", frame.size);
		if (frame.header.kind == FRAME_END)
			assert_int_equal(frame.end.frame_count, 61);
	}
	assert_int_equal(kinds[FRAME_SESSION], 1);
	assert_int_equal(kinds[FRAME_DATA], 60);
	assert_int_equal(kinds[FRAME_END], 1);
	assert_int_equal(segment_reader_next(reader, &frame, &err), 0);
	assert_int_equal(gtid_ranges_count(segment_reader_ranges(reader)), 1);
	assert_int_equal(gtid_ranges_at(segment_reader_ranges(reader), 0)->last, 30);
	hash_bytes(builder.file, builder.size, &hash);
	assert_memory_equal(segment_reader_hashes(reader)->file.bytes, hash.bytes, HASH_SIZE);
	assert_ok(segment_hash(fd, hashes, &err), &err);
	assert_memory_equal(segment_reader_hashes(reader), hashes,
			    offsetof(struct segment_hashes, chunks) + sizeof(hashes->chunks));
	assert_true(hashes->count == (builder.size + SEGMENT_CHUNK_SIZE - 1) / SEGMENT_CHUNK_SIZE);
	assert_true(hashes->count > 1);
	close(fd);
	free(hashes);
	builder_release(&builder);
}

/* No byte of a sealed file can change unseen: not content, not structure, not padding, not void. */
static void every_flipped_byte_is_found(void **state)
{
	struct builder builder;
	struct segment_scan scan;
	struct error err = {0};
	struct segment_writer_options options = {.random = builder_random};
	struct segment_output output;
	size_t torn;
	int fd;

	(void)state;
	/* a segment with a void range: its last frame is torn, then the keeper ends it */
	builder_small(&builder);
	torn = builder.size - 4096 - 2048;
	fd = bytes_fd(builder.file, torn);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	close(fd);
	assert_true(scan.void_range.end > scan.void_range.begin);
	builder.size = torn;
	memset(builder.file + builder.size, 0, scan.filler_size);
	builder.size += scan.filler_size;
	segment_writer_free(TAKE(builder.writer));
	options.resume = &scan.state;
	options.random_context = &builder.random;
	assert_ok(
		segment_writer_new(&builder.header, &builder.key, &options, &builder.writer, &err),
		&err);
	assert_ok(segment_writer_end(builder.writer, SEGMENT_ENDED_RECOVERED, NULL,
				     &scan.void_range, 5, &output, &err),
		  &err);
	builder_output(&builder, &output);
	segment_scan_release(&scan);

	assert_ok(check_bytes(&builder, &err), &err);
	fd = bytes_fd(builder.file, builder.size);
	for (size_t i = 0; i < builder.size; i += FLIP_STEP) {
		uint8_t flipped = builder.file[i] ^ (uint8_t)(1u << (i % 8));
		int result;

		/* The key of the keeper comes from the header it holds; here it is kept, so the
		 * header's own opaque bytes are compared as the keeper does. */
		assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
		result = segment_check(fd, &builder.key, NULL, 0, NULL, &err);
		if (result == 0) {
			CLEANUP(segment_reader_freep)
			struct segment_reader *reader = NULL;
			struct secret key = {0};

			assert_true(i < SEGMENT_HEADER_SIZE);
			assert_ok(segment_reader_new(fd, &reader, &err), &err);
			assert_ok(segment_key_derive(&builder.period_key,
						     segment_reader_header_bytes(reader), &key,
						     &err),
				  &err);
			assert_fails(segment_check(fd, &key, NULL, 0, NULL, &err), &err,
				     ERROR_DEFECT, "authentication tag does not match");
			secret_release(&key);
		}
		assert_int_equal(pwrite(fd, builder.file + i, 1, (off_t)i), 1);
	}
	assert_ok(segment_check(fd, &builder.key, NULL, 0, NULL, &err), &err);
	close(fd);
	builder_release(&builder);
}

static void bytes_behind_the_end_are_a_defect(void **state)
{
	struct builder builder;
	struct error err = {0};
	uint8_t zeros[4096] = {0};

	(void)state;
	builder_small(&builder);
	builder_append(&builder, zeros, 1);
	assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT, "no END: the file's size of");
	builder_append(&builder, zeros, 4095);
	assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT, "no END at offset");
	builder.size = 3000;
	assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT,
		     "the file ends after 3000 bytes, inside the header's block");
	builder.size = 700;
	assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT,
		     "the file ends after 700 bytes, inside the header");
	builder_release(&builder);
}

/* What a raw DATA frame and END may get wrong; everything is right where a field is zero. */
struct forgery {
	const char *words;
	uint32_t sequence_skew;
	uint64_t position_skew;
	uint8_t flags_xor;
	uint64_t event_end_skew;
	uint64_t event_count_skew;
	uint64_t transaction_end_skew;
	uint32_t ranges_size_skew; /* claimed */
	uint32_t ranges_bytes;	   /* zeros that are there */
	uint32_t range_count_skew;
	uint32_t summary_flags;
	uint64_t last_position_skew;
	uint64_t end_total_skew;
	uint64_t void_begin_skew;
	uint64_t void_end_skew;
	uint32_t frame_count_skew;
	uint32_t session_skew;
	uint8_t ended_xor;
	bool compressed;
	bool next_file;
};

/* Header, one DATA frame with one event of 100 bytes, END; then the lie. */
static void forge(struct builder *builder, const struct forgery *forgery)
{
	struct segment_summary summary = {
		.event_count = 1 + forgery->event_count_skew,
		.event_end = BUILDER_START + 100 + forgery->event_end_skew,
		.transaction_end = BUILDER_START + forgery->transaction_end_skew,
		.last_event_position = BUILDER_START + forgery->last_position_skew,
		.flags = forgery->summary_flags,
	};
	struct segment_end end = {
		.summary = summary,
		.void_range = {.begin = 8192 + forgery->void_begin_skew,
			       .end = 8192 + forgery->void_end_skew},
		.frame_count = 1 + forgery->frame_count_skew,
		.session_count = forgery->session_skew,
		.ended = SEGMENT_ENDED_AGE,
	};
	uint8_t plain[DATA_PREFIX_SIZE + 200] = {0}, end_plain[SEGMENT_END_SIZE] = {0};
	le32 counts[2] = {le32_put(forgery->range_count_skew), le32_put(forgery->ranges_size_skew)};
	struct frame_header header = {
		.kind = FRAME_DATA,
		.flags = (FRAME_FIRST | FRAME_LAST) ^ forgery->flags_xor,
		.sequence = forgery->sequence_skew,
		.plain_size = DATA_PREFIX_SIZE + 100 + forgery->ranges_bytes,
		.stored_size = DATA_PREFIX_SIZE + 100 + forgery->ranges_bytes,
		.position = BUILDER_START + forgery->position_skew,
		.nonce = {1},
	};
	struct frame_header end_header = {
		.kind = FRAME_END,
		.sequence = 1,
		.plain_size = SEGMENT_END_SIZE,
		.stored_size = SEGMENT_END_SIZE,
		.position = BUILDER_START + 100,
		.nonce = {2},
	};
	struct error err = {0};

	builder_init(builder);
	segment_summary_encode(&summary, plain);
	memcpy(plain + SEGMENT_SUMMARY_SIZE, counts, sizeof(counts));
	if (forgery->compressed) {
		header.flags |= FRAME_COMPRESSED;
		header.plain_size += 1;
	}
	builder_raw(builder, &header, plain);
	end.summary.event_count += forgery->end_total_skew;
	hash_bytes("", 0, &end.void_range.hash);
	if (segment_end_encode(&end, end_plain, &err) < 0)
		fail_msg("%s", err.message);
	end_plain[128] ^= forgery->ended_xor;
	if (forgery->next_file)
		memcpy(end_plain + 136, "binlog.1", 8);
	builder_raw(builder, &end_header, end_plain);
}

static void a_well_sealed_lie_is_found(void **state)
{
	static const struct forgery forgeries[] = {
		{.words = NULL},
		{.words = "frame at offset 4096: sequence is 1 instead of 0", .sequence_skew = 1},
		{.words = "frame at offset 4096: position is 5 instead of 4", .position_skew = 1},
		{.words = "flags of first and last do not fit", .flags_xor = FRAME_FIRST},
		{.words = "flags of first and last do not fit", .flags_xor = FRAME_LAST},
		{.words = "flags 0x0e are not allowed", .flags_xor = 8},
		{.words = "the summary's events do not follow", .event_end_skew = 1},
		{.words = "the summary changed, but no event ended",
		 .event_count_skew = UINT64_MAX,
		 .last_position_skew = UINT64_MAX - 3,
		 .event_end_skew = UINT64_MAX - 9},
		{.words = "the summary's events do not follow", .event_count_skew = 100},
		{.words = "the summary's transactions do not follow", .transaction_end_skew = 50},
		{.words = "transactions end at 105, events at 104", .transaction_end_skew = 101},
		{.words = "the last of 1 events is at 104 and ends at 104",
		 .last_position_skew = 100},
		{.words = "the summary's events do not follow",
		 .last_position_skew = UINT64_MAX /* 3: before the segment */},
		{.words = "summary: unknown flags 0x4", .summary_flags = 4},
		{.words = "100 bytes of GTID ranges do not fit a frame of 180",
		 .ranges_size_skew = 100},
		{.words = "a GTID group is not 1 to 64 bytes",
		 .ranges_size_skew = 20,
		 .ranges_bytes = 20,
		 .range_count_skew = 1},
		{.words = "20 bytes follow the last GTID range",
		 .ranges_size_skew = 20,
		 .ranges_bytes = 20},
		{.words = "a GTID group is not 1 to 64 bytes", .range_count_skew = 1},
		{.words = "content does not decompress", .compressed = true},
		{.words = "END's totals are not the last summary", .end_total_skew = 1},
		{.words = "END's void range from 8191 to 8192 is not where it stands",
		 .void_begin_skew = UINT64_MAX},
		{.words = "the void bytes from offset 4096 to 8192 are not those that END names",
		 .void_begin_skew = UINT64_MAX - 4095},
		{.words = "END's void range from 0 to 8192 is not where it stands",
		 .void_begin_skew = UINT64_MAX - 8191},
		{.words = "END's void range from 8192 to 12288 is not where it stands",
		 .void_end_skew = 4096},
		{.words = "END counts 2 frames, not 1", .frame_count_skew = 1},
		{.words = "END counts", .session_skew = 1},
		{.words = "how the segment ended is unknown", .ended_xor = 8},
		{.words = "a next file is named", .next_file = true},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(forgeries); i++) {
		struct builder builder;

		forge(&builder, &forgeries[i]);
		if (forgeries[i].words)
			assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT,
				     forgeries[i].words);
		else
			assert_ok(check_bytes(&builder, &err), &err);
		builder_release(&builder);
	}
}

static void an_end_that_cuts_a_frame_is_a_lie(void **state)
{
	struct segment_header header = builder_header();
	struct builder builder;
	struct segment_end end = {.ended = SEGMENT_ENDED_SIZE, .frame_count = 1};
	struct frame_header end_header = {.kind = FRAME_END,
					  .sequence = 1,
					  .plain_size = SEGMENT_END_SIZE,
					  .stored_size = SEGMENT_END_SIZE,
					  .position = BUILDER_START + 5000};
	uint8_t plain[SEGMENT_END_SIZE];
	struct error err = {0};

	(void)state;
	builder_init_with(&builder, &header, 0);
	builder_event(&builder, 5000, false);
	builder_frame(&builder); /* from 4096 to 12288 */
	end.summary = segment_writer_state(builder.writer)->summary;
	end.void_range = (struct segment_void){.begin = 8192, .end = 12288};
	assert_ok(segment_end_encode(&end, plain, &err), &err);
	builder_raw(&builder, &end_header, plain);
	assert_fails(check_bytes(&builder, &err), &err, ERROR_DEFECT,
		     "frame at offset 4096: it passes offset 8192, where END says that frames end");
	builder_release(&builder);
}

static void a_session_inside_an_event_is_a_lie(void **state)
{
	struct builder builder;
	struct frame_header header = {.kind = FRAME_SESSION,
				      .sequence = 1,
				      .plain_size = 2,
				      .stored_size = 2,
				      .position = BUILDER_START + 100};
	struct segment_scan scan;
	struct error err = {0};
	int fd;

	(void)state;
	builder_init(&builder);
	builder_bytes(&builder, 100);
	builder_frame(&builder);
	builder_raw(&builder, &header, "xx");
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_scan(fd, &builder.key, &scan, &err), &err);
	assert_int_equal(scan.state.next_sequence, 1);
	assert_non_null(strstr(scan.tear.message,
			       "frame at offset 8192: a session begins inside an event"));
	segment_scan_release(&scan);
	close(fd);
	builder_release(&builder);
}

/* Many transactions of interleaved servers: more ranges than a leaf takes. */
static void ranges_beyond_the_bound_are_a_hash(void **state)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct builder builder;
	struct segment_event event = {
		.length = 1, .position = BUILDER_START, .transaction_end = true};
	struct error err = {0};
	struct frame frame;
	struct hasher *hasher = hasher_new();
	struct hash hash;
	int fd;

	(void)state;
	builder_init(&builder);
	hasher_start(hasher);
	for (uint64_t i = 0; i < 3000; i++) {
		if (segment_writer_add(builder.writer, "x", 1) == 0) {
			builder_frame(&builder);
			assert_int_equal(segment_writer_add(builder.writer, "x", 1), 1);
		}
		event.gtid_group = (const uint8_t *)"0-1";
		event.gtid_group_size = 3;
		event.gtid_sequence = 2 * i;
		segment_writer_event_end(builder.writer, &event);
		event.position++;
	}
	builder_end(&builder, SEGMENT_ENDED_SIZE, NULL);
	fd = bytes_fd(builder.file, builder.size);
	assert_ok(segment_reader_new(fd, &reader, &err), &err);
	assert_ok(segment_reader_unlock(reader, &builder.key, NULL, &err), &err);
	while (segment_reader_next(reader, &frame, &err) > 0)
		if (frame.header.kind == FRAME_DATA)
			hasher_update(hasher, frame.ranges, frame.ranges_size);
	hasher_finish(hasher, &hash);
	hasher_free(hasher);
	assert_true(gtid_ranges_overflowed(segment_reader_ranges(reader)));
	assert_memory_equal(segment_reader_ranges_hash(reader)->bytes, hash.bytes, HASH_SIZE);
	close(fd);
	builder_release(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_back_as_they_went_in),
		cmocka_unit_test(one_pass_gives_hashes_and_ranges_too),
		cmocka_unit_test(every_flipped_byte_is_found),
		cmocka_unit_test(bytes_behind_the_end_are_a_defect),
		cmocka_unit_test(a_well_sealed_lie_is_found),
		cmocka_unit_test(an_end_that_cuts_a_frame_is_a_lie),
		cmocka_unit_test(a_session_inside_an_event_is_a_lie),
		cmocka_unit_test(ranges_beyond_the_bound_are_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
