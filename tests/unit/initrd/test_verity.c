#include "unit/cmocka_prelude.h"

#include "initrd/verity.h"

static void make_superblock(uint8_t bytes[VERITY_SUPERBLOCK_SIZE])
{
	memset(bytes, 0, VERITY_SUPERBLOCK_SIZE);
	memcpy(bytes, "verity", 6);
	bytes[8] = bytes[12] = 1;
	memcpy(bytes + 32, "sha256", 6);
	bytes[65] = bytes[69] = 0x10;
	bytes[72] = 7;
	bytes[80] = 2;
	bytes[88] = 0xab;
	bytes[89] = 0xcd;
}

static void a_superblock_becomes_a_table_line(void **state)
{
	uint8_t bytes[VERITY_SUPERBLOCK_SIZE];
	static const uint8_t root_hash[32] = {0x12};
	char line[VERITY_TABLE_SIZE];
	struct verity verity;
	struct error err = {0};

	(void)state;
	make_superblock(bytes);
	assert_ok(verity_decode(bytes, &verity, &err), &err);
	assert_ok(verity_table(&verity, "/dev/vda2", "/dev/vda3", root_hash, line, &err), &err);
	assert_string_equal(line, "1 /dev/vda2 /dev/vda3 4096 4096 7 1 sha256 12"
				  "00000000000000000000000000000000000000000000000000000000000000"
				  " abcd 1 panic_on_corruption");
	bytes[80] = 0;
	assert_ok(verity_decode(bytes, &verity, &err), &err);
	assert_ok(verity_table(&verity, "a", "b", root_hash, line, &err), &err);
	assert_non_null(strstr(line, " - 1 panic_on_corruption"));
}

static void every_other_superblock_is_refused(void **state)
{
	static const struct {
		int offset;
		uint8_t value;
		const char *words;
	} defects[] = {
		{0, 'V', "no verity superblock"},      {8, 2, "is not version 1"},
		{12, 0, "is not version 1"},	       {32, 'S', "is not version 1"},
		{38, '-', "is not version 1"},	       {65, 0x02, "is not version 1"},
		{69, 0x02, "is not version 1"},	       {72, 0, "names 0 blocks"},
		{77, 1, "names 1099511627783 blocks"}, {81, 2, "a salt of 514 bytes"},
	};
	uint8_t bytes[VERITY_SUPERBLOCK_SIZE];
	struct verity verity;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		make_superblock(bytes);
		bytes[defects[i].offset] = defects[i].value;
		assert_fails(verity_decode(bytes, &verity, &err), &err, ERROR_DEFECT,
			     defects[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_superblock_becomes_a_table_line),
		cmocka_unit_test(every_other_superblock_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
