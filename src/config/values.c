#include "config/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/checked.h"
#include "base/hex.h"
#include "base/units.h"
#include "config/start.h"

#define ELEMENT_SIZE	512
#define MYSQL_PORT	3306
#define SYSLOG_TLS_PORT 6514 /* RFC 5425 */
#define BLANKS		" \t"

static void store_text(void *target, const char *text)
{
	char **field = target;

	ASSERT(!*field);
	*field = strdup(text);
	ASSERT(*field);
}

/*
 * The next element of a comma list, without the blanks around it. 1: an element; 0: the list is at
 * its end. An empty element is refused, and so is one that no kind could hold.
 */
static int next_element(const char **rest, char element[static ELEMENT_SIZE], struct error *err)
{
	const char *start = *rest;
	size_t length;

	if (!start)
		return 0;
	length = strcspn(start, ",");
	*rest = start[length] == ',' ? start + length + 1 : NULL;
	while (length > 0 && strchr(BLANKS, *start)) {
		start++;
		length--;
	}
	while (length > 0 && strchr(BLANKS, start[length - 1]))
		length--;
	if (length == 0)
		return error_set(err, ERROR_USAGE, "the list has an empty element");
	if (length >= ELEMENT_SIZE)
		return error_set(err, ERROR_USAGE, "the list has an element of %zu characters",
				 length);
	memcpy(element, start, length);
	element[length] = '\0';
	return 1;
}

int value_parse_name(const struct option *option, const char *text, void *target, struct error *err)
{
	(void)option;
	if (name_check_source(text, err) < 0)
		return error_prefix(err, "'%s' is not a name", text);
	memcpy(target, text, strlen(text) + 1);
	return 0;
}

int value_parse_vault(const struct option *option, const char *text, void *target,
		      struct error *err)
{
	char name[SOURCE_NAME_MAX + 1];

	if (value_parse_name(option, text, name, err) < 0)
		return err->code;
	store_text(target, name);
	return 0;
}

int value_parse_text(const struct option *option, const char *text, void *target, struct error *err)
{
	(void)option;
	(void)err;
	store_text(target, text);
	return 0;
}

static int check_absolute(const char *path, struct error *err)
{
	if (path[0] != '/')
		return error_set(err, ERROR_USAGE,
				 "'%s' is not an absolute path; it must begin with '/'", path);
	return 0;
}

int value_parse_path(const struct option *option, const char *text, void *target, struct error *err)
{
	(void)option;
	if (check_absolute(text, err) < 0)
		return err->code;
	store_text(target, text);
	return 0;
}

int value_parse_size(const struct option *option, const char *text, void *target, struct error *err)
{
	char min[SIZE_TEXT_SIZE];
	char max[SIZE_TEXT_SIZE];
	uint64_t size;

	if (size_parse(text, &size, err) < 0)
		return err->code;
	if (size < option->min || size > option->max) {
		size_format(option->min, min);
		size_format(option->max, max);
		return error_set(err, ERROR_USAGE, "'%s' is out of range: %s to %s", text, min,
				 max);
	}
	*(uint64_t *)target = size;
	return 0;
}

static void format_duration(uint64_t usec, char text[static 32])
{
	static const struct {
		uint64_t usec;
		const char *suffix;
	} units[] = {{86400 * USEC_PER_SEC, "d"},
		     {3600 * USEC_PER_SEC, "h"},
		     {60 * USEC_PER_SEC, "m"},
		     {USEC_PER_SEC, "s"},
		     {USEC_PER_MSEC, "ms"}};

	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (usec >= units[i].usec && usec % units[i].usec == 0) {
			snprintf(text, 32, "%llu%s", (unsigned long long)(usec / units[i].usec),
				 units[i].suffix);
			return;
		}
	}
	snprintf(text, 32, "0s");
}

int value_parse_duration(const struct option *option, const char *text, void *target,
			 struct error *err)
{
	char min[32];
	char max[32];
	uint64_t usec;

	if (duration_parse(text, &usec, err) < 0)
		return err->code;
	if (usec < option->min || usec > option->max) {
		format_duration(option->min, min);
		format_duration(option->max, max);
		return error_set(err, ERROR_USAGE, "'%s' is out of range: %s to %s", text, min,
				 max);
	}
	*(uint64_t *)target = usec;
	return 0;
}

static int refuse_choice(const struct option *option, const char *text, struct error *err)
{
	return error_set(err, ERROR_USAGE, "'%s' is not one of: %s", text, option->shown.kind);
}

