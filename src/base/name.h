/*
 * Names that become parts of paths, and so are checked once, here, wherever they come from.
 *
 * Lengths include no NUL. Everything else (a slash, a leading dot, an empty name) is refused.
 */
#pragma once

#include "base/error.h"

#define SOURCE_NAME_MAX 64
#define BINLOG_NAME_MAX 128 /* a server allows 512; a name that is longer is refused at connect */
#define EXPORT_NAME_MAX 64
#define BUNDLE_NAME_MAX 64

/* [a-z0-9][a-z0-9_-]{0,63}: the NAME of [source NAME] and of [retention NAME]. */
int name_check_source(const char *name, struct error *err) MUST_CHECK;

/* [A-Za-z0-9._-]{1,128}, not starting with a dot: a binlog file as the server names it. */
int name_check_binlog(const char *name, struct error *err) MUST_CHECK;

/* [A-Za-z0-9_-][A-Za-z0-9._-]{0,63}: the directory of an export. */
int name_check_export(const char *name, struct error *err) MUST_CHECK;

/* The same form: a file of a configuration bundle. */
int name_check_bundled(const char *name, struct error *err) MUST_CHECK;
