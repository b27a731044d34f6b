#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "volume/frame.h"

static void a_frame_header_comes_back_as_it_was(void **state)
{
	struct frame_header header = {.kind = FRAME_DATA,
				      .flags = 7,
				      .sequence = 0xabcdef,
				      .plain_size = 0x54321,
				      .stored_size = 0x12345,
				      .position = 0x123456789abcdef,
				      .received_usec = 0xfedcba,
				      .nonce = "123456789ab"};
	uint8_t bytes[FRAME_HEADER_SIZE], again[FRAME_HEADER_SIZE];
	struct frame_header copy;
	struct error err = {0};

	(void)state;
	frame_header_encode(&header, bytes);
	assert_memory_equal(bytes, "BVFM", 4);
	assert_ok(frame_header_decode(bytes, &copy, &err), &err);
	frame_header_encode(&copy, again);
	assert_memory_equal(bytes, again, sizeof(bytes));
	assert_int_equal(copy.position, header.position);
	assert_int_equal(frame_total_size(&copy, 4096), round_up(0x12345 + 64, 4096));
	header.kind = FRAME_END;
	header.stored_size = 4096 - 64 - 8;
	assert_int_equal(frame_total_size(&header, 4096), 4096);
	header.stored_size++;
	assert_int_equal(frame_total_size(&header, 4096), 8192);
}

static void every_defect_has_its_sentence(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *words;
	} defects[] = {
		{0, 'X', "no frame begins here"},
		{4, 0, "unknown kind 0"},
		{4, 4, "unknown kind 4"},
		{4, FRAME_SESSION, "flags 0x06 are not allowed for kind 1"},
		{4, FRAME_END, "plaintext of 500 bytes is not between 264 and 264"},
		{5, 0x16, "flags 0x16 are not allowed for kind 2"},
		{5, 7, "500 stored bytes do not fit 500 compressed bytes"},
		{6, 1, "reserved bytes are not zero"},
		{7, 1, "reserved bytes are not zero"},
		{11, 1, "is above the limit"},
		{13, 0, "500 stored bytes do not fit 244 uncompressed bytes"},
		{14, 0x20, "is not between 81 and 1048576"},
		{16, 0, "256 stored bytes do not fit 500 uncompressed bytes"},
		{27, 0x80, "is too large"},
	};
	struct frame_header header = {.kind = FRAME_DATA,
				      .flags = FRAME_FIRST | FRAME_LAST,
				      .plain_size = 500,
				      .stored_size = 500};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(defects); i++) {
		uint8_t bytes[FRAME_HEADER_SIZE];

		frame_header_encode(&header, bytes);
		bytes[defects[i].offset] = defects[i].value;
		assert_fails(frame_header_decode(bytes, &(struct frame_header){0}, &err), &err,
			     ERROR_DEFECT, defects[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_header_comes_back_as_it_was),
		cmocka_unit_test(every_defect_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
