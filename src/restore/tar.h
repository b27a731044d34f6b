/*
 * A restore as one tar file (pax; plain ustar headers wherever these suffice), written below the
 * directory of the export. Its entries are TOP/name, mode 0440, of user and group 0 and of time 0:
 * the same restore gives the same headers.
 *
 * An entry's size stands in front of its bytes, and that of a binlog file is known only when its
 * end was read, so each is written beside the tar first (output.h) and moved into it then: one
 * binlog file more is on the disk for a while.
 *
 * Owns: the tar's descriptor, a buffer, a hasher, what libarchive holds. Borrows the directory's
 * descriptor. Threads: one.
 * Durable: tar_finish() returns 0 only when all bytes are. Crash: as output.h says.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "restore/output.h"

struct tar;

/* Create MANIFEST_TAR_FILE, which must not exist. */
int tar_new(int directory_fd, const char *top, struct tar **ret_tar, struct error *err) MUST_CHECK;
/* One that was not finished is not whole. */
void tar_free(struct tar *tar);
DEFINE_CLEANUP(tar_free, struct tar *);

/* Move a file of the directory into the tar. ERROR_DEFECT if its bytes are not those that were
 * written. */
int tar_take(struct tar *tar, const struct output_file *file, struct error *err) MUST_CHECK;

/* Move a small file of somebody else's; ERROR_DEFECT if it is larger than @size_max. */
int tar_take_small(struct tar *tar, const char *name, size_t size_max,
		   struct error *err) MUST_CHECK;

int tar_add(struct tar *tar, const char *name, const void *bytes, size_t size,
	    struct error *err) MUST_CHECK;

/* No entry follows: write the end and make all of it durable. */
int tar_finish(struct tar *tar, struct error *err) MUST_CHECK;
