#include "restore/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "io/file.h"
#include "protocol/manifest.h"

#define BUFFER_SIZE    ((size_t)1 << 20)
#define TAR_MODE       0440
#define ENTRY_MODE     0440
#define WRITEBACK_SIZE ((uint64_t)8 << 20) /* as output.c */

struct tar {
	int directory_fd;
	int fd;
	char top[EXPORT_NAME_MAX + 1];
	struct archive *writer;
	struct archive_entry *entry;
	struct hasher *hasher;
	uint8_t *buffer;
	uint64_t written, writeback; /* offsets in the tar */
	bool abandoned;		     /* nothing more is written */
	struct error failure;	     /* of the last write, code 0: none */
};

/* --- libarchive ------------------------------------------------------------------------------ */

/* Its callback; our own sentence is kept for whoever called libarchive. */
static la_ssize_t write_some(struct archive *writer, void *context, const void *bytes, size_t size)
{
	struct tar *tar = context;
	ssize_t n;

	if (tar->abandoned)
		return -1;
	do
		n = write(tar->fd, bytes, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			error_set(&tar->failure, ERROR_NO_SPACE,
				  "the export's file system is full at '" MANIFEST_TAR_FILE
				  "': free space, then restore again");
		else
			error_set_errno(&tar->failure, ERROR_IO, errno,
					"writing '" MANIFEST_TAR_FILE "'");
		archive_set_error(writer, EIO, "%s", tar->failure.message);
		return -1;
	}
	tar->written += (uint64_t)n;
	if (tar->written - tar->writeback >= WRITEBACK_SIZE &&
	    sync_file_range(tar->fd, (off_t)tar->writeback, (off_t)(tar->written - tar->writeback),
			    SYNC_FILE_RANGE_WRITE) == 0)
		tar->writeback = tar->written;
	return n;
}

static int fail(struct tar *tar, struct error *err)
{
	const char *sentence = archive_error_string(tar->writer);

	if (tar->failure.code) {
		*err = tar->failure;
		return err->code;
	}
	return error_set(err, ERROR_FAILED, "libarchive: %.200s", sentence ? sentence : "?");
}

/*
 * It asks iconv for the way from the locale's characters to UTF-8. The programs stay in the "C"
 * locale, and from there the C library itself knows the way: it loads no module, which the sandbox
 * would not allow. (hdrcharset=BINARY would not ask, but writes an extension per entry that GNU tar
 * warns of.) Blocks are not collected: ours are large.
 */
static int open_writer(struct tar *tar, struct error *err)
{
	tar->writer = archive_write_new();
	tar->entry = archive_entry_new();
	ASSERT(tar->writer && tar->entry);
	if (archive_write_set_format_pax_restricted(tar->writer) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(tar->writer, 0) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(tar->writer, 1) != ARCHIVE_OK ||
	    archive_write_open(tar->writer, tar, NULL, write_some, NULL) != ARCHIVE_OK)
		return fail(tar, err);
	return 0;
}

static int begin_entry(struct tar *tar, const char *name, uint64_t size, struct error *err)
{
	char path[EXPORT_NAME_MAX + BINLOG_NAME_MAX + 2];
	int length = snprintf(path, sizeof(path), "%s/%s", tar->top, name);

	ASSERT(length > 0 && (size_t)length < sizeof(path));
	archive_entry_clear(tar->entry);
	archive_entry_set_pathname(tar->entry, path);
	archive_entry_set_filetype(tar->entry, AE_IFREG);
	archive_entry_set_perm(tar->entry, ENTRY_MODE);
	archive_entry_set_uid(tar->entry, 0);
	archive_entry_set_gid(tar->entry, 0);
	archive_entry_set_mtime(tar->entry, 0, 0);
	archive_entry_set_size(tar->entry, (int64_t)size);
	return archive_write_header(tar->writer, tar->entry) == ARCHIVE_OK ? 0 : fail(tar, err);
}

static int write_bytes(struct tar *tar, const void *bytes, size_t size, struct error *err)
{
	return archive_write_data(tar->writer, bytes, size) == (la_ssize_t)size ? 0
										: fail(tar, err);
}

static int end_entry(struct tar *tar, struct error *err)
{
	return archive_write_finish_entry(tar->writer) == ARCHIVE_OK ? 0 : fail(tar, err);
}

