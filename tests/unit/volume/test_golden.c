/*
 * Segments that were written once and must be readable for ever, by this program and by the
 * reference reader in another language.
 *
 * Files are only ever added: `volume_test_golden --write` makes those of the current version that
 * do not exist yet, and never replaces one.
 */
#include "unit/cmocka_prelude.h"

#include <errno.h>

#include "unit/volume/segment_builder.h"

#define GOLDEN "tests/golden/"

static const char *const names[] = {"segment-v0-rotated", "segment-v0-recovered"};

static void path_of(const char *name, const char *suffix, char *ret_path, size_t size)
{
	snprintf(ret_path, size, GOLDEN "%s.%s", name, suffix);
}

static uint8_t *file_bytes(const char *name, const char *suffix, size_t *ret_size)
{
	char path[256];
	uint8_t *bytes = malloc(1 << 20);
	FILE *file;

	path_of(name, suffix, path, sizeof(path));
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	*ret_size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

/* The same segment as builder_small(), but its last frame is torn and the keeper ends it. */
static void builder_recovered(struct builder *builder)
{
	struct segment_writer_options options = {.random = builder_random,
						 .random_context = &builder->random};
	struct segment_output output;
	struct segment_scan scan;
	struct error err = {0};
	uint8_t zeros[BUILDER_BLOCK_SIZE] = {0};
	int fd;

	builder_small(builder);
	fd = bytes_fd(builder->file, builder->size - BUILDER_BLOCK_SIZE - 3584);
	assert_ok(segment_scan(fd, &builder->key, &scan, &err), &err);
	close(fd);
	builder->size = scan.file_size;
	builder_append(builder, zeros, scan.filler_size);
	segment_writer_free(builder->writer);
	options.resume = &scan.state;
	assert_ok(segment_writer_new(&builder->header, &builder->key, &options, &builder->writer,
				     &err),
		  &err);
	assert_ok(segment_writer_end(builder->writer, SEGMENT_ENDED_RECOVERED, NULL,
				     &scan.void_range, 1700000009000000u, &output, &err),
		  &err);
	builder_output(builder, &output);
	builder->events_size = scan.state.summary.event_end - BUILDER_START;
	segment_scan_release(&scan);
}

static void write_new(const char *name, const char *suffix, const void *bytes, size_t size)
{
	char path[256];
	FILE *file;

	path_of(name, suffix, path, sizeof(path));
	file = fopen(path, "wbx");
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return;
	}
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static int write_all(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct builder builder;
		char key[HEX_SIZE(SEGMENT_KEY_SIZE)];

		if (i == 0)
			builder_small(&builder);
		else
			builder_recovered(&builder);
		hex_encode(builder.period_key.bytes, SEGMENT_KEY_SIZE, key);
		key[sizeof(key) - 1] = '\n'; /* for the NUL */
		write_new(names[i], "seg", builder.file, builder.size);
		write_new(names[i], "events", builder.events, builder.events_size);
		write_new(names[i], "period-key", key, sizeof(key));
		builder_release(&builder);
	}
	return 0;
}

static void every_golden_segment_is_read_as_it_was_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		CLEANUP(segment_reader_freep)
		struct segment_reader *reader = NULL;
		size_t size, events_size, key_size;
		uint8_t *bytes = file_bytes(names[i], "seg", &size);
		uint8_t *events = file_bytes(names[i], "events", &events_size);
		char *hex = (char *)file_bytes(names[i], "period-key", &key_size);
		struct secret period_key = {0}, key = {0};
		struct error err = {0};
		int fd = bytes_fd(bytes, size);

		hex[key_size - 1] = '\0';
		assert_ok(secret_init(&period_key, SEGMENT_KEY_SIZE, &err), &err);
		assert_ok(hex_decode(hex, period_key.bytes, SEGMENT_KEY_SIZE, &err), &err);
		assert_ok(segment_reader_new(fd, &reader, &err), &err);
		assert_ok(segment_key_derive(&period_key, segment_reader_header_bytes(reader), &key,
					     &err),
			  &err);
		assert_ok(segment_check(fd, &key, events, events_size, NULL, &err), &err);
		secret_release(&period_key);
		secret_release(&key);
		close(fd);
		free(bytes);
		free(events);
		free(hex);
	}
}

/* What the command writes to its standard output; its exit status must be @status. */
static uint8_t *output_of(const char *command, int status, size_t *ret_size)
{
	uint8_t *bytes = malloc(1 << 20);
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	*ret_size = fread(bytes, 1, 1 << 20, pipe);
	assert_int_equal(pclose(pipe), status << 8);
	return bytes;
}

static void the_reference_reader_reads_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		size_t size, events_size;
		uint8_t *events = file_bytes(names[i], "events", &events_size), *output;
		char command[1024];

		snprintf(command, sizeof(command),
			 "/usr/bin/python3 tools/read_segment.py --period --key-file " GOLDEN
			 "%s.period-key " GOLDEN "%s.seg",
			 names[i], names[i]);
		output = output_of(command, 0, &size);
		assert_int_equal(size, events_size);
		assert_memory_equal(output, events, size);
		free(events);
		free(output);
	}
}

/* The reference reader would prove nothing if it let anything pass. */
static void the_reference_reader_finds_what_this_one_finds(void **state)
{
	size_t size;
	uint8_t *bytes = file_bytes(names[1], "seg", &size);
	char path[] = "golden_damaged.XXXXXX", command[1024];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < 8; i++) {
		size_t at = i < 7 ? (i * 2903 + 1500) % size : size - 3;
		size_t output_size;
		uint8_t *output;

		bytes[at] ^= 0x20;
		assert_int_equal(pwrite(fd, bytes, size, 0), size);
		bytes[at] ^= 0x20;
		snprintf(command, sizeof(command),
			 "/usr/bin/python3 tools/read_segment.py --info --period --key-file " GOLDEN
			 "%s.period-key %s 2>&1",
			 names[1], path);
		output = output_of(command, 3, &output_size);
		free(output);
	}
	close(fd);
	unlink(path);
	free(bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_segment_is_read_as_it_was_written),
		cmocka_unit_test(the_reference_reader_reads_the_same_bytes),
		cmocka_unit_test(the_reference_reader_finds_what_this_one_finds),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0)
		return write_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