int value_parse_worm(const struct option *option, const char *text, void *target, struct error *err)
{
	if (strcmp(text, "required") == 0)
		*(enum worm_mode *)target = WORM_REQUIRED;
	else if (strcmp(text, "advisory") == 0)
		*(enum worm_mode *)target = WORM_ADVISORY;
	else
		return refuse_choice(option, text, err);
	return 0;
}

int value_parse_yes_no(const struct option *option, const char *text, void *target,
		       struct error *err)
{
	if (strcmp(text, "yes") == 0)
		*(bool *)target = true;
	else if (strcmp(text, "no") == 0)
		*(bool *)target = false;
	else
		return refuse_choice(option, text, err);
	return 0;
}

int value_parse_tls_minimum(const struct option *option, const char *text, void *target,
			    struct error *err)
{
	if (strcmp(text, "1.2") == 0)
		*(enum tls_minimum *)target = TLS_MINIMUM_1_2;
	else if (strcmp(text, "1.3") == 0)
		*(enum tls_minimum *)target = TLS_MINIMUM_1_3;
	else
		return refuse_choice(option, text, err);
	return 0;
}

/* Decimal digits alone, within [min, max]. */
static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
			struct error *err)
{
	size_t length = strlen(text);
	uint64_t value;

	if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
		return error_set(err, ERROR_USAGE, "'%s' is not a whole number", text);
	value = strtoull(text, NULL, 10);
	if (value < min || value > max)
		return error_set(err, ERROR_USAGE, "'%s' is out of range: %llu to %llu", text,
				 (unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

int value_parse_number(const struct option *option, const char *text, void *target,
		       struct error *err)
{
	uint64_t value;

	if (parse_number(text, option->min, option->max, &value, err) < 0)
		return err->code;
	*(uint32_t *)target = (uint32_t)value;
	return 0;
}

int value_parse_start(const struct option *option, const char *text, void *target,
		      struct error *err)
{
	(void)option;
	if (start_check(text, err) < 0)
		return err->code;
	store_text(target, text);
	return 0;
}

/* "file:/PATH", or @store followed by a name without a slash. 1 if @text is one of them. */
static int take_secret_place(const char *text, const char *store, void *target, struct error *err)
{
	if (strncmp(text, "file:", strlen("file:")) == 0) {
		if (check_absolute(text + strlen("file:"), err) < 0)
			return err->code;
	} else if (strncmp(text, store, strlen(store)) == 0) {
		if (name_check_export(text + strlen(store), err) < 0)
			return err->code;
	} else {
		return 0;
	}
	store_text(target, text);
	return 1;
}

int value_parse_pem(const struct option *option, const char *text, void *target, struct error *err)
{
	static const char store[] = "systemd:";

	if (strncmp(text, store, strlen(store)) != 0)
		return value_parse_path(option, text, target, err);
	if (name_check_export(text + strlen(store), err) < 0)
		return err->code;
	store_text(target, text);
	return 0;
}

int value_parse_credential(const struct option *option, const char *text, void *target,
			   struct error *err)
{
	static const char command[] = "command:";
	int taken;

	(void)option;
	if (strncmp(text, command, strlen(command)) == 0 &&
	    check_absolute(text + strlen(command), err) < 0)
		return err->code;
	if (strcmp(text, "none") == 0 || strncmp(text, command, strlen(command)) == 0) {
		store_text(target, text);
		return 0;
	}
	taken = take_secret_place(text, "systemd:", target, err);
	if (taken < 0)
		return taken;
	if (!taken)
		return error_set(err, ERROR_USAGE,
				 "a password does not belong into the configuration: write "
				 "file:PATH, systemd:NAME, command:PATH or none");
	return 0;
}

int value_parse_pin_source(const struct option *option, const char *text, void *target,
			   struct error *err)
{
	int taken = take_secret_place(text, "credential:", target, err);

	(void)option;
	if (taken < 0)
		return taken;
	if (!taken)
		return error_set(err, ERROR_USAGE,
				 "a PIN does not belong into the configuration: write file:PATH or "
				 "credential:NAME");
	return 0;
}

int value_parse_volumes(const struct option *option, const char *text, void *target,
			struct error *err)
{
	struct config *config = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	int more;

	(void)option;
	while ((more = next_element(&rest, element, err)) > 0) {
		if (check_absolute(element, err) < 0)
			return err->code;
		if (config->volume_count == 1)
			return error_set(err, ERROR_USAGE,
					 "this version keeps one volume; name only one");
		store_text(&config->volumes[config->volume_count++], element);
	}
	return more;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static int parse_server(char *text, uint16_t default_port, struct config_server *server,
			struct error *err)
{
	char *host = text;
	char *port;
	uint64_t value = default_port;

	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] != '\0' && end[1] != ':'))
			return error_set(err, ERROR_USAGE, "'%s' is not [ADDRESS]:PORT", text);
		host = text + 1;
		port = end[1] == ':' ? end + 1 : NULL;
		*end = '\0';
	} else {
		port = strchr(text, ':');
		if (port && strchr(port + 1, ':'))
			return error_set(err, ERROR_USAGE,
					 "'%s' has more than one ':'; write an IPv6 address as "
					 "[ADDRESS]:PORT",
					 text);
	}
	if (port) {
		*port++ = '\0';
		if (parse_number(port, 1, UINT16_MAX, &value, err) < 0)
			return error_prefix(err, "port of server '%s'", host);
	}
	if (host[0] == '\0' || strpbrk(host, " \t/@"))
		return error_set(err, ERROR_USAGE, "'%s' is not a host name or address", host);
	store_text(&server->host, host);
	server->port = (uint16_t)value;
	return 0;
}

