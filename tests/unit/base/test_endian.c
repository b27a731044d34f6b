#include "unit/cmocka_prelude.h"

#include "base/endian.h"

static void the_lowest_byte_comes_first(void **state)
{
	static const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
	le64 wide = le64_put(UINT64_C(0xefcdab8967452301));
	le32 middle = le32_put(0x67452301);
	le16 narrow = le16_put(0x2301);

	(void)state;
	assert_memory_equal(wide.bytes, bytes, 8);
	assert_memory_equal(middle.bytes, bytes, 4);
	assert_memory_equal(narrow.bytes, bytes, 2);
	assert_int_equal(get_le16(bytes), 0x2301);
	assert_int_equal(get_le32(bytes), 0x67452301);
	assert_true(get_le64(bytes) == UINT64_C(0xefcdab8967452301));
}

static void every_number_comes_back(void **state)
{
	static const uint64_t numbers[] = {0,
					   1,
					   0x7f,
					   0x80,
					   0xff,
					   0x8000,
					   0xffff,
					   0x80000000,
					   UINT32_MAX,
					   INT64_MAX,
					   UINT64_MAX,
					   0x8000000000,
					   0x0102030405060708};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t number = numbers[i];

		assert_true(le64_get(le64_put(number)) == number);
		assert_true(le32_get(le32_put((uint32_t)number)) == (uint32_t)number);
		assert_true(le16_get(le16_put((uint16_t)number)) == (uint16_t)number);
	}
}

static void a_struct_of_them_is_its_own_layout(void **state)
{
	struct layout {
		le16 a;
		le64 b;
		le32 c;
	};

	(void)state;
	assert_int_equal(sizeof(struct layout), 14);
	assert_int_equal(offsetof(struct layout, b), 2);
	assert_int_equal(offsetof(struct layout, c), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_byte_comes_first),
		cmocka_unit_test(every_number_comes_back),
		cmocka_unit_test(a_struct_of_them_is_its_own_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
