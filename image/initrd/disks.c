#include "initrd/disks.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

#define BLOCK_DEVICES "/sys/class/block"

static bool is_partition(const char *name)
{
	char path[DISK_PATH_SIZE];

	snprintf(path, sizeof(path), BLOCK_DEVICES "/%s/partition", name);
	return access(path, F_OK) == 0;
}

/* Number of the partition on the disk, from 1; 0 if it has none such. */
static uint32_t find_on(int disk, const uint8_t guid[GPT_GUID_SIZE])
{
	uint8_t header[GPT_HEADER_SIZE];
	uint8_t entry[GPT_ENTRY_SIZE];
	int sector_size = 0;
	struct gpt table;
	struct error err;
	uint64_t offset;

	if (ioctl(disk, BLKSSZGET, &sector_size) < 0 ||
	    pread(disk, header, sizeof(header), sector_size) != sizeof(header) ||
	    gpt_decode(header, &table, &err) < 0)
		return 0;
	for (uint32_t i = 0; i < table.entry_count; i++) {
		if (gpt_entry_offset(&table, i, (uint32_t)sector_size, &offset, &err) < 0 ||
		    pread(disk, entry, sizeof(entry), (off_t)offset) != sizeof(entry))
			return 0;
		if (gpt_entry_has_guid(entry, guid))
			return i + 1;
	}
	return 0;
}

static uint32_t find_on_disk(const char *name, const uint8_t guid[GPT_GUID_SIZE])
{
	char path[DISK_PATH_SIZE];
	CLEANUP(close_fdp)
	int disk = -1;

	snprintf(path, sizeof(path), "/dev/%s", name);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	return disk < 0 ? 0 : find_on(disk, guid);
}

int disks_find(const uint8_t guid[GPT_GUID_SIZE], char ret_path[DISK_PATH_SIZE], struct error *err)
{
	DIR *devices = opendir(BLOCK_DEVICES);
	const struct dirent *device;
	uint32_t number = 0;

	while (devices && number == 0 && (device = readdir(devices))) {
		const char *name = device->d_name;

		if (name[0] == '.' || is_partition(name))
			continue;
		number = find_on_disk(name, guid);
		/* vda1, but nvme0n1p1 */
		if (number > 0)
			snprintf(ret_path, DISK_PATH_SIZE, "/dev/%s%s%u", name,
				 isdigit((unsigned char)name[strlen(name) - 1]) ? "p" : "", number);
	}
	if (devices)
		closedir(devices);
	return number > 0 ? 0 : error_set(err, ERROR_NOT_FOUND, "no partition has that GUID");
}
