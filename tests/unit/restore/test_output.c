#include <signal.h>
#include <sys/resource.h>

#include "unit/restore/restore_fixture.h"

#define SIZE (3u << 20)

/* Pieces of odd sizes, some larger than the buffer. */
static void write_pieces(struct output *output, const uint8_t *bytes)
{
	size_t piece = 1;
	struct error err = {0};

	for (size_t done = 0; done < SIZE;) {
		size_t size = MIN(piece, SIZE - done);

		assert_ok(output_write(output, bytes + done, size, &err), &err);
		done += size;
		piece = piece * 3 + 1;
	}
}

static uint8_t *some_bytes(void)
{
	uint8_t *bytes = malloc(SIZE);
	uint64_t seed = 3;

	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)builder_next(&seed);
	return bytes;
}

static void assert_hash(const struct output_file *file, const uint8_t *bytes, size_t size)
{
	struct hash hash;

	hash_bytes(bytes, size, &hash);
	assert_int_equal(file->size, size);
	assert_memory_equal(file->hash.bytes, hash.bytes, HASH_SIZE);
}

static void what_was_written_in_pieces_is_the_file(void **state)
{
	uint8_t *bytes = some_bytes();
	struct output_file file;
	struct output *output;
	struct place place;
	struct error err = {0};

	(void)state;
	place_init(&place);
	output = output_new(place.fd);
	assert_false(output_is_open(output));
	for (int i = 0; i < 2; i++) {
		char name[] = {'f', (char)('0' + i), '\0'};

		assert_ok(output_begin(output, name, &err), &err);
		write_pieces(output, bytes);
		assert_int_equal(output_size(output), SIZE);
		assert_ok(output_finish(output, &file, &err), &err);
		assert_string_equal(file.name, name);
		assert_hash(&file, bytes, SIZE);
		assert_file(&place, name, bytes, SIZE);
	}
	output_free(output);
	place_release(&place);
	free(bytes);
}

static void a_cut_file_has_the_hash_of_what_is_left(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, (1u << 20) - 1, (2u << 20) + 17, SIZE};
	uint8_t *bytes = some_bytes();
	struct place place;

	(void)state;
	place_init(&place);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct output *output = output_new(place.fd);
		struct output_file file;
		struct error err = {0};

		assert_ok(output_begin(output, "f", &err), &err);
		write_pieces(output, bytes);
		assert_ok(output_cut(output, sizes[i], &file, &err), &err);
		assert_hash(&file, bytes, sizes[i]);
		assert_file(&place, "f", bytes, sizes[i]);
		output_free(output);
		place_empty(&place);
	}
	place_release(&place);
	free(bytes);
}

static void a_file_or_a_link_of_that_name_is_not_touched(void **state)
{
	struct output *output;
	struct place place;
	struct error err = {0};

	(void)state;
	place_init(&place);
	output = output_new(place.fd);
	assert_ok(output_small(place.fd, "f", "x", 1, &err), &err);
	assert_fails(output_begin(output, "f", &err), &err, ERROR_EXISTS, "'f'");
	assert_int_equal(symlinkat("elsewhere", place.fd, "l"), 0);
	assert_fails(output_begin(output, "l", &err), &err, ERROR_EXISTS, "'l'");
	assert_file(&place, "f", (const uint8_t *)"x", 1);
	output_free(output);
	place_release(&place);
}

/* RLIMIT_FSIZE stands in for a disk that fails in the middle. */
static void a_write_that_fails_is_said(void **state)
{
	const struct rlimit small = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	uint8_t *bytes = some_bytes();
	struct output_file file;
	struct output *output;
	struct place place;
	struct error err = {0};

	(void)state;
	place_init(&place);
	output = output_new(place.fd);
	signal(SIGXFSZ, SIG_IGN);
	assert_ok(output_begin(output, "f", &err), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_ok(output_write(output, bytes, 5000, &err), &err);
	assert_fails(output_finish(output, &file, &err), &err, ERROR_IO, "writing 'f'");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	output_free(output);
	place_release(&place);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_in_pieces_is_the_file),
		cmocka_unit_test(a_cut_file_has_the_hash_of_what_is_left),
		cmocka_unit_test(a_file_or_a_link_of_that_name_is_not_touched),
		cmocka_unit_test(a_write_that_fails_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
