/*
 * Small text files, read and written whole, and the folders that they lie in.
 *
 * Owns: nothing; descriptors are closed again.
 * Crash: what text_write() returned for is durable in a directory that is; a text that it was cut
 * off in is cut. text_replace() leaves the old one or the new one, whole.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* The file's text with a NUL, in at most @size bytes; ERROR_USAGE if it is longer. */
int text_read(const char *path, char *ret_text, size_t size, struct error *err) MUST_CHECK;

/* The same; a file that is missing is empty. */
int text_read_if_there(const char *path, char *ret_text, size_t size, struct error *err) MUST_CHECK;

int text_write(const char *path, const char *text, mode_t mode, struct error *err) MUST_CHECK;
int text_replace(const char *path, const char *text, mode_t mode, struct error *err) MUST_CHECK;

/* One that is there stays as it is. */
int folder_make(const char *path, mode_t mode, struct error *err) MUST_CHECK;
