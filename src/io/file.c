#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"

/* What the caller would do differently, by the system's reason. */
static int code_of(int reason)
{
	switch (reason) {
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EEXIST:
		return ERROR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERROR_REFUSED;
	case ENOSPC:
	case EDQUOT:
		return ERROR_NO_SPACE;
	case EWOULDBLOCK: /* a lease is being broken */
	case ETXTBSY:
		return ERROR_BUSY;
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case ENXIO:
	case ENAMETOOLONG:
		return ERROR_USAGE;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return ERROR_FAILED;
	default:
		return ERROR_IO;
	}
}

/*
 * O_NONBLOCK: neither a FIFO put in our way nor somebody's lease may stop us here for 45 seconds.
 * It is cleared again, because io_uring would make every write that waits fail with EAGAIN.
 */
static int open_file(int dir_fd, const char *path, int flags, mode_t mode, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct stat status;
	int saved_flags;

	fd = openat(dir_fd, path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, mode);
	if (fd < 0 && errno == EINVAL && (flags & O_DIRECT))
		return error_set(err, ERROR_USAGE,
				 "'%s' is on a file system without direct I/O; use ext4 or XFS",
				 path);
	if (fd < 0)
		return error_set_errno(err, code_of(errno), errno, "opening '%s'", path);
	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "reading the inode of '%s'", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERROR_USAGE, "'%s' is not a regular file", path);
	saved_flags = fcntl(fd, F_GETFL);
	if (saved_flags < 0 || fcntl(fd, F_SETFL, saved_flags & ~O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "setting flags of '%s'", path);
	return TAKE_FD(fd);
}

int file_open_read(int dir_fd, const char *path, struct error *err)
{
	return open_file(dir_fd, path, O_RDONLY, 0, err);
}

int file_open_direct(int dir_fd, const char *path, struct error *err)
{
	return open_file(dir_fd, path, O_RDONLY | O_DIRECT, 0, err);
}

int file_open_append(int dir_fd, const char *path, struct error *err)
{
	return open_file(dir_fd, path, O_WRONLY | O_APPEND | O_DIRECT, 0, err);
}

int file_create(int dir_fd, const char *path, mode_t mode, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;

	fd = open_file(dir_fd, path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_DIRECT, mode, err);
	if (fd < 0)
		return fd;
	/* what the umask took away; it belongs to the process, not to us */
	if (fchmod(fd, mode) < 0)
		return error_set_errno(err, code_of(errno), errno, "setting the mode of '%s'",
				       path);
	return TAKE_FD(fd);
}

int directory_open(int dir_fd, const char *path, struct error *err)
{
	/* a path from the configuration may go through symbolic links, one below a volume not */
	int nofollow = dir_fd == AT_FDCWD ? 0 : O_NOFOLLOW;
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);

	if (fd < 0)
		return error_set_errno(err, code_of(errno), errno, "opening directory '%s'", path);
	return fd;
}

static int sync_parent(int dir_fd, const char *path, struct error *err)
{
	CLEANUP(freep)
	char *parent = strdup(path);
	CLEANUP(close_fdp)
	int fd = -1;
	size_t length;
	char *slash;

	ASSERT(parent);
	for (length = strlen(parent); length > 1 && parent[length - 1] == '/'; length--)
		parent[length - 1] = '\0';
	slash = strrchr(parent, '/');
	if (slash == parent)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	fd = directory_open(dir_fd, slash ? parent : ".", err);
	if (fd < 0)
		return fd;
	return file_sync(fd, err);
}

int directory_make(int dir_fd, const char *path, mode_t mode, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct stat status;
	bool made = mkdirat(dir_fd, path, mode & 0777) == 0;
	int r;

	if (!made && errno != EEXIST)
		return error_set_errno(err, code_of(errno), errno, "making directory '%s'", path);
	fd = directory_open(dir_fd, path, err);
	if (fd < 0)
		return fd;
	if (made) {
		/* mkdir() ignores setgid and obeys the umask; a setgid inherited from the parent
		 * would be lost by a plain chmod */
		if (fstat(fd, &status) < 0 || fchmod(fd, mode | (status.st_mode & S_ISGID)) < 0)
			return error_set_errno(err, code_of(errno), errno,
					       "setting the mode of directory '%s'", path);
		r = file_sync(fd, err);
		if (r < 0)
			return error_prefix(err, "directory '%s'", path);
	}
	/* also if it was there: its maker may have crashed before this line */
	r = sync_parent(dir_fd, path, err);
	if (r < 0)
		return error_prefix(err, "parent of directory '%s'", path);
	return TAKE_FD(fd);
}

int file_confirm_durable(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? -errno : 0;
}

static int confirm(int fd, struct error *err)
{
	int r = file_confirm_durable(fd);

	if (r < 0)
		return error_set_errno(err, ERROR_IO, -r,
				       "the file system has shut down, and what it called durable "
				       "last may not be; the kernel's log says why");
	return 0;
}