int value_parse_servers(const struct option *option, const char *text, void *target,
			struct error *err)
{
	struct config_source *source = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	int more;

	(void)option;
	while ((more = next_element(&rest, element, err)) > 0) {
		if (source->server_count == CONFIG_SERVERS_MAX)
			return error_set(err, ERROR_USAGE, "more than %d servers",
					 CONFIG_SERVERS_MAX);
		if (parse_server(element, MYSQL_PORT, &source->servers[source->server_count], err) <
		    0)
			return err->code;
		source->server_count++;
	}
	return more;
}

int value_parse_siem(const struct option *option, const char *text, void *target, struct error *err)
{
	struct config_siem *siem = &((struct config *)target)->siem;
	struct config_server server = {NULL, 0};
	char element[ELEMENT_SIZE];
	const char *rest = text;

	(void)option;
	if (next_element(&rest, element, err) <= 0 ||
	    parse_server(element, SYSLOG_TLS_PORT, &server, err) < 0)
		return err->code;
	if (rest) {
		free(server.host);
		return error_set(err, ERROR_USAGE, "one server only");
	}
	siem->host = server.host;
	siem->port = server.port;
	return 0;
}

int value_parse_formats(const struct option *option, const char *text, void *target,
			struct error *err)
{
	struct config_source *source = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	int more;

	while ((more = next_element(&rest, element, err)) > 0) {
		if (strcmp(element, "row") == 0)
			source->allow_row = true;
		else if (strcmp(element, "mixed") == 0)
			source->allow_mixed = true;
		else if (strcmp(element, "statement") == 0)
			source->allow_statement = true;
		else
			return refuse_choice(option, element, err);
	}
	return more;
}

struct choice {
	const char *word;
	int value;
};

/* The last word is NULL. */
static int parse_choice(const struct option *option, const char *text, const struct choice *choice,
			void *target, struct error *err)
{
	for (; choice->word; choice++) {
		if (strcmp(text, choice->word) == 0) {
			*(enum config_level *)target = (enum config_level)choice->value;
			return 0;
		}
	}
	return refuse_choice(option, text, err);
}

/* In one spelling, so that the same address is found twice. A network or a name is none: it would
 * be more than one host, or what a name server says. */
int value_parse_addresses(const struct option *option, const char *text, void *target,
			  struct error *err)
{
	struct config_client *client = target;
	char element[ELEMENT_SIZE];
	struct in6_addr address;
	int r;

	(void)option;
	while ((r = next_element(&text, element, err)) > 0) {
		int family = strchr(element, ':') ? AF_INET6 : AF_INET;

		if (client->address_count == CONFIG_ADDRESSES_MAX)
			return error_set(err, ERROR_USAGE, "more than %d addresses",
					 CONFIG_ADDRESSES_MAX);
		if (inet_pton(family, element, &address) != 1)
			return error_set(err, ERROR_USAGE,
					 "'%.64s' is no IP address: one host, no network, no name",
					 element);
		inet_ntop(family, &address, client->addresses[client->address_count++],
			  CONFIG_ADDRESS_SIZE);
	}
	return r;
}

