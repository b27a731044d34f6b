#include "initrd/disks.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "initrd/gpt.h"
#include "initrd/verity.h"

#define BLOCK_DEVICES "/sys/class/block"

/* Discoverable Partitions Specification: root and its hash tree, x86-64. */
static const uint8_t root_type[GPT_GUID_SIZE] = {0x4f, 0x68, 0xbc, 0xe3, 0xe8, 0xcd, 0x4d, 0xb1,
						 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09};
static const uint8_t verity_type[GPT_GUID_SIZE] = {0x2c, 0x73, 0x57, 0xed, 0xeb, 0xd2, 0x46, 0xd9,
						   0xae, 0xc1, 0x23, 0xd4, 0x37, 0xec, 0x2b, 0xf5};

static bool is_partition(const char *name)
{
	char path[DISK_PATH_SIZE];

	snprintf(path, sizeof(path), BLOCK_DEVICES "/%s/partition", name);
	return access(path, F_OK) == 0;
}

/* The entry of partition @number (from 1) of a disk. */
static int read_entry(int disk, const struct gpt *table, uint32_t number, uint32_t sector_size,
		      uint8_t entry[GPT_ENTRY_SIZE])
{
	struct error ignored;
	uint64_t offset;

	if (number == 0 ||
	    gpt_entry_offset(table, number - 1, sector_size, &offset, &ignored) < 0 ||
	    pread(disk, entry, GPT_ENTRY_SIZE, (off_t)offset) != GPT_ENTRY_SIZE)
		return -1;
	return 0;
}

/* Does a hash tree begin in this partition, and is it the one of our root? */
static bool holds_tree(int disk, const uint8_t entry[GPT_ENTRY_SIZE], uint32_t sector_size,
		       const uint8_t root_hash[ROOT_HASH_SIZE])
{
	uint8_t superblock[VERITY_SUPERBLOCK_SIZE];
	struct verity verity;
	struct error ignored;
	uint64_t offset;

	return gpt_entry_has_type(entry, verity_type) &&
	       gpt_entry_begin(entry, sector_size, &offset, &ignored) == 0 &&
	       pread(disk, superblock, sizeof(superblock), (off_t)offset) == sizeof(superblock) &&
	       verity_decode(superblock, &verity, &ignored) == 0 &&
	       memcmp(verity.uuid, root_hash, VERITY_UUID_SIZE) == 0;
}

/* Number of the tree's partition on the disk, from 2; 0 if it has none such. */
static uint32_t find_on(int disk, const uint8_t root_hash[ROOT_HASH_SIZE])
{
	uint8_t header[GPT_HEADER_SIZE];
	uint8_t entry[GPT_ENTRY_SIZE];
	int sector_size = 0;
	struct gpt table;
	struct error ignored;

	if (ioctl(disk, BLKSSZGET, &sector_size) < 0 ||
	    pread(disk, header, sizeof(header), sector_size) != sizeof(header) ||
	    gpt_decode(header, &table, &ignored) < 0)
		return 0;
	for (uint32_t number = 2; number <= table.entry_count; number++) {
		if (read_entry(disk, &table, number, (uint32_t)sector_size, entry) < 0)
			return 0;
		if (holds_tree(disk, entry, (uint32_t)sector_size, root_hash) &&
		    read_entry(disk, &table, number - 1, (uint32_t)sector_size, entry) == 0 &&
		    gpt_entry_has_type(entry, root_type))
			return number;
	}
	return 0;
}

static uint32_t find_on_disk(const char *name, const uint8_t root_hash[ROOT_HASH_SIZE])
{
	char path[DISK_PATH_SIZE];
	CLEANUP(close_fdp)
	int disk = -1;

	snprintf(path, sizeof(path), "/dev/%s", name);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	return disk < 0 ? 0 : find_on(disk, root_hash);
}

/* vda1, but nvme0n1p1 */
static void partition_path(const char *disk, uint32_t number, char path[DISK_PATH_SIZE])
{
	snprintf(path, DISK_PATH_SIZE, "/dev/%s%s%u", disk,
		 isdigit((unsigned char)disk[strlen(disk) - 1]) ? "p" : "", number);
}

int disks_find(const uint8_t root_hash[ROOT_HASH_SIZE], char ret_data[DISK_PATH_SIZE],
	       char ret_tree[DISK_PATH_SIZE], struct error *err)
{
	DIR *devices = opendir(BLOCK_DEVICES);
	const struct dirent *device;
	uint32_t number = 0;

	while (devices && number == 0 && (device = readdir(devices))) {
		const char *name = device->d_name;

		if (name[0] == '.' || is_partition(name))
			continue;
		number = find_on_disk(name, root_hash);
		if (number > 0) {
			partition_path(name, number - 1, ret_data);
			partition_path(name, number, ret_tree);
		}
	}
	if (devices)
		closedir(devices);
	return number > 0 ? 0 : error_set(err, ERROR_NOT_FOUND, "no slot has its hash tree");
}
