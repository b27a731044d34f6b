/*
 * One small file of the directory `[hsm] state`: a line of canonical JSON and, on a second line,
 * its SHA-256, so that a damaged file is told from one that says something else.
 *
 * Durable: state_file_write() returns 0 when the new content is on stable storage. Crash: the file
 * holds the old content or the new one, whole.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

/* ERROR_NOT_FOUND: there is none. ERROR_DEFECT: it is damaged. */
int state_file_read(int directory_fd, const char *name, json_t **ret_object,
		    struct error *err) MUST_CHECK;

int state_file_write(int directory_fd, const char *name, const json_t *object,
		     struct error *err) MUST_CHECK;

/* Make the file go away, durably; it is fine if there is none. */
int state_file_remove(int directory_fd, const char *name, struct error *err) MUST_CHECK;
