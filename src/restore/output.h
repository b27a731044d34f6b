/*
 * One restored binlog file at a time, written below the directory of the export.
 *
 * Owns: the file's descriptor, a buffer, a hasher. Borrows the directory's descriptor.
 * Threads: one. Durable: output_finish() returns 0 only when the file's bytes are; its name is
 * when the directory was synced. Crash: the directory has no final name yet; the keeper removes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "crypto/hash.h"

struct output;

struct output_file {
	char name[BINLOG_NAME_MAX + 1];
	uint64_t size;
	struct hash hash;
};

struct output *output_new(int directory_fd);
void output_free(struct output *output);
DEFINE_CLEANUP(output_free, struct output *);

/* Is a file being written? */
bool output_is_open(const struct output *output);

/* Create a file that must not exist. */
int output_begin(struct output *output, const char *name, struct error *err) MUST_CHECK;
int output_write(struct output *output, const void *bytes, size_t size,
		 struct error *err) MUST_CHECK;
uint64_t output_size(const struct output *output); /* written so far */

/* Keep only the first @size bytes, and finish. */
int output_cut(struct output *output, uint64_t size, struct output_file *ret_file,
	       struct error *err) MUST_CHECK;
int output_finish(struct output *output, struct output_file *ret_file,
		  struct error *err) MUST_CHECK;

/* Remove the file. */
int output_drop(struct output *output, struct error *err) MUST_CHECK;

/* A small file with these bytes, durable. */
int output_small(int directory_fd, const char *name, const void *bytes, size_t size,
		 struct error *err) MUST_CHECK;
