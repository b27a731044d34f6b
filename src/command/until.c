#include "command/until.h"

#include <string.h>

#include "base/checked.h"

static int refuse(const char *text, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "'%.200s' is not FILE:POSITION, such as mariadb-bin.000412:71002311",
			 text);
}

static int parse_number(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (*text == '\0')
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || checked_mul(value, (uint64_t)10, &value) ||
		    checked_add(value, (uint64_t)(*text - '0'), &value))
			return -1;
	}
	*ret_value = value;
	return 0;
}

int until_parse_position(const char *text, char ret_file[static BINLOG_NAME_MAX + 1],
			 uint64_t *ret_position, struct error *err)
{
	const char *colon = strrchr(text, ':');
	char file[BINLOG_NAME_MAX + 1] = {0};
	uint64_t position;

	if (!colon || colon - text > BINLOG_NAME_MAX || parse_number(colon + 1, &position) < 0)
		return refuse(text, err);
	memcpy(file, text, (size_t)(colon - text));
	if (name_check_binlog(file, err) < 0)
		return refuse(text, err);
	memcpy(ret_file, file, sizeof(file));
	*ret_position = position;
	return 0;
}
