#include "updater/kernels.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Not *.efi, so that systemd-boot does not offer it. */
#define UNFINISHED "update.partial"

static void close_directoryp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

int kernels_list(int folder, struct kernels *ret_kernels, struct error *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_directoryp)
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *found;
	struct kernels kernels = {0};

	if (!directory) {
		error_set_errno(err, ERROR_FAILED, errno, "the folder of kernel images");
		if (fd >= 0)
			close(fd);
		return err->code;
	}
	while (kernels.count < KERNELS_MAX && (found = readdir(directory))) {
		if (entry_parse(found->d_name, &kernels.entries[kernels.count]))
			kernels.count++;
	}
	*ret_kernels = kernels;
	return 0;
}

const struct entry *kernels_find(const struct kernels *kernels, uint32_t version)
{
	for (size_t i = 0; i < kernels->count; i++) {
		if (kernels->entries[i].version == version)
			return &kernels->entries[i];
	}
	return NULL;
}

bool kernels_have_other(const struct kernels *kernels, uint32_t version)
{
	for (size_t i = 0; i < kernels->count; i++) {
		if (kernels->entries[i].version != version && !entry_is_bad(&kernels->entries[i]))
			return true;
	}
	return false;
}

static int sync_folder(int folder, struct error *err)
{
	if (syncfs(folder) < 0)
		return error_set_errno(err, ERROR_IO, errno, "writing the ESP");
	return 0;
}

int kernels_call_good(int folder, const struct entry *entry, struct error *err)
{
	const struct entry good = {.version = entry->version};
	char from[ENTRY_NAME_SIZE], to[ENTRY_NAME_SIZE];

	entry_name(entry, from);
	entry_name(&good, to);
	if (renameat(folder, from, folder, to) < 0)
		return error_set_errno(err, ERROR_IO, errno, "renaming %s to %s on the ESP", from,
				       to);
	return sync_folder(folder, err);
}

int kernels_remove_others(int folder, uint32_t version, struct error *err)
{
	char name[ENTRY_NAME_SIZE];
	struct kernels kernels;

	if (kernels_list(folder, &kernels, err) < 0)
		return err->code;
	if (unlinkat(folder, UNFINISHED, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_IO, errno, "removing %s", UNFINISHED);
	for (size_t i = 0; i < kernels.count; i++) {
		if (kernels.entries[i].version == version)
			continue;
		entry_name(&kernels.entries[i], name);
		if (unlinkat(folder, name, 0) < 0)
			return error_set_errno(err, ERROR_IO, errno, "removing %s", name);
	}
	return sync_folder(folder, err);
}

static int write_unfinished(int folder, const void *image, size_t size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = openat(folder, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const uint8_t *from = image;

	if (fd < 0)
		return error_set_errno(err, ERROR_IO, errno, "creating %s on the ESP", UNFINISHED);
	while (size > 0) {
		ssize_t count = write(fd, from, size);

		if (count < 0)
			return error_set_errno(err, ERROR_IO, errno,
					       "writing the kernel image to the ESP");
		from += count;
		size -= (size_t)count;
	}
	if (fsync(fd) < 0)
		return error_set_errno(err, ERROR_IO, errno, "writing the kernel image to the ESP");
	return sync_folder(folder, err);
}

int kernels_place(int folder, uint32_t version, const void *image, size_t size, struct error *err)
{
	const struct entry entry = {.version = version, .counted = true, .left = ENTRY_TRIES};
	char name[ENTRY_NAME_SIZE];

	entry_name(&entry, name);
	if (write_unfinished(folder, image, size, err) < 0)
		return err->code;
	if (renameat(folder, UNFINISHED, folder, name) < 0)
		return error_set_errno(err, ERROR_IO, errno, "naming the kernel image %s", name);
	return sync_folder(folder, err);
}
