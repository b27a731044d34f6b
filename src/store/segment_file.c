#include "store/segment_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "store/store_parts.h"

#define SEGMENT_DEPTH_MAX 4 /* segments/<source>/<month>/<file>, and nothing deeper */

int segment_path(const struct segment_header *header, const char *month,
		 char path[static SEGMENT_PATH_SIZE], struct error *err)
{
	char id[HEX_SIZE(SEGMENT_ID_SIZE)];
	int r = name_check_source(header->source, err);
	int length;

	if (r == 0)
		r = name_check_binlog(header->binlog_file, err);
	if (r < 0)
		return r;
	hex_encode(header->segment_id, SEGMENT_ID_SIZE, id);
	length = snprintf(path, SEGMENT_PATH_SIZE, "%s/%s/%s/%s.%" PRIu64 ".%s.seg",
			  SEGMENTS_DIRECTORY, header->source, month, header->binlog_file,
			  header->start_position, id);
	ASSERT(length > 0 && length < SEGMENT_PATH_SIZE);
	return segment_path_check(path, err);
}

void segment_files_release(struct segment_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (files->fds[i] >= 0)
			close(files->fds[i]);
		files->fds[i] = -1;
	}
}

/* segments/<source>/<month>, each made, protected and durable in its parent; the descriptor. */
static int open_month(const struct store *store, const struct store_volume *volume,
		      const char *source, const char *month, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char path[SEGMENT_PATH_SIZE];
	int r = 0;

	for (int level = 0; r == 0 && level < 2; level++) {
		snprintf(path, sizeof(path), level ? "%s/%s/%s" : "%s/%s", SEGMENTS_DIRECTORY,
			 source, month);
		if (fd >= 0)
			close(fd);
		fd = directory_make(volume->root_fd, path, STORE_DIRECTORY_MODE, err);
		if (fd < 0)
			return fd;
		r = store_adopt(store, fd, STORE_DIRECTORY_MODE, FILE_PROTECTION_APPEND, err);
		if (r == 0)
			r = file_sync(fd, err);
	}
	return r < 0 ? error_prefix(err, "directory '%s'", path) : TAKE_FD(fd);
}

