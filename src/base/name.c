#include "base/name.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int check(const char *name, const char *kind, const char *first, const char *rest,
		 size_t length_max, struct error *err)
{
	size_t length = strlen(name);

	if (length == 0 || length > length_max)
		return error_set(err, ERROR_USAGE, "%s of %zu characters: 1 to %zu are allowed",
				 kind, length, length_max);
	if (!strchr(first, name[0]) || strspn(name, rest) != length)
		return error_set(err, ERROR_USAGE,
				 "%s holds a character that is not allowed at byte %zu", kind,
				 strchr(first, name[0]) ? strspn(name, rest) : (size_t)0);
	return 0;
}

int name_check_source(const char *name, struct error *err)
{
	return check(name, "source name", LOWER DIGITS, LOWER DIGITS "_-", SOURCE_NAME_MAX, err);
}

int name_check_binlog(const char *name, struct error *err)
{
	return check(name, "binlog file name", LOWER UPPER DIGITS "_-", LOWER UPPER DIGITS "._-",
		     BINLOG_NAME_MAX, err);
}

int name_check_export(const char *name, struct error *err)
{
	return check(name, "export name", LOWER UPPER DIGITS "_-", LOWER UPPER DIGITS "._-",
		     EXPORT_NAME_MAX, err);
}

int name_check_bundled(const char *name, struct error *err)
{
	return check(name, "file name", LOWER UPPER DIGITS "_-", LOWER UPPER DIGITS "._-",
		     BUNDLE_NAME_MAX, err);
}