/* --- the tar --------------------------------------------------------------------------------- */

int tar_new(int directory_fd, const char *top, struct tar **ret_tar, struct error *err)
{
	CLEANUP(tar_freep)
	struct tar *tar = calloc(1, sizeof(*tar));
	int r;

	ASSERT(tar && strlen(top) < sizeof(tar->top));
	tar->directory_fd = directory_fd;
	memcpy(tar->top, top, strlen(top));
	tar->hasher = hasher_new();
	tar->buffer = file_buffer_new(BUFFER_SIZE);
	/* Nobody changes it afterwards by its name. */
	tar->fd = openat(directory_fd, MANIFEST_TAR_FILE,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, TAR_MODE);
	if (tar->fd < 0)
		return error_set_errno(err, errno == EEXIST ? ERROR_EXISTS : ERROR_IO, errno,
				       "creating '" MANIFEST_TAR_FILE
				       "' in the export's directory");
	r = open_writer(tar, err);
	if (r < 0)
		return r;
	*ret_tar = TAKE(tar);
	return 0;
}

void tar_free(struct tar *tar)
{
	if (!tar)
		return;
	/* Closing releases what freeing alone does not after a failure, and would write an end to
	 * what has none. */
	tar->abandoned = true;
	if (tar->writer)
		(void)archive_write_close(tar->writer);
	archive_write_free(tar->writer);
	archive_entry_free(tar->entry);
	close_fdp(&tar->fd);
	hasher_free(tar->hasher);
	free(tar->buffer);
	free(tar);
}

static int copy(struct tar *tar, int fd, uint64_t size, struct error *err)
{
	for (uint64_t offset = 0; offset < size;) {
		size_t piece = (size_t)MIN((uint64_t)BUFFER_SIZE, size - offset);
		int r = file_read_exact(fd, tar->buffer, piece, offset, err);

		if (r == 0)
			r = write_bytes(tar, tar->buffer, piece, err);
		if (r < 0)
			return r;
		hasher_update(tar->hasher, tar->buffer, piece);
		offset += piece;
	}
	return 0;
}

/* The bytes of @fd become an entry, and its file goes. */
static int take(struct tar *tar, const char *name, int fd, uint64_t size, struct error *err)
{
	int r;

	hasher_start(tar->hasher);
	r = begin_entry(tar, name, size, err);
	if (r == 0)
		r = copy(tar, fd, size, err);
	if (r == 0)
		r = end_entry(tar, err);
	if (r == 0 && unlinkat(tar->directory_fd, name, 0) < 0)
		r = error_set_errno(err, ERROR_IO, errno, "removing it");
	return r;
}

int tar_take(struct tar *tar, const struct output_file *file, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(tar->directory_fd, file->name, err);
	struct hash hash;
	int r = fd < 0 ? fd : take(tar, file->name, fd, file->size, err);

	if (r < 0)
		return error_prefix(err, "moving '%s' into the tar", file->name);
	hasher_finish(tar->hasher, &hash);
	if (memcmp(hash.bytes, file->hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "'%s' was changed between being written and being read again",
				 file->name);
	return 0;
}

int tar_take_small(struct tar *tar, const char *name, size_t size_max, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(tar->directory_fd, name, err);
	uint64_t size = 0;
	int r = fd < 0 ? fd : file_size(fd, &size, err);

	if (r == 0 && size > size_max)
		r = error_set(err, ERROR_DEFECT, "it has %" PRIu64 " bytes", size);
	if (r == 0)
		r = take(tar, name, fd, size, err);
	return r < 0 ? error_prefix(err, "moving '%s' into the tar", name) : 0;
}

int tar_add(struct tar *tar, const char *name, const void *bytes, size_t size, struct error *err)
{
	int r = begin_entry(tar, name, size, err);

	if (r == 0)
		r = write_bytes(tar, bytes, size, err);
	return r < 0 ? r : end_entry(tar, err);
}

int tar_finish(struct tar *tar, struct error *err)
{
	int r = archive_write_close(tar->writer) == ARCHIVE_OK ? 0 : fail(tar, err);

	return r < 0 ? r : file_sync(tar->fd, err);
}
