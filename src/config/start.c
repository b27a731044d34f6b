#include "config/start.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

#define DIGITS	  "0123456789"
#define HEX	  DIGITS "abcdefABCDEF"
#define BLANKS	  " \t"
#define UUID_TEXT 36

/* "0-11-884213" */
static bool is_mariadb_gtid(const char *text, size_t length)
{
	size_t used = 0;

	for (int part = 0; part < 3; part++) {
		size_t digits = strspn(text + used, DIGITS);

		if (digits == 0 || digits > 20 || used + digits > length)
			return false;
		used += digits;
		if (part < 2 && text[used++] != '-')
			return false;
	}
	return used == length;
}

/* "7c37…-…-…-…-…:" and what may stand behind it. */
static bool is_mysql_gtids(const char *text, size_t length)
{
	static const unsigned char parts[] = {8, 4, 4, 4, 12};
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		if (strspn(text + used, HEX) != parts[i])
			return false;
		used += parts[i];
		if (text[used++] != (i + 1 < ARRAY_LENGTH(parts) ? '-' : ':'))
			return false;
	}
	return used < length && strspn(text + used, HEX "-:_ghijklmnopqrstuvwxyz") >= length - used;
}

static bool is_gtids(const char *text)
{
	if (*text == '\0')
		return false;
	for (;;) {
		size_t length;

		text += strspn(text, BLANKS);
		length = strcspn(text, ", \t");
		if (!is_mariadb_gtid(text, length) && !is_mysql_gtids(text, length))
			return false;
		text += length;
		text += strspn(text, BLANKS);
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

/* Where ":POSITION" begins, or the end. */
static size_t file_length(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon[1] == '\0' || colon[1 + strspn(colon + 1, DIGITS)] != '\0')
		return strlen(text);
	return (size_t)(colon - text);
}

int start_check(const char *text, struct error *err)
{
	char file[BINLOG_NAME_MAX + 1];
	struct error reason;

	if (start_kind(text) != START_FILE)
		return 0;
	if (file_length(text) > BINLOG_NAME_MAX)
		return error_set(err, ERROR_USAGE, "'%.80s…' is too long for a binlog file", text);
	start_file(text, file);
	if (name_check_binlog(file, &reason) < 0)
		return error_set(err, ERROR_USAGE,
				 "'%s' is not one of: oldest, now, FILE, FILE:POSITION, GTIDs (%s)",
				 text, reason.message);
	return 0;
}

enum start_kind start_kind(const char *text)
{
	if (strcmp(text, "oldest") == 0)
		return START_OLDEST;
	if (strcmp(text, "now") == 0)
		return START_NOW;
	return is_gtids(text) ? START_GTID : START_FILE;
}

void start_file(const char *text, char ret_file[static BINLOG_NAME_MAX + 1])
{
	snprintf(ret_file, BINLOG_NAME_MAX + 1, "%.*s",
		 (int)MIN(file_length(text), BINLOG_NAME_MAX), text);
}
