#include "unit/cmocka_prelude.h"

#include "binlog/serialized.h"

static void every_size_of_an_integer_is_read(void **state)
{
	static const struct {
		uint64_t value;
		size_t size;
		uint8_t bytes[9];
	} examples[] = {
		{0, 1, {0x00}},
		{127, 1, {0xfe}},
		{0xa6, 2, {0x99, 0x02}},	/* from a server: a byte of a UUID */
		{65535, 3, {0xfb, 0xff, 0x07}}, /* the library's readme.md */
		{(1ULL << 28) - 1, 4, {0xf7, 0xff, 0xff, 0xff}},
		{(1ULL << 35) - 1, 5, {0xef, 0xff, 0xff, 0xff, 0xff}},
		{(1ULL << 42) - 1, 6, {0xdf, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{(1ULL << 49) - 1, 7, {0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{(1ULL << 56) - 1, 8, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{1ULL << 56, 9, {0xff, 0, 0, 0, 0, 0, 0, 0, 1}},
		{UINT64_MAX, 9, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct serialized rest = {examples[i].bytes, examples[i].size};
		uint64_t value = 4711;

		assert_true(serialized_unsigned(&rest, &value));
		assert_int_equal(value, examples[i].value);
		assert_int_equal(rest.size, 0);
		assert_ptr_equal(rest.bytes, examples[i].bytes + examples[i].size);
		value = 4711;
		rest = (struct serialized){examples[i].bytes, examples[i].size - 1};
		assert_false(serialized_unsigned(&rest, &value));
		assert_int_equal(value, 4711);
		assert_int_equal(rest.size, examples[i].size - 1);
	}
}

static void the_sign_is_the_lowest_bit(void **state)
{
	static const struct {
		int64_t value;
		size_t size;
		uint8_t bytes[9];
	} examples[] = {
		{0, 1, {0x00}},
		{-1, 1, {0x02}},
		{1, 1, {0x04}},
		{65535, 3, {0xf3, 0xff, 0x0f}}, /* the library's readme.md */
		{-65535, 3, {0xeb, 0xff, 0x0f}},
		{-65536, 3, {0xfb, 0xff, 0x0f}},
		{INT64_MAX, 9, {0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{INT64_MIN, 9, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct serialized rest = {examples[i].bytes, examples[i].size};
		int64_t value = 4711;

		assert_true(serialized_signed(&rest, &value));
		assert_true(value == examples[i].value);
		rest = (struct serialized){examples[i].bytes, examples[i].size - 1};
		assert_false(serialized_signed(&rest, &value));
	}
}

static void more_bytes_than_needed_are_read(void **state)
{
	static const uint8_t bytes[] = {0x05, 0x00, 0x0a};
	struct serialized rest = {bytes, sizeof(bytes)};
	uint64_t value;

	(void)state;
	assert_true(serialized_unsigned(&rest, &value));
	assert_int_equal(value, 1);
	assert_true(serialized_unsigned(&rest, &value));
	assert_int_equal(value, 5);
	assert_false(serialized_unsigned(&rest, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_of_an_integer_is_read),
		cmocka_unit_test(the_sign_is_the_lowest_bit),
		cmocka_unit_test(more_bytes_than_needed_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
