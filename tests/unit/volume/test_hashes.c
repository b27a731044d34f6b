#include "unit/cmocka_prelude.h"

#include "unit/volume/segment_builder.h"

static void each_four_mebibytes_have_their_hash(void **state)
{
	static const size_t sizes[] = {0,
				       1,
				       4096,
				       SEGMENT_CHUNK_SIZE - 1,
				       SEGMENT_CHUNK_SIZE,
				       SEGMENT_CHUNK_SIZE + 1,
				       2 * SEGMENT_CHUNK_SIZE + 12345};
	struct segment_hashes *hashes = malloc(sizeof(*hashes));
	uint8_t *bytes = malloc(sizes[6]);
	uint64_t seed = 8;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizes[6]; i++)
		bytes[i] = (uint8_t)builder_next(&seed);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		int fd = bytes_fd(bytes, sizes[i]);
		struct hash hash;

		assert_ok(segment_hash(fd, hashes, &err), &err);
		close(fd);
		assert_int_equal(hashes->size, sizes[i]);
		hash_bytes(bytes, sizes[i], &hash);
		assert_memory_equal(hashes->file.bytes, hash.bytes, HASH_SIZE);
		assert_int_equal(hashes->count,
				 (sizes[i] + SEGMENT_CHUNK_SIZE - 1) / SEGMENT_CHUNK_SIZE);
		for (uint32_t j = 0; j < hashes->count; j++) {
			size_t begin = j * SEGMENT_CHUNK_SIZE;

			hash_bytes(bytes + begin, MIN(SEGMENT_CHUNK_SIZE, sizes[i] - begin), &hash);
			assert_memory_equal(hashes->chunks[j].bytes, hash.bytes, HASH_SIZE);
		}
	}
	free(bytes);
	free(hashes);
}

static void a_file_larger_than_any_segment_is_refused(void **state)
{
	struct segment_reader *reader = NULL;
	struct error err = {0};
	int fd = bytes_fd("", 0);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)SEGMENT_SIZE_MAX + 1), 0);
	assert_fails(segment_reader_new(fd, &reader, &err), &err, ERROR_DEFECT,
		     "is larger than any segment");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_four_mebibytes_have_their_hash),
		cmocka_unit_test(a_file_larger_than_any_segment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
