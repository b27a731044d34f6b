#include "config/place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD_PREFIX	  "systemd:"
#define CREDENTIAL_PREFIX "credential:"
#define FILE_PREFIX	  "file:"

static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

const char *place_credential(const char *place)
{
	const char *name = place ? after(place, SYSTEMD_PREFIX) : NULL;

	return place && !name ? after(place, CREDENTIAL_PREFIX) : name;
}

int place_path(const char *place, char *path, struct error *err)
{
	const char *name = after(place, SYSTEMD_PREFIX), *file = after(place, FILE_PREFIX);
	const char *directory;
	int length;

	if (name) {
		directory = getenv("CREDENTIALS_DIRECTORY");
		if (!directory)
			return error_set(err, ERROR_USAGE,
					 "credential '%s' needs systemd: $CREDENTIALS_DIRECTORY is "
					 "not set; use LoadCredential= or a file",
					 place);
		length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
	} else {
		length = snprintf(path, PATH_MAX, "%s", file ? file : place);
	}
	if (length < 0 || length >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "the path of the credential is too long");
	return 0;
}

int place_find(const char *option, const char *place, char *path, struct error *err)
{
	if (place_path(place, path, err) < 0)
		return error_prefix(err, "%s", option);
	if (access(path, R_OK) < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "%s '%s' cannot be read", option,
				       path);
	return 0;
}

int place_check_secret(const char *option, const char *path, const struct stat *status,
		       struct error *err)
{
	if (!S_ISREG(status->st_mode))
		return error_set(err, ERROR_USAGE, "%s '%s' is not a file", option, path);
	if (status->st_mode & S_IROTH)
		return error_set(err, ERROR_USAGE,
				 "%s '%s' can be read by everybody; do: chmod 0640 '%s', with the "
				 "daemon's user or group as its owner",
				 option, path, path);
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, ERROR_USAGE,
				 "%s '%s' can be written by others than its owner; do: chmod 0640 "
				 "'%s'",
				 option, path, path);
	return 0;
}

int place_find_secret(const char *option, const char *place, char *path, struct error *err)
{
	struct stat status;

	if (place_find(option, place, path, err) < 0)
		return err->code;
	if (stat(path, &status) < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "%s '%s' cannot be read", option,
				       path);
	return place_check_secret(option, path, &status, err);
}