int file_sync(int fd, struct error *err)
{
	if (fsync(fd) < 0)
		return error_set_errno(err, ERROR_IO, errno, "fsync failed");
	return confirm(fd, err);
}

int file_size(int fd, uint64_t *ret_size, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "reading the size of a file");
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

ssize_t file_read(int fd, void *buffer, size_t size, uint64_t offset, struct error *err)
{
	uint8_t *out = buffer;
	size_t done = 0;
	uint64_t end = 0;
	int r;

	if (offset > INT64_MAX - size)
		return error_set(err, ERROR_DEFECT, "offset %ju lies beyond every file",
				 (uintmax_t)offset);
	while (done < size) {
		ssize_t n = pread(fd, out + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_IO, errno, "reading %zu bytes at %ju",
					       size - done, (uintmax_t)(offset + done));
		if (n == 0)
			break;
		done += (size_t)n;
		if (done == size)
			break;
		/* behind an end that is not a whole block, direct I/O says EINVAL instead of 0 */
		r = file_size(fd, &end, err);
		if (r < 0)
			return r;
		if (offset + done >= end)
			break;
	}
	return (ssize_t)done;
}

int file_read_exact(int fd, void *buffer, size_t size, uint64_t offset, struct error *err)
{
	ssize_t n = file_read(fd, buffer, size, offset, err);

	if (n < 0)
		return (int)n;
	if ((size_t)n != size)
		return error_set(err, ERROR_DEFECT, "the file ends at %ju, %zu bytes too early",
				 (uintmax_t)(offset + (size_t)n), size - (size_t)n);
	return 0;
}

int file_append_durable(int fd, const void *buffer, size_t size, struct error *err)
{
	const uint8_t *in = buffer;
	size_t done = 0;

	ASSERT(size % BLOCK_SIZE_MIN == 0);
	while (done < size) {
		struct iovec part = {
			/* the kernel's type is shared with reading; writing leaves it alone */
			.iov_base = (void *)(uintptr_t)(in + done),
			.iov_len = size - done,
		};
		ssize_t n = pwritev2(fd, &part, 1, 0, RWF_DSYNC | RWF_APPEND);

		/* not even EINTR is repeated: on a network file system the write may have happened
		 */
		if (n < 0 && done == 0 && (errno == ENOSPC || errno == EDQUOT))
			return error_set_errno(err, ERROR_NO_SPACE, errno, "appending %zu bytes",
					       size);
		if (n < 0)
			return error_set_errno(err, ERROR_IO, errno,
					       "appending %zu bytes, of which %zu are written",
					       size, done);
		done += (size_t)n;
		if (n == 0 || done % BLOCK_SIZE_MIN != 0)
			return error_set(err, ERROR_IO,
					 "appending %zu bytes, the write stopped after %zu", size,
					 done);
	}
	return confirm(fd, err);
}

static int write_all(int fd, const void *bytes, size_t size, struct error *err)
{
	const uint8_t *in = bytes;

	while (size > 0) {
		ssize_t n = write(fd, in, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, code_of(errno), errno, "writing %zu bytes",
					       size);
		in += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_append_filler(int dir_fd, const char *path, char filler, uint32_t block, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	CLEANUP(freep)
	char *bytes = NULL;
	uint64_t size = 0;
	size_t missing;
	int r;

	fd = open_file(dir_fd, path, O_WRONLY | O_APPEND, 0, err);
	if (fd < 0)
		return fd;
	r = file_size(fd, &size, err);
	if (r < 0)
		return r;
	missing = (size_t)(round_up(size, block) - size);
	if (missing == 0)
		return 0;
	bytes = malloc(missing);
	ASSERT(bytes);
	memset(bytes, filler, missing);
	r = write_all(fd, bytes, missing, err);
	if (r == 0)
		r = file_sync(fd, err);
	return r < 0 ? error_prefix(err, "filling up '%s'", path) : 0;
}

int file_replace(int dir_fd, const char *name, const void *bytes, size_t size, mode_t mode,
		 struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char temporary[256];
	int r;

	r = snprintf(temporary, sizeof(temporary), ".%s.new", name);
	ASSERT(r > 0 && (size_t)r < sizeof(temporary) && !strchr(name, '/'));
	/* one that a crash left behind */
	if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, code_of(errno), errno, "removing '%s'", temporary);
	fd = open_file(dir_fd, temporary, O_CREAT | O_EXCL | O_WRONLY, 0600, err);
	if (fd < 0)
		return fd;
	r = write_all(fd, bytes, size, err);
	if (r == 0 && mode != 0600 && fchmod(fd, mode) < 0)
		r = error_set_errno(err, code_of(errno), errno, "mode of '%s'", temporary);
	if (r == 0)
		r = file_sync(fd, err);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = error_set_errno(err, code_of(errno), errno, "renaming '%s'", temporary);
	if (r < 0) {
		unlinkat(dir_fd, temporary, 0);
		return error_prefix(err, "replacing '%s'", name);
	}
	r = file_sync(dir_fd, err);
	return r < 0 ? error_prefix(err, "the directory of '%s'", name) : 0;
}

int file_block_size(int fd, uint32_t *ret_size, struct error *err)
{
	struct statx status;
	uint32_t block;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "asking for the block size");
	if (!(status.stx_mask & STATX_DIOALIGN)) {
		/* older than Linux 6.1, or a file system that does not tell: no disk there needs
		 * more than a page, and one that cannot has refused O_DIRECT at open */
		*ret_size = BLOCK_SIZE_MIN;
		return 0;
	}
	if (status.stx_dio_offset_align == 0)
		return error_set(err, ERROR_USAGE,
				 "this file system has no direct I/O; use ext4 or XFS");
	block = MAX(status.stx_dio_offset_align, status.stx_dio_mem_align);
	block = MAX(block, BLOCK_SIZE_MIN);
	if (block > BLOCK_SIZE_MAX || (block & (block - 1)) != 0)
		return error_set(err, ERROR_USAGE,
				 "direct I/O in blocks of %u bytes: a power of two up to %u is "
				 "supported",
				 block, BLOCK_SIZE_MAX);
	*ret_size = block;
	return 0;
}

