#include "provision/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATH_SIZE 512

int text_read(const char *path, char *ret_text, size_t size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, ret_text, size);

	if (length < 0)
		return error_set_errno(err, ERROR_IO, errno, "%s", path);
	if ((size_t)length == size)
		return error_set(err, ERROR_USAGE, "%s is too long: over %zu bytes", path,
				 size - 1);
	ret_text[length] = '\0';
	return 0;
}

int text_read_if_there(const char *path, char *ret_text, size_t size, struct error *err)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return text_read(path, ret_text, size, err);
	ret_text[0] = '\0';
	return 0;
}

int text_write(const char *path, const char *text, mode_t mode, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	return 0;
}

static int sync_directory_of(const char *path, struct error *err)
{
	char directory[PATH_SIZE];
	CLEANUP(close_fdp)
	int fd = -1;

	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", directory);
	return 0;
}

int text_replace(const char *path, const char *text, mode_t mode, struct error *err)
{
	char fresh[PATH_SIZE];

	ASSERT(path[0] == '/' && strlen(path) + sizeof(".new") <= sizeof(fresh));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if (text_write(fresh, text, mode, err) < 0)
		return err->code;
	if (rename(fresh, path) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	return sync_directory_of(path, err);
}

int folder_make(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	return 0;
}
