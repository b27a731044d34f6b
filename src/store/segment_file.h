/*
 * Segment files on the volumes, in the order "Open" of DURABILITY.md and with its protections.
 *
 * Owns: returned descriptors belong to the caller. Threads: with the store's.
 */
#pragma once

#include <stdbool.h>

#include "store/store.h"
#include "volume/header.h"

/* "segments/<source>/<month>/<binlog file>.<start>.<segment id in hex>.seg" */
int segment_path(const struct segment_header *header, const char *month,
		 char path[static SEGMENT_PATH_SIZE], struct error *err) MUST_CHECK;

struct segment_files {
	char path[SEGMENT_PATH_SIZE];
	size_t count;		     /* of volumes */
	int fds[CONFIG_VOLUMES_MAX]; /* O_WRONLY|O_APPEND|O_DIRECT, behind the header block */
};
void segment_files_release(struct segment_files *files); /* closes; -1 for those given away */

/*
 * Month directory, +a, fsync of its parent → file 0640 → header block → +a → fsync file → fsync
 * directory, on every volume. Not the opened leaf: that is the caller's next step, before the
 * descriptors go to anybody. The header's block size is store_block_size().
 */
int segment_files_create(struct store *store, const uint8_t header[static SEGMENT_HEADER_SIZE],
			 const char *month, struct segment_files *ret_files,
			 struct error *err) MUST_CHECK;

enum segment_access {
	SEGMENT_BUFFERED, /* read through the cache */
	SEGMENT_DIRECT,	  /* read from the device */
	SEGMENT_APPEND,	  /* write behind the end */
};
int segment_file_open(const struct store *store, size_t volume, const char *path,
		      enum segment_access access, struct error *err) MUST_CHECK; /* descriptor */

int segment_file_size(const struct store *store, size_t volume, const char *path,
		      uint64_t *ret_size, struct error *err) MUST_CHECK;

/* Where WORM is required: +i and fsync of the file. Else only the fsync. */
int segment_file_protect_immutable(const struct store *store, int fd, struct error *err) MUST_CHECK;

/*
 * Every file below segments/ of a volume, "segments/…", in no order, with its size: for recovery
 * (files that no leaf knows). A negative return of the callback ends it.
 */
typedef int segment_file_found(void *context, const char *path, uint64_t size, struct error *err);
int segment_files_walk(int root_fd, segment_file_found *callback, void *context,
		       struct error *err) MUST_CHECK; /* below any archive directory */
int segment_files_list(const struct store *store, size_t volume, segment_file_found *callback,
		       void *context, struct error *err) MUST_CHECK;