int file_free_space(int fd, uint64_t *ret_size, struct error *err)
{
	struct statvfs status;
	uint64_t size;

	if (fstatvfs(fd, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "asking for free space");
	if (checked_mul((uint64_t)status.f_bavail, (uint64_t)status.f_frsize, &size))
		size = UINT64_MAX;
	*ret_size = size;
	return 0;
}

void *file_buffer_new(size_t size)
{
	void *buffer = NULL;
	size_t whole = (size_t)round_up(MAX(size, (size_t)1), BLOCK_SIZE_MIN);
	int r = posix_memalign(&buffer, BLOCK_SIZE_MAX, whole);

	ASSERT(r == 0 && whole >= size);
	/* padding goes to disk: it must not be somebody's old memory */
	memset(buffer, 0, whole);
	return buffer;
}

static int flags_get(int fd, int *ret_flags, struct error *err)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		*ret_flags = flags;
		return 0;
	}
	if (errno == ENOTTY || errno == EOPNOTSUPP)
		return error_set(err, ERROR_USAGE,
				 "this file system has no append-only and immutable flags; use "
				 "ext4 or XFS, or worm = advisory");
	return error_set_errno(err, code_of(errno), errno, "reading protection flags");
}

int file_protect(int fd, enum file_protection protection, struct error *err)
{
	const int both = FS_APPEND_FL | FS_IMMUTABLE_FL;
	int before = 0;
	int flags;
	int r = flags_get(fd, &before, err);

	if (r < 0)
		return r;
	/* a bare FS_APPEND_FL would clear the extents flag and rewrite an ext4 file's block map */
	if (protection == FILE_PROTECTION_NONE)
		flags = before & ~both;
	else
		flags = before |
			(protection == FILE_PROTECTION_APPEND ? FS_APPEND_FL : FS_IMMUTABLE_FL);
	if (flags == before || ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return error_set_errno(err, ERROR_REFUSED, errno,
				       "setting protection flags needs CAP_LINUX_IMMUTABLE");
	if (errno == ENOTTY || errno == EOPNOTSUPP)
		return error_set_errno(err, ERROR_USAGE, errno,
				       "this file system refuses protection flags");
	return error_set_errno(err, ERROR_IO, errno, "setting protection flags");
}

int file_protection(int fd, enum file_protection *ret_protection, struct error *err)
{
	int flags = 0;
	int r = flags_get(fd, &flags, err);

	if (r < 0)
		return r;
	*ret_protection = flags & FS_IMMUTABLE_FL ? FILE_PROTECTION_IMMUTABLE
			  : flags & FS_APPEND_FL  ? FILE_PROTECTION_APPEND
						  : FILE_PROTECTION_NONE;
	return 0;
}

int file_lease(int fd, struct error *err)
{
	/* A broken lease sends SIGIO, which kills; SIGURG is ignored by default. file_quiet() asks.
	 */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "choosing the signal of a lease");
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return 0;
	switch (errno) {
	case EAGAIN:
		return error_set(err, ERROR_BUSY, "the file is still open for writing");
	case EACCES:
	case EPERM:
		return error_set_errno(err, ERROR_REFUSED, errno,
				       "a lease needs the file's owner or CAP_LEASE");
	case EINVAL:
	case ENOLCK:
		return error_set_errno(err, ERROR_USAGE, errno,
				       "this file system has no leases; use ext4 or XFS");
	default:
		return error_set_errno(err, ERROR_IO, errno, "taking a lease");
	}
}

bool file_quiet(int fd)
{
	return fcntl(fd, F_GETLEASE) == F_RDLCK;
}
