#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "binlog/rotate.h"
#include "unit/binlog/golden.h"

#define NAME_OFFSET (EVENT_HEADER_SIZE + 8)

static struct error err;

static size_t put_rotate(uint8_t *event, uint64_t position, const char *name, size_t name_length)
{
	put_le(event + EVENT_HEADER_SIZE, position, 8);
	memcpy(event + NAME_OFFSET, name, name_length);
	return put_header(event, EVENT_ROTATE, 0, 8 + name_length);
}

static void the_last_event_of_a_real_file_names_the_next(void **state)
{
	static struct golden golden;
	struct rotate rotate;

	(void)state;
	golden_load(&golden, GOLDEN);
	assert_ok(rotate_decode(golden.bytes + golden.size - 48, 48, ROTATE_CRC_PRESENT, &rotate,
				&err),
		  &err);
	assert_string_equal(rotate.file, "golden-bin.000002");
	assert_int_equal(rotate.position, 4);
	assert_ok(
		rotate_decode(golden.bytes + golden.size - 48, 48, ROTATE_CRC_PROBE, &rotate, &err),
		&err);
	assert_string_equal(rotate.file, "golden-bin.000002");
}

static void a_file_without_checksums_has_the_name_to_the_end(void **state)
{
	static struct golden golden;
	struct rotate rotate;

	(void)state;
	golden_load(&golden, GOLDEN_NO_CHECKSUM);
	assert_ok(
		rotate_decode(golden.bytes + golden.size - 44, 44, ROTATE_CRC_NONE, &rotate, &err),
		&err);
	assert_string_equal(rotate.file, "golden-bin.000003");
	assert_ok(
		rotate_decode(golden.bytes + golden.size - 44, 44, ROTATE_CRC_PROBE, &rotate, &err),
		&err);
	assert_string_equal(rotate.file, "golden-bin.000003");
}

static void the_position_has_64_bits(void **state)
{
	uint8_t event[64];
	struct rotate rotate;
	size_t size = put_rotate(event, 0x123456789abcdef0, "x", 1);

	(void)state;
	assert_ok(rotate_decode(event, size, ROTATE_CRC_NONE, &rotate, &err), &err);
	assert_true(rotate.position == 0x123456789abcdef0);
}

static void a_name_that_is_no_file_name_is_refused(void **state)
{
	static const struct {
		const char *name;
		size_t length;
		const char *words;
	} row[] = {
		{"", 0, "names no file"},
		{"a/b", 3, "not allowed at byte 1"},
		{"../../etc/passwd", 16, "not allowed at byte 0"},
		{"bin\0log", 7, "a NUL in its name"},
		{"bin\n", 4, "not allowed at byte 3"},
	};
	uint8_t event[256];
	char long_name[BINLOG_NAME_MAX + 1];
	struct rotate rotate;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size = put_rotate(event, 4, row[i].name, row[i].length);
		assert_fails(rotate_decode(event, size, ROTATE_CRC_NONE, &rotate, &err), &err,
			     ERROR_DEFECT, row[i].words);
	}
	memset(long_name, 'a', sizeof(long_name));
	size = put_rotate(event, 4, long_name, BINLOG_NAME_MAX);
	assert_ok(rotate_decode(event, size, ROTATE_CRC_NONE, &rotate, &err), &err);
	assert_int_equal(strlen(rotate.file), BINLOG_NAME_MAX);
	size = put_rotate(event, 4, long_name, BINLOG_NAME_MAX + 1);
	assert_fails(rotate_decode(event, size, ROTATE_CRC_NONE, &rotate, &err), &err, ERROR_DEFECT,
		     "129 characters: at most 128 are allowed");
}

static void a_short_or_other_event_is_refused(void **state)
{
	uint8_t event[64];
	struct rotate rotate;
	size_t size = put_rotate(event, 4, "binlog.000001", 13);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		uint8_t *exact = malloc(i ? i : 1); /* so that a byte too far is seen */

		memcpy(exact, event, i);
		if (i >= EVENT_HEADER_SIZE && i <= NAME_OFFSET)
			put_le(exact + 9, i, 4);
		assert_int_equal(rotate_decode(exact, i, ROTATE_CRC_PROBE, &rotate, &err),
				 ERROR_DEFECT);
		free(exact);
	}
	assert_fails(rotate_decode(event, size - 1, ROTATE_CRC_NONE, &rotate, &err), &err,
		     ERROR_DEFECT, "gives a length of 40, but has 39 bytes");
	event[4] = EVENT_STOP;
	assert_fails(rotate_decode(event, size, ROTATE_CRC_NONE, &rotate, &err), &err, ERROR_DEFECT,
		     "of type 3 (STOP) where ROTATE is expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_event_of_a_real_file_names_the_next),
		cmocka_unit_test(a_file_without_checksums_has_the_name_to_the_end),
		cmocka_unit_test(the_position_has_64_bits),
		cmocka_unit_test(a_name_that_is_no_file_name_is_refused),
		cmocka_unit_test(a_short_or_other_event_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
