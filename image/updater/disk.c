#include "updater/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "updater/update.h"

#define BLOCK_DEVICES "/sys/class/block"
#define KERNEL_FOLDER "EFI/Linux"
#define PATH_SIZE     512

int disk_uevent_value(const char *uevent, const char *key, char *ret_value, size_t size,
		      struct error *err)
{
	size_t key_length = strlen(key);

	for (const char *line = uevent; *line; line += line[0] == '\n') {
		size_t length = strcspn(line, "\n");

		if (length > key_length && strncmp(line, key, key_length) == 0 &&
		    line[key_length] == '=') {
			if (length - key_length > size)
				return error_set(err, ERROR_DEFECT, "%s is too long", key);
			memcpy(ret_value, line + key_length + 1, length - key_length - 1);
			ret_value[length - key_length - 1] = '\0';
			return 0;
		}
		line += length;
	}
	return error_set(err, ERROR_NOT_FOUND, "there is no %s", key);
}

/* The name that the partition has in the table; "" if it is no partition or has none. */
static void partition_name(const char *device, char name[DISK_NAME_SIZE])
{
	char path[PATH_SIZE], text[4096];
	CLEANUP(close_fdp)
	int fd = -1;
	ssize_t length;
	struct error ignored;

	snprintf(path, sizeof(path), BLOCK_DEVICES "/%s/uevent", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[length < 0 ? 0 : length] = '\0';
	if (disk_uevent_value(text, "PARTNAME", name, DISK_NAME_SIZE, &ignored) < 0)
		name[0] = '\0';
}

/* The disk of a partition: the folder above its own in sysfs. */
static bool disk_of(const char *partition, char disk[DISK_NAME_SIZE])
{
	char path[PATH_SIZE];
	CLEANUP(freep)
	char *real = NULL;
	char *end;

	snprintf(path, sizeof(path), BLOCK_DEVICES "/%s", partition);
	real = realpath(path, NULL);
	if (!real || !(end = strrchr(real, '/')))
		return false;
	*end = '\0';
	end = strrchr(real, '/');
	return end && snprintf(disk, DISK_NAME_SIZE, "%s", end + 1) < DISK_NAME_SIZE;
}

/* Calls @look for each name in a folder of sysfs until it returns true; whether it did. */
static bool any_in(const char *path, bool (*look)(const char *name, void *context), void *context)
{
	DIR *folder = opendir(path);
	const struct dirent *found;
	bool result = false;

	while (folder && !result && (found = readdir(folder))) {
		if (found->d_name[0] != '.')
			result = look(found->d_name, context);
	}
	if (folder)
		closedir(folder);
	return result;
}

struct wanted {
	const char *name; /* in the partition table */
	char disk[DISK_NAME_SIZE];
	char device[DISK_NAME_SIZE];
};

static bool is_wanted(const char *device, void *context)
{
	struct wanted *wanted = context;
	char name[DISK_NAME_SIZE], disk[DISK_NAME_SIZE];

	partition_name(device, name);
	if (strcmp(name, wanted->name) != 0 || !disk_of(device, disk) ||
	    strcmp(disk, wanted->disk) != 0)
		return false;
	snprintf(wanted->device, sizeof(wanted->device), "%.31s", device);
	return true;
}

struct running {
	char slot; /* 'a' or 'b' */
	char disk[DISK_NAME_SIZE];
};

static bool is_running_root(const char *device, void *context)
{
	struct running *running = context;
	char name[DISK_NAME_SIZE];

	partition_name(device, name);
	if (strcmp(name, "root_a") != 0 && strcmp(name, "root_b") != 0)
		return false;
	running->slot = name[strlen("root_")];
	return disk_of(device, running->disk);
}

/* The root is a dm-verity device; below it lie a root and a hash tree. */
static int find_running(struct running *ret_running, struct error *err)
{
	char path[PATH_SIZE];
	struct stat root;

	if (stat("/", &root) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "the root");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(root.st_dev),
		 minor(root.st_dev));
	if (!any_in(path, is_running_root, ret_running))
		return error_set(err, ERROR_NOT_FOUND,
				 "the running root lies in no partition root_a or root_b");
	return 0;
}

/* The path of a partition of our disk, by its name in the table. */
static int find_partition(const struct running *running, const char *name, char ret_path[PATH_SIZE],
			  struct error *err)
{
	struct wanted wanted = {.name = name};

