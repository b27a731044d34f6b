#include "initrd/gpt.h"

#include <string.h>

#include "base/endian.h"

/* UEFI specification 2.10, tables 5.5 and 5.6. */
#define ENTRIES_LBA_OFFSET 72
#define ENTRY_COUNT_OFFSET 80
#define ENTRY_SIZE_OFFSET  84
#define FIRST_LBA_OFFSET   32
#define ENTRY_SIZE_MAX	   4096
#define LBA_MAX		   (UINT64_C(1) << 40)

int gpt_decode(const uint8_t bytes[GPT_HEADER_SIZE], struct gpt *ret_table, struct error *err)
{
	struct gpt table = {
		.entries_lba = get_le64(bytes + ENTRIES_LBA_OFFSET),
		.entry_count = get_le32(bytes + ENTRY_COUNT_OFFSET),
		.entry_size = get_le32(bytes + ENTRY_SIZE_OFFSET),
	};

	if (memcmp(bytes, "EFI PART", 8) != 0)
		return error_set(err, ERROR_DEFECT, "no GUID partition table");
	if (table.entry_size < GPT_ENTRY_SIZE || table.entry_size > ENTRY_SIZE_MAX ||
	    table.entry_count > GPT_ENTRY_COUNT_MAX || table.entries_lba > LBA_MAX)
		return error_set(err, ERROR_DEFECT,
				 "a partition table of %u entries of %u bytes is not ours",
				 table.entry_count, table.entry_size);
	*ret_table = table;
	return 0;
}

int gpt_entry_offset(const struct gpt *table, uint32_t index, uint32_t sector_size,
		     uint64_t *ret_offset, struct error *err)
{
	if (index >= table->entry_count)
		return error_set(err, ERROR_USAGE, "the table has no entry %u", index);
	if (sector_size < 512 || sector_size > 65536)
		return error_set(err, ERROR_DEFECT, "sectors of %u bytes", sector_size);
	/* At most 2^40 * 2^16 + 2^8 * 2^12: no overflow. */
	*ret_offset = table->entries_lba * sector_size + (uint64_t)index * table->entry_size;
	return 0;
}

bool gpt_entry_has_type(const uint8_t entry[GPT_ENTRY_SIZE], const uint8_t type[GPT_GUID_SIZE])
{
	/* The first three fields are little-endian on disk and big-endian as text. */
	static const uint8_t order[GPT_GUID_SIZE] = {3, 2, 1,  0,  5,  4,  7,  6,
						     8, 9, 10, 11, 12, 13, 14, 15};

	for (int i = 0; i < GPT_GUID_SIZE; i++) {
		if (entry[order[i]] != type[i])
			return false;
	}
	return true;
}

int gpt_entry_begin(const uint8_t entry[GPT_ENTRY_SIZE], uint32_t sector_size, uint64_t *ret_offset,
		    struct error *err)
{
	uint64_t lba = get_le64(entry + FIRST_LBA_OFFSET);

	if (sector_size < 512 || sector_size > 65536 || lba > LBA_MAX)
		return error_set(err, ERROR_DEFECT, "a partition at sector %llu",
				 (unsigned long long)lba);
	*ret_offset = lba * sector_size;
	return 0;
}