static int create_file(const struct store *store, const struct store_volume *volume,
		       const char *path, const char *month, const uint8_t *block,
		       const struct segment_header *header, int *ret_fd, struct error *err)
{
	CLEANUP(close_fdp)
	int month_fd = open_month(store, volume, header->source, month, err);
	CLEANUP(close_fdp)
	int fd = -1;
	int r;

	if (month_fd < 0)
		return month_fd;
	fd = file_create(month_fd, strrchr(path, '/') + 1, STORE_FILE_MODE, err);
	if (fd < 0)
		return fd;
	r = file_append_durable(fd, block, header->block_size, err);
	if (r == 0)
		r = store_adopt(store, fd, STORE_FILE_MODE, FILE_PROTECTION_APPEND, err);
	if (r == 0)
		r = file_sync(fd, err);
	if (r == 0)
		r = file_sync(month_fd, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int segment_files_create(struct store *store, const uint8_t header[static SEGMENT_HEADER_SIZE],
			 const char *month, struct segment_files *ret_files, struct error *err)
{
	CLEANUP(freep)
	uint8_t *block = NULL;
	CLEANUP(segment_files_release)
	struct segment_files files = {.count = store->volume_count};
	struct segment_header meaning;
	int r = segment_header_decode(header, &meaning, err);

	memset(files.fds, 0xff, sizeof(files.fds)); /* -1 each */
	ASSERT(store->access == STORE_WRITE);
	if (r == 0 && meaning.block_size < store->block_size)
		r = error_set(err, ERROR_USAGE,
			      "blocks of %" PRIu32 " bytes where %" PRIu32 " are needed",
			      meaning.block_size, store->block_size);
	if (r == 0)
		r = segment_path(&meaning, month, files.path, err);
	if (r < 0)
		return error_prefix(err, "creating a segment");
	block = file_buffer_new(meaning.block_size); /* zeroed */
	memcpy(block, header, SEGMENT_HEADER_SIZE);
	for (size_t i = 0; i < store->volume_count; i++) {
		r = create_file(store, &store->volumes[i], files.path, month, block, &meaning,
				&files.fds[i], err);
		if (r < 0)
			return error_prefix(err, "creating segment '%s/%s'", store->volumes[i].path,
					    files.path);
	}
	*ret_files = files;
	files.count = 0; /* given away */
	return 0;
}

int segment_file_open(const struct store *store, size_t volume, const char *path,
		      enum segment_access access, struct error *err)
{
	int r = segment_path_check(path, err);

	ASSERT(volume < store->volume_count);
	if (r < 0)
		return r;
	switch (access) {
	case SEGMENT_DIRECT:
		r = file_open_direct(store->volumes[volume].root_fd, path, err);
		break;
	case SEGMENT_APPEND:
		r = file_open_append(store->volumes[volume].root_fd, path, err);
		break;
	case SEGMENT_BUFFERED:
	default:
		r = file_open_read(store->volumes[volume].root_fd, path, err);
		break;
	}
	return r < 0 ? error_prefix(err, "'%s'", store->volumes[volume].path) : r;
}

int segment_file_size(const struct store *store, size_t volume, const char *path,
		      uint64_t *ret_size, struct error *err)
{
	struct stat status;
	int r = segment_path_check(path, err);

	ASSERT(volume < store->volume_count);
	if (r < 0)
		return r;
	if (fstatat(store->volumes[volume].root_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, errno,
				       "'%s/%s'", store->volumes[volume].path, path);
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

int segment_file_protect_immutable(const struct store *store, int fd, struct error *err)
{
	int r = 0;

	if (store->worm == WORM_REQUIRED)
		r = file_protect(fd, FILE_PROTECTION_IMMUTABLE, err);
	return r < 0 ? r : file_sync(fd, err);
}

/* --- listing --------------------------------------------------------------------------------- */

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

struct listing {
	segment_file_found *callback;
	void *context;
};

static int list_directory(const struct listing *listing, int dir_fd, const char *path, int depth,
			  struct error *err);

static int list_entry(const struct listing *listing, int dir_fd, const char *path, const char *name,
		      int depth, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char below[SEGMENT_PATH_SIZE + 512];
	struct stat status;

	snprintf(below, sizeof(below), "%s/%s", path, name);
	if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, ERROR_IO, errno, "'%s'", below);
	if (!S_ISDIR(status.st_mode) || depth >= SEGMENT_DEPTH_MAX)
		return listing->callback(listing->context, below, (uint64_t)status.st_size, err);
	fd = directory_open(dir_fd, name, err);
	if (fd < 0)
		return error_prefix(err, "'%s'", path);
	return list_directory(listing, fd, below, depth + 1, err);
}

/* Depth is bounded, so is recursion. */
static int list_directory(const struct listing *listing, int dir_fd, const char *path, int depth,
			  struct error *err)
{
	CLEANUP(closedirp)
	DIR *directory = NULL;
	const struct dirent *entry;
	int fd = directory_open(dir_fd, ".", err);
	int r = 0;

	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	ASSERT(directory);
	while (r >= 0 && (errno = 0, entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = list_entry(listing, dir_fd, path, entry->d_name, depth, err);
	}
	if (r >= 0 && errno)
		r = error_set_errno(err, ERROR_IO, errno, "reading directory '%s'", path);
	return r < 0 ? r : 0;
}

int segment_files_walk(int root_fd, segment_file_found *callback, void *context, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = directory_open(root_fd, SEGMENTS_DIRECTORY, err);
	const struct listing listing = {callback, context};

	return fd < 0 ? fd : list_directory(&listing, fd, SEGMENTS_DIRECTORY, 1, err);
}

int segment_files_list(const struct store *store, size_t volume, segment_file_found *callback,
		       void *context, struct error *err)
{
	ASSERT(volume < store->volume_count);
	return segment_files_walk(store->volumes[volume].root_fd, callback, context, err);
}
