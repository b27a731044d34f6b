#include "unit/cmocka_prelude.h"

#include "base/hex.h"

static void bytes_come_back_from_their_digits(void **state)
{
	uint8_t bytes[256];
	uint8_t back[256];
	char text[HEX_SIZE(256)];
	struct error err = {0};

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	for (size_t size = 0; size <= 256; size++) {
		hex_encode(bytes, size, text);
		assert_int_equal(strlen(text), 2 * size);
		assert_ok(hex_decode(text, back, size, &err), &err);
		assert_memory_equal(back, bytes, size);
	}
	assert_memory_equal(text, "000102", 6);
	assert_string_equal(text + 2 * 250, "fafbfcfdfeff");
}

static void only_lower_case_digits_of_the_right_count_are_read(void **state)
{
	uint8_t bytes[2];
	struct error err = {0};

	(void)state;
	assert_fails(hex_decode("123", bytes, 2, &err), &err, ERROR_DEFECT,
		     "3 hexadecimal digits where 4 belong");
	assert_fails(hex_decode("12345", bytes, 2, &err), &err, ERROR_DEFECT, "5 hexadecimal");
	assert_fails(hex_decode("12AB", bytes, 2, &err), &err, ERROR_DEFECT,
		     "'AB' at digit 2 is not lower-case hexadecimal");
	assert_fails(hex_decode("0x12", bytes, 2, &err), &err, ERROR_DEFECT, "'0x' at digit 0");
	assert_fails(hex_decode("1g00", bytes, 2, &err), &err, ERROR_DEFECT, "'1g' at digit 0");
	assert_fails(hex_decode("`000", bytes, 2, &err), &err, ERROR_DEFECT, "at digit 0");
	assert_fails(hex_decode("00:0", bytes, 2, &err), &err, ERROR_DEFECT, "':0' at digit 2");
	assert_fails(hex_decode(" 000", bytes, 2, &err), &err, ERROR_DEFECT, "at digit 0");
}

static void a_uuid_has_its_dashes(void **state)
{
	static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	char text[HEX_UUID_SIZE];

	(void)state;
	hex_encode_uuid(uuid, text);
	assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_back_from_their_digits),
		cmocka_unit_test(only_lower_case_digits_of_the_right_count_are_read),
		cmocka_unit_test(a_uuid_has_its_dashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
