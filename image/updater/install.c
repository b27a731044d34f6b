#include "updater/install.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "updater/update.h"
#include "updater/kernels.h"

int install_permits(uint32_t version, uint32_t running, uint32_t floor, struct error *err)
{
	if (version < floor)
		return error_set(err, ERROR_REFUSED,
				 "version %u is below %u, the oldest that this vault lets run",
				 version, floor);
	if (version <= running)
		return error_set(err, ERROR_REFUSED,
				 "version %u is not newer than version %u, which runs; take the "
				 "disk out",
				 version, running);
	return 0;
}

/* A version that did not come up would be installed again after each fall-back. */
static int check_tried(const struct install *install, uint32_t version, struct error *err)
{
	struct kernels kernels;
	const struct entry *entry;

	if (kernels_list(install->disk->kernels, &kernels, err) < 0)
		return err->code;
	entry = kernels_find(&kernels, version);
	if (entry && entry_is_bad(entry))
		return error_set(err, ERROR_REFUSED,
				 "version %u was tried %u times and did not come up; bring a newer "
				 "one",
				 version, entry->done);
	return 0;
}

static int check_room(int partition, uint64_t size, const char *name, struct error *err)
{
	uint64_t room = 0;

	if (ioctl(partition, BLKGETSIZE64, &room) < 0)
		return error_set_errno(err, ERROR_IO, errno, "the size of the slot for %s", name);
	if (size > room)
		return error_set(err, ERROR_NO_SPACE,
				 "%s has %llu bytes, and its slot on this disk %llu; the disk has "
				 "to be written anew with the image of the new version",
				 name, (unsigned long long)size, (unsigned long long)room);
	return 0;
}

static int check(const struct install *install, const struct manifest *manifest, struct error *err)
{
	if (install_permits(manifest->version, install->running.version, install->floor, err) < 0 ||
	    check_tried(install, manifest->version, err) < 0 ||
	    check_room(install->disk->verity, manifest->files[MANIFEST_HASH].size,
		       manifest_file_names[MANIFEST_HASH], err) < 0 ||
	    check_room(install->disk->root, manifest->files[MANIFEST_ROOT].size,
		       manifest_file_names[MANIFEST_ROOT], err) < 0)
		return err->code;
	return 0;
}

static int write_partition(void *context, const void *bytes, size_t size, struct error *err)
{
	const int *partition = context;
	const char *from = bytes;

	while (size > 0) {
		ssize_t count = write(*partition, from, size);

		if (count < 0)
			return error_set_errno(err, ERROR_IO, errno, "writing the slot");
		from += count;
		size -= (size_t)count;
	}
	return 0;
}

static int fill(int partition, struct update *update, const struct manifest *manifest,
		enum manifest_file file, struct error *err)
{
	const struct update_sink sink = {.write = write_partition, .context = &partition};

	if (lseek(partition, 0, SEEK_SET) < 0)
		return error_set_errno(err, ERROR_IO, errno, "the slot");
	if (update_copy(update, manifest, file, &sink, err) < 0)
		return err->code;
	if (fsync(partition) < 0)
		return error_set_errno(err, ERROR_IO, errno, "writing the slot");
	return 0;
}

static int write_all(const struct install *install, struct update *update,
		     const struct manifest *manifest, struct error *err)
{
	const struct disk *disk = install->disk;
	const uint8_t *image;
	size_t size;

	if (update_read_kernel(update, manifest, install->secure_boot, &image, &size, err) < 0 ||
	    kernels_remove_others(disk->kernels, install->running.version, err) < 0 ||
	    fill(disk->verity, update, manifest, MANIFEST_HASH, err) < 0 ||
	    fill(disk->root, update, manifest, MANIFEST_ROOT, err) < 0 ||
	    kernels_place(disk->kernels, manifest->version, image, size, err) < 0)
		return err->code;
	return 0;
}

int install_from(const struct install *install, int fd, const char *name,
		 enum install_result *ret_result, struct error *err)
{
	CLEANUP(update_freep)
	struct update *update = NULL;
	struct manifest manifest;

	*ret_result = INSTALL_NOTHING;
	if (update_open(fd, &update, err) < 0 ||
	    update_read_manifest(update, install->keys, &manifest, err) < 0)
		return error_prefix(err, "the update on %s", name);
	if (manifest.version == install->running.version) {
		printf("UPDATE version %u of %s runs already; take the disk out\n",
		       manifest.version, name);
		return 0;
	}
	if (check(install, &manifest, err) < 0)
		return error_prefix(err, "the update on %s", name);
	printf("UPDATE installing version %u from %s in slot %c\n", manifest.version, name,
	       install->disk->slot);
	if (write_all(install, update, &manifest, err) < 0)
		return error_prefix(err, "the update on %s", name);
	printf("UPDATE version %u is installed in slot %c\n", manifest.version,
	       install->disk->slot);
	*ret_result = INSTALL_DONE;
	return 0;
}
