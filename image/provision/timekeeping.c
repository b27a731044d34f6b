#include "provision/timekeeping.h"

#include <stdio.h>
#include <string.h>

/* The certificates are proved, but for their dates until the clock has been set once: it may stand
 * anywhere. It is set at once then; later steps are slewed. */
#define SETTINGS                                                                                   \
	"ntstrustedcerts %s\n"                                                                     \
	"nosystemcert\n"                                                                           \
	"authselectmode require\n"                                                                 \
	"nocerttimecheck 1\n"                                                                      \
	"makestep 1 3\n"                                                                           \
	"rtcsync\n"                                                                                \
	"logchange 1\n"                                                                            \
	"port 0\n"                                                                                 \
	"cmdport 0\n"                                                                              \
	"bindcmdaddress /\n"                                                                       \
	"pidfile /run/binvault-time/pid\n"

/* Letters, digits, hyphens, dots, and the colons of an IPv6 address. */
static bool is_name(const char *text, size_t length)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.:";

	return length > 0 && length < TIME_NAME_SIZE && strspn(text, allowed) >= length;
}

static int add_line(const char *line, size_t length, size_t number, struct time_servers *servers,
		    struct error *err)
{
	size_t size = strcspn(line, "#\n\r");

	if (size > length)
		size = length;
	for (; size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t'); size--)
		;
	for (; size > 0 && (*line == ' ' || *line == '\t'); size--)
		line++;
	if (size == 0)
		return 0;
	if (!is_name(line, size))
		return error_set(
			err, ERROR_USAGE,
			"`time`, line %zu: '%.*s' is no name of a server; write one a line", number,
			(int)(size < 60 ? size : 60), line);
	if (servers->count == TIME_SERVERS_MAX)
		return error_set(err, ERROR_USAGE, "`time`, line %zu: more than %d servers", number,
				 TIME_SERVERS_MAX);
	memcpy(servers->names[servers->count++], line, size);
	return 0;
}

int time_servers_parse(const char *text, struct time_servers *ret_servers, struct error *err)
{
	struct time_servers servers = {.count = 0};

	for (size_t number = 1, length; *text; number++, text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		if (add_line(text, length, number, &servers, err) < 0)
			return err->code;
	}
	*ret_servers = servers;
	return 0;
}

void time_settings(const struct time_servers *servers, const char *authority,
		   char ret_settings[TIME_SETTINGS_SIZE])
{
	int used = snprintf(ret_settings, TIME_SETTINGS_SIZE, SETTINGS, authority);

	for (size_t i = 0; i < servers->count && used < TIME_SETTINGS_SIZE; i++)
		used += snprintf(ret_settings + used, (size_t)(TIME_SETTINGS_SIZE - used),
				 "server %s iburst nts\n", servers->names[i]);
	ASSERT(used < TIME_SETTINGS_SIZE);
}
