/*
 * Files that a check reads: our data, and what was recorded on a box. All of it is untrusted input
 * of bounded size; a sentence of an error names the file.
 *
 * Owns: nothing after a call but what it returned, which the caller frees. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

#define EVIDENCE_SIZE_MAX (16U << 20) /* a BIOS attribute registry is 1 to 4 MiB */
#define EVIDENCE_LINE_MAX 2048
#define EVIDENCE_COLUMNS  4

/* The whole file, NUL behind it. ERROR_NOT_FOUND, ERROR_DEFECT if it is too big, ERROR_IO. */
int evidence_read(const char *path, char **ret_bytes, size_t *ret_size,
		  struct error *err) MUST_CHECK;

/* A file that is one JSON object. */
int evidence_read_json(const char *path, json_t **ret_object, struct error *err) MUST_CHECK;

/* The same, whose "format" must be @format: our own data files. */
int evidence_read_format(const char *path, const char *format, json_t **ret_object,
			 struct error *err) MUST_CHECK;

/*
 * A table of ours: tab-separated lines of exactly @column_count filled fields; empty lines and
 * lines that begin with # do not count. @row is called with the line's number and its fields.
 */
typedef int (*evidence_row)(void *context, unsigned line, char *const fields[EVIDENCE_COLUMNS],
			    struct error *err);
int evidence_read_table(const char *path, size_t column_count, evidence_row row, void *context,
			struct error *err) MUST_CHECK;