int value_parse_level(const struct option *option, const char *text, void *target,
		      struct error *err)
{
	static const struct choice choices[] = {
		{"yes", LEVEL_YES}, {"warn", LEVEL_WARN}, {"no", LEVEL_NO}, {NULL, 0}};

	return parse_choice(option, text, choices, target, err);
}

int value_parse_permission(const struct option *option, const char *text, void *target,
			   struct error *err)
{
	static const struct choice choices[] = {
		{"yes", LEVEL_NO}, {"warn", LEVEL_WARN}, {"no", LEVEL_YES}, {NULL, 0}};

	return parse_choice(option, text, choices, target, err);
}

int value_parse_excess(const struct option *option, const char *text, void *target,
		       struct error *err)
{
	static const struct choice choices[] = {
		{"refuse", LEVEL_YES}, {"warn", LEVEL_WARN}, {NULL, 0}};

	return parse_choice(option, text, choices, target, err);
}

/* 8-4-4-4-12 hexadecimal digits. */
static int parse_uuid(const char *text, uint8_t ret_bytes[static 16], struct error *err)
{
	static const size_t dashes[] = {8, 13, 18, 23};
	char digits[33];
	size_t used = 0, dash = 0;

	for (size_t i = 0; text[i] && i < 36; i++) {
		if (dash < ARRAY_LENGTH(dashes) && dashes[dash] == i) {
			if (text[i] != '-')
				break;
			dash++;
		} else {
			digits[used++] =
				(char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
		}
	}
	digits[used] = '\0';
	if (strlen(text) != 36 || hex_decode(digits, ret_bytes, 16, err) < 0)
		return error_set(err, ERROR_USAGE, "'%s' is not a UUID as @@server_uuid shows it",
				 text);
	return 0;
}

int value_parse_uuids(const struct option *option, const char *text, void *target,
		      struct error *err)
{
	struct config_rules *rules = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	int more;

	(void)option;
	while ((more = next_element(&rest, element, err)) > 0) {
		if (rules->server_uuid_count == CONFIG_SERVERS_MAX)
			return error_set(err, ERROR_USAGE, "more than %d UUIDs",
					 CONFIG_SERVERS_MAX);
		if (parse_uuid(element, rules->server_uuids[rules->server_uuid_count], err) < 0)
			return err->code;
		rules->server_uuid_count++;
	}
	return more;
}

int value_parse_server_ids(const struct option *option, const char *text, void *target,
			   struct error *err)
{
	struct config_rules *rules = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	uint64_t id;
	int more;

	while ((more = next_element(&rest, element, err)) > 0) {
		if (rules->server_id_count == CONFIG_SERVERS_MAX)
			return error_set(err, ERROR_USAGE, "more than %d server ids",
					 CONFIG_SERVERS_MAX);
		if (parse_number(element, option->min, option->max, &id, err) < 0)
			return err->code;
		rules->server_ids[rules->server_id_count++] = (uint32_t)id;
	}
	return more;
}

static int parse_pin(const char *text, uint8_t ret_pin[static CONFIG_PIN_SIZE], struct error *err)
{
	static const char kind[] = "sha256:";
	const char *hash = text + strlen(kind);

	if (strncmp(text, kind, strlen(kind)) != 0)
		return error_set(err, ERROR_USAGE, "'%s' does not begin with sha256:", text);
	if (strlen(hash) == HEX_SIZE(CONFIG_PIN_SIZE) - 1 &&
	    hex_decode(hash, ret_pin, CONFIG_PIN_SIZE, err) == 0)
		return 0;
	if (base64_decode(hash, strlen(hash), ret_pin, CONFIG_PIN_SIZE, err) == CONFIG_PIN_SIZE)
		return 0;
	return error_set(err, ERROR_USAGE,
			 "'%s' is neither 64 lower-case hexadecimal digits nor the base64 of 32 "
			 "bytes behind sha256:",
			 text);
}

int value_parse_pins(const struct option *option, const char *text, void *target, struct error *err)
{
	struct config_rules *rules = target;
	char element[ELEMENT_SIZE];
	const char *rest = text;
	int more;

	(void)option;
	while ((more = next_element(&rest, element, err)) > 0) {
		if (rules->tls_pin_count == CONFIG_PINS_MAX)
			return error_set(err, ERROR_USAGE, "more than %d pins", CONFIG_PINS_MAX);
		if (parse_pin(element, rules->tls_pins[rules->tls_pin_count], err) < 0)
			return err->code;
		rules->tls_pin_count++;
	}
	return more;
}