	memcpy(wanted.disk, running->disk, sizeof(wanted.disk));
	if (!any_in(BLOCK_DEVICES, is_wanted, &wanted))
		return error_set(err, ERROR_NOT_FOUND, "disk %s has no partition %s", running->disk,
				 name);
	snprintf(ret_path, PATH_SIZE, "/dev/%s", wanted.device);
	return 0;
}

/* The file system on no path: it goes when its last descriptor is closed. Ours is the group: as
 * root without capabilities we open the folder by it. */
static int mount_esp(const char *path, uint32_t owner, struct error *err)
{
	CLEANUP(close_fdp)
	int context = fsopen("vfat", FSOPEN_CLOEXEC);
	CLEANUP(close_fdp)
	int mounted = -1;
	char uid[16];
	int folder;

	snprintf(uid, sizeof(uid), "%u", owner);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", path, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "uid", uid, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "umask", "0007", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "mounting the ESP %s", path);
	mounted = fsmount(context, FSMOUNT_CLOEXEC,
			  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	folder = mounted < 0 ? -1
			     : openat(mounted, KERNEL_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "the folder %s of the ESP %s",
				       KERNEL_FOLDER, path);
	return folder;
}

static int open_partition(const struct running *running, const char *kind, char slot, int *ret_fd,
			  struct error *err)
{
	char name[DISK_NAME_SIZE], path[PATH_SIZE];

	snprintf(name, sizeof(name), "%s_%c", kind, slot);
	if (find_partition(running, name, path, err) < 0)
		return err->code;
	/* O_EXCL: refused if anything has it in use */
	*ret_fd = open(path, O_WRONLY | O_EXCL | O_CLOEXEC);
	if (*ret_fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s (%s)", name, path);
	return 0;
}

int disk_open(uint32_t owner, int with_slot, struct disk *ret_disk, struct error *err)
{
	struct disk disk = {.kernels = -1, .root = -1, .verity = -1};
	struct running running = {0};
	char path[PATH_SIZE];

	if (find_running(&running, err) < 0 || find_partition(&running, "esp", path, err) < 0)
		return err->code;
	disk.slot = running.slot == 'a' ? 'b' : 'a';
	disk.kernels = mount_esp(path, owner, err);
	if (disk.kernels < 0)
		return err->code;
	if (with_slot && (open_partition(&running, "root", disk.slot, &disk.root, err) < 0 ||
			  open_partition(&running, "verity", disk.slot, &disk.verity, err) < 0)) {
		disk_release(&disk);
		return err->code;
	}
	*ret_disk = disk;
	return 0;
}

void disk_release(struct disk *disk)
{
	close_fdp(&disk->kernels);
	close_fdp(&disk->root);
	close_fdp(&disk->verity);
}

struct search {
	const char *own;
	struct disk_candidate *candidates;
	int count;
};

static bool begins_an_update(int fd)
{
	uint8_t sector[UPDATE_SECTOR_SIZE];

	return pread(fd, sector, sizeof(sector), 0) == sizeof(sector) && update_begins(sector);
}

/* Real disks have a device behind them; device-mapper, loop and memory disks have none. */
static bool open_candidate(const char *device, void *context)
{
	struct search *search = context;
	struct disk_candidate *candidate = &search->candidates[search->count];
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), BLOCK_DEVICES "/%s/device", device);
	if (strcmp(device, search->own) == 0 || access(path, F_OK) < 0 ||
	    strlen(device) >= DISK_NAME_SIZE)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", device);
	candidate->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (candidate->fd >= 0 && !begins_an_update(candidate->fd)) {
		close(candidate->fd);
	} else if (candidate->fd >= 0) {
		snprintf(candidate->name, sizeof(candidate->name), "%.31s", device);
		search->count++;
	}
	return search->count == DISK_CANDIDATES_MAX;
}

static int compare_names(const void *a, const void *b)
{
	const struct disk_candidate *first = a, *second = b;

	return strcmp(first->name, second->name);
}

int disk_candidates(struct disk_candidate ret_candidates[DISK_CANDIDATES_MAX], struct error *err)
{
	struct running running = {0};
	struct search search = {.own = running.disk, .candidates = ret_candidates};

	if (find_running(&running, err) < 0)
		return err->code;
	any_in(BLOCK_DEVICES, open_candidate, &search);
	/* sysfs has no order */
	qsort(ret_candidates, (size_t)search.count, sizeof(ret_candidates[0]), compare_names);
	return search.count;
}
