/*
 * Files as the vault uses them: below directory descriptors, written by durable appends only.
 *
 * Nothing here overwrites, truncates or renames a byte that is archived; there is no call for it.
 *
 * Durable: file_append_durable() returns 0 only when the bytes and the size are on stable storage.
 * Crash: after a failure any prefix of what was being appended may be in the file. Every error of
 * write or sync is final for that file: the caller never retries on the same one (ENOSPC, where
 * the kernel says that nothing was written, is ERROR_NO_SPACE and may be continued).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Buffers, offsets and sizes of direct I/O are multiples of this or of the device's own, larger. */
#define BLOCK_SIZE_MIN 4096u
#define BLOCK_SIZE_MAX 65536u

/* Open for reading: buffered (verify on a copy), or direct (from the device, past every cache). */
int file_open_read(int dir_fd, const char *path, struct error *err) MUST_CHECK;
int file_open_direct(int dir_fd, const char *path, struct error *err) MUST_CHECK;

/* Open an existing file for appending: O_WRONLY|O_APPEND|O_DIRECT. */
int file_open_append(int dir_fd, const char *path, struct error *err) MUST_CHECK;

/* Create a file that must not exist: O_CREAT|O_EXCL|O_WRONLY|O_APPEND|O_DIRECT; ERROR_EXISTS. */
int file_create(int dir_fd, const char *path, mode_t mode, struct error *err) MUST_CHECK;

/* Open a directory; _make creates it first if missing and makes its entry durable. */
int directory_open(int dir_fd, const char *path, struct error *err) MUST_CHECK;
int directory_make(int dir_fd, const char *path, mode_t mode, struct error *err) MUST_CHECK;

/*
 * Asked behind each write or fsync that the kernel calls durable, before anybody is told; 0 or
 * -errno.
 *
 * XFS that shuts down (its log cannot be written) while one is under way may report success, and
 * after the next mount the bytes or the name are not there: seen with Linux 6.18 in one of five
 * shutdowns under load. From that moment on its fstat() fails with EIO, so one that succeeds behind
 * the write proves that the write came before. ext4 fails the write itself.
 */
int file_confirm_durable(int fd) MUST_CHECK;

/* fsync of a directory or file, confirmed; an error is final. */
int file_sync(int fd, struct error *err) MUST_CHECK;

/* The size in bytes, from the inode. */
int file_size(int fd, uint64_t *ret_size, struct error *err) MUST_CHECK;

/*
 * Exactly @size bytes at @offset; ERROR_DEFECT if the file ends before. On a direct descriptor
 * buffer, offset and size are multiples of the block size.
 */
int file_read_exact(int fd, void *buffer, size_t size, uint64_t offset,
		    struct error *err) MUST_CHECK;

/* Up to @size bytes at @offset; returns how many, less than @size only at the end of the file. */
ssize_t file_read(int fd, void *buffer, size_t size, uint64_t offset, struct error *err) MUST_CHECK;

/*
 * Append @size bytes (a multiple of the block size, from aligned memory) with RWF_DSYNC, confirmed.
 * ERROR_NO_SPACE only when the kernel refused the first byte of this call: the file is as it was,
 * and the call may be repeated. Full after a part was written is ERROR_IO, like everything else:
 * the sentence says how much was written, and the file is finished for this writer.
 */
int file_append_durable(int fd, const void *buffer, size_t size, struct error *err) MUST_CHECK;

/*
 * Append @filler until the size is a multiple of @block: after a torn append, which may have ended
 * anywhere, direct I/O could not go on. Through the cache, and durable when it returns.
 */
int file_append_filler(int dir_fd, const char *path, char filler, uint32_t block,
		       struct error *err) MUST_CHECK;

/* Write a small file that replaces any other of this name, atomically and durably, whatever the
 * umask. For state outside the archive only: the login record, the last signed root. */
int file_replace(int dir_fd, const char *name, const void *bytes, size_t size, mode_t mode,
		 struct error *err) MUST_CHECK;

/* What direct I/O needs of size, offset and memory here (STATX_DIOALIGN), at least BLOCK_SIZE_MIN;
 * ERROR_USAGE with a sentence if this file system has no direct I/O. */
int file_block_size(int fd, uint32_t *ret_size, struct error *err) MUST_CHECK;

/* Free bytes for an unprivileged writer on the file system of @fd. */
int file_free_space(int fd, uint64_t *ret_size, struct error *err) MUST_CHECK;

/* Zeroed memory, aligned for any block size and rounded up to BLOCK_SIZE_MIN; free with free().
 * Never NULL. */
void *file_buffer_new(size_t size);

/*
 * What a file or directory is protected by. Flags are set by get-or-set: never clears another flag;
 * FILE_PROTECTION_NONE clears these two. ERROR_REFUSED without CAP_LINUX_IMMUTABLE, ERROR_USAGE if
 * the file system has no such flags. Of both, file_protection() tells the stronger.
 */
enum file_protection { FILE_PROTECTION_NONE, FILE_PROTECTION_APPEND, FILE_PROTECTION_IMMUTABLE };
int file_protect(int fd, enum file_protection protection, struct error *err) MUST_CHECK;
int file_protection(int fd, enum file_protection *ret_protection, struct error *err) MUST_CHECK;

/*
 * The proof that nobody has the file open for writing: a read lease (the caller owns the file or
 * has CAP_LEASE, and @fd is open read-only). ERROR_BUSY while a writer exists. Held until the
 * descriptor is closed; file_quiet() says whether it still is. A lease that a new writer breaks
 * sends SIGURG, which is ignored by default.
 */
int file_lease(int fd, struct error *err) MUST_CHECK;
bool file_quiet(int fd);
