/* What the initrd reads from a disk or the firmware: no byte of it leads outside the limits. */
#include <stdlib.h>
#include <string.h>

#include "initrd/command_line.h"
#include "initrd/gpt.h"
#include "initrd/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_command_line(const uint8_t *data, size_t size)
{
	uint8_t hash[ROOT_HASH_SIZE];
	char *line = malloc(size + 1);
	struct error err;

	ASSERT(line);
	memcpy(line, data, size);
	line[size] = '\0';
	if (command_line_root_hash(line, hash, &err) == 0)
		ASSERT(strstr(line, "roothash="));
	if (command_line_compare(line, "ro", &err) == 0)
		ASSERT(strncmp(line, "ro", 2) == 0);
	free(line);
}

static void fuzz_sector(const uint8_t sector[512])
{
	static const uint8_t root_hash[32];
	char line[VERITY_TABLE_SIZE];
	struct verity verity;
	struct gpt table;
	struct error err;
	uint64_t offset;

	if (verity_decode(sector, &verity, &err) == 0)
		ASSERT(verity_table(&verity, "/dev/vda2", "/dev/vda3", root_hash, line, &err) == 0);
	if (gpt_decode(sector, &table, &err) == 0 && table.entry_count > 0) {
		ASSERT(gpt_entry_offset(&table, table.entry_count - 1, 65536, &offset, &err) == 0);
		ASSERT(offset < UINT64_C(1) << 60);
	}
	(void)gpt_entry_has_type(sector, root_hash);
	if (gpt_entry_begin(sector, 65536, &offset, &err) == 0)
		ASSERT(offset < UINT64_C(1) << 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_command_line(data, size);
	if (size >= 512)
		fuzz_sector(data);
	return 0;
}
