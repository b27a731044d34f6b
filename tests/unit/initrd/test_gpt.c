#include "unit/cmocka_prelude.h"

#include "initrd/gpt.h"

static void make_header(uint8_t header[GPT_HEADER_SIZE])
{
	memset(header, 0, GPT_HEADER_SIZE);
	memcpy(header, "EFI PART", 8);
	header[72] = 2;	  /* entries from sector 2 */
	header[80] = 128; /* as many */
	header[84] = 128; /* of that size */
}

static void a_table_says_where_its_entries_lie(void **state)
{
	uint8_t header[GPT_HEADER_SIZE];
	struct gpt table;
	struct error err = {0};
	uint64_t offset;

	(void)state;
	make_header(header);
	assert_ok(gpt_decode(header, &table, &err), &err);
	assert_ok(gpt_entry_offset(&table, 3, 512, &offset, &err), &err);
	assert_int_equal(offset, 2 * 512 + 3 * 128);
	assert_ok(gpt_entry_offset(&table, 127, 4096, &offset, &err), &err);
	assert_int_equal(offset, 2 * 4096 + 127 * 128);
	assert_fails(gpt_entry_offset(&table, 128, 512, &offset, &err), &err, ERROR_USAGE,
		     "no entry 128");
	assert_fails(gpt_entry_offset(&table, 0, 0, &offset, &err), &err, ERROR_DEFECT,
		     "sectors of 0 bytes");
}

static void what_is_no_table_or_outside_our_limits_is_refused(void **state)
{
	uint8_t header[GPT_HEADER_SIZE];
	struct gpt table;
	struct error err = {0};

	(void)state;
	make_header(header);
	header[0] = 'e';
	assert_fails(gpt_decode(header, &table, &err), &err, ERROR_DEFECT,
		     "no GUID partition table");
	make_header(header);
	header[84] = 127;
	assert_fails(gpt_decode(header, &table, &err), &err, ERROR_DEFECT, "of 127 bytes");
	make_header(header);
	header[82] = 1;
	assert_fails(gpt_decode(header, &table, &err), &err, ERROR_DEFECT, "65664 entries");
	make_header(header);
	header[79] = 1;
	assert_fails(gpt_decode(header, &table, &err), &err, ERROR_DEFECT, "is not ours");
}

static void a_type_is_compared_in_the_order_of_its_text(void **state)
{
	/* 00112233-4455-6677-8899-aabbccddeeff */
	static const uint8_t type[GPT_GUID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const uint8_t disk[GPT_GUID_SIZE] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
						    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	uint8_t entry[GPT_ENTRY_SIZE] = {0};

	(void)state;
	memcpy(entry, disk, sizeof(disk));
	assert_true(gpt_entry_has_type(entry, type));
	for (int i = 0; i < GPT_GUID_SIZE; i++) {
		entry[i] ^= 1;
		assert_false(gpt_entry_has_type(entry, type));
		entry[i] ^= 1;
	}
}

static void a_partition_begins_at_its_first_sector(void **state)
{
	uint8_t entry[GPT_ENTRY_SIZE] = {[32] = 0x00, [33] = 0x08};
	struct error err = {0};
	uint64_t offset;

	(void)state;
	assert_ok(gpt_entry_begin(entry, 512, &offset, &err), &err);
	assert_int_equal(offset, 1 << 20);
	assert_fails(gpt_entry_begin(entry, 256, &offset, &err), &err, ERROR_DEFECT,
		     "a partition at sector 2048");
	entry[39] = 1;
	assert_fails(gpt_entry_begin(entry, 512, &offset, &err), &err, ERROR_DEFECT,
		     "a partition at sector");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_says_where_its_entries_lie),
		cmocka_unit_test(what_is_no_table_or_outside_our_limits_is_refused),
		cmocka_unit_test(a_type_is_compared_in_the_order_of_its_text),
		cmocka_unit_test(a_partition_begins_at_its_first_sector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
