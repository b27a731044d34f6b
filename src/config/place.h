/*
 * Where a certificate, a key or a password stands, as the configuration says it: "systemd:NAME",
 * "file:PATH" or a bare path. Read anew at each use, so that what was renewed is used.
 */
#pragma once

#include <sys/stat.h>

#include "base/error.h"

/* The NAME of "systemd:NAME", or of a PIN's "credential:NAME"; NULL if @place, which may be NULL,
 * is of another kind. */
const char *place_credential(const char *place);

/* The path that @place stands for, into @path (PATH_MAX). */
int place_path(const char *place, char *path, struct error *err) MUST_CHECK;

/* The same for a file that @option names, which must be readable. */
int place_find(const char *option, const char *place, char *path, struct error *err) MUST_CHECK;

/* May a file of this status be the secret that @option names? ERROR_USAGE if it is none, or if
 * others may read or write it. */
int place_check_secret(const char *option, const char *path, const struct stat *status,
		       struct error *err) MUST_CHECK;

/* place_find(), and place_check_secret() of what is there. */
int place_find_secret(const char *option, const char *place, char *path,
		      struct error *err) MUST_CHECK;
