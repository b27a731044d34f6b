#include "unit/cmocka_prelude.h"

#include <string.h>

#include "base/checked.h"
#include "protocol/observed.h"

static const struct observed_file files[] = {
	{"mariadb-bin.000001", 1073741824, false},
	{"mariadb-bin.000002", UINT64_MAX, true},
	{"b", 0, false},
};

static size_t encode(uint8_t *bytes)
{
	size_t size = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		size += observed_file_encode(&files[i], bytes + size);
	return size;
}

static void a_list_is_read_as_it_was_written(void **state)
{
	uint8_t bytes[3 * OBSERVED_FILE_SIZE_MAX];
	size_t size = encode(bytes), offset = 0, count = 0;
	struct observed_file file;
	struct error err = {0};

	(void)state;
	assert_ok(observed_list_check(bytes, size, 3, &err), &err);
	while (observed_list_next(bytes, size, &offset, &file)) {
		assert_string_equal(file.name, files[count].name);
		assert_int_equal(file.size, files[count].size);
		assert_int_equal(file.encrypted, files[count].encrypted);
		count++;
	}
	assert_int_equal(count, 3);
}

static void the_longest_name_fits(void **state)
{
	struct observed_file file = {.size = 4}, read;
	uint8_t bytes[OBSERVED_FILE_SIZE_MAX];
	struct error err = {0};
	size_t offset = 0;

	(void)state;
	memset(file.name, 'n', BINLOG_NAME_MAX);
	assert_int_equal(observed_file_encode(&file, bytes), OBSERVED_FILE_SIZE_MAX);
	assert_ok(observed_list_check(bytes, sizeof(bytes), 1, &err), &err);
	assert_true(observed_list_next(bytes, sizeof(bytes), &offset, &read));
	assert_string_equal(read.name, file.name);
}

static void a_list_of_another_length_is_refused(void **state)
{
	uint8_t bytes[3 * OBSERVED_FILE_SIZE_MAX];
	size_t size = encode(bytes);
	struct error err = {0};

	(void)state;
	assert_fails(observed_list_check(bytes, size, 2, &err), &err, ERROR_DEFECT,
		     "bytes behind its 2 entries");
	assert_fails(observed_list_check(bytes, size, 4, &err), &err, ERROR_DEFECT,
		     "entry 3: an entry is cut off");
	for (size_t cut = 0; cut < size; cut++) {
		int r = observed_list_check(bytes, cut, 3, &err);

		assert_int_equal(r, ERROR_DEFECT);
	}
}

static void a_name_that_is_none_is_refused(void **state)
{
	uint8_t bytes[3 * OBSERVED_FILE_SIZE_MAX];
	size_t size = encode(bytes);
	struct error err = {0};

	(void)state;
	bytes[10 + 3] = '/';
	assert_fails(observed_list_check(bytes, size, 3, &err), &err, ERROR_DEFECT, "entry 0");
	bytes[10 + 3] = '\0';
	assert_fails(observed_list_check(bytes, size, 3, &err), &err, ERROR_DEFECT,
		     "a name with a NUL in it");
	encode(bytes);
	bytes[9] = 0;
	assert_fails(observed_list_check(bytes, size, 3, &err), &err, ERROR_DEFECT, "entry 0");
	encode(bytes);
	bytes[8] = 2;
	assert_fails(observed_list_check(bytes, size, 3, &err), &err, ERROR_DEFECT,
		     "an entry is not what it must be");
	encode(bytes);
	bytes[9] = BINLOG_NAME_MAX + 1;
	assert_fails(observed_list_check(bytes, size, 3, &err), &err, ERROR_DEFECT,
		     "an entry is not what it must be");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read_as_it_was_written),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(a_list_of_another_length_is_refused),
		cmocka_unit_test(a_name_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
