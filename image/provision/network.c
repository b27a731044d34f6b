#include "provision/network.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TABLE "add rule inet binvault "

static bool is_address(const char *text, int family)
{
	struct in6_addr address; /* the larger one */

	return inet_pton(family, text, &address) == 1;
}

/* Is @name one of the words of a line, behind its address? */
static bool names(char *words, const char *name)
{
	char *rest = NULL;

	for (char *word = strtok_r(words, " \t", &rest); word;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (strcasecmp(word, name) == 0)
			return true;
	}
	return false;
}

int network_address(const char *hosts, const char *name, char ret_address[INET6_ADDRSTRLEN],
		    struct error *err)
{
	char line[1024];
	char *words;

	if (is_address(name, AF_INET) || is_address(name, AF_INET6)) {
		snprintf(ret_address, INET6_ADDRSTRLEN, "%.45s", name);
		return 0;
	}
	for (size_t length; *hosts; hosts += length + (hosts[length] == '\n')) {
		length = strcspn(hosts, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)(length < 1023 ? length : 1023), hosts);
		line[strcspn(line, "#\r")] = '\0';
		words = line + strcspn(line, " \t");
		if (*words)
			*words++ = '\0';
		if ((is_address(line, AF_INET) || is_address(line, AF_INET6)) &&
		    names(words, name)) {
			snprintf(ret_address, INET6_ADDRSTRLEN, "%.45s", line);
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND,
			 "'%s' has no address: write it into the bundle's file `hosts`", name);
}

struct text {
	char *bytes;
	size_t used;
	bool full;
};

static void append(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void append(struct text *text, const char *format, ...)
{
	size_t room = NETWORK_TEXT_SIZE - text->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->bytes + text->used, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= room)
		text->full = true;
	else
		text->used += (size_t)length;
}

static int finish(const struct text *text, struct error *err)
{
	return text->full ? error_set(err, ERROR_USAGE, "too many servers") : 0;
}

struct way {
	const char *protocol, *host;
	unsigned port;
};

/* Sets *@needs_neighbours if it leads to an address of IPv6. */
static int open_way(struct text *text, const struct way *way, const char *hosts,
		    bool *needs_neighbours, struct error *err)
{
	char address[INET6_ADDRSTRLEN];
	const char *family;

	if (network_address(hosts, way->host, address, err) < 0)
		return err->code = ERROR_USAGE;
	family = is_address(address, AF_INET) ? "ip" : "ip6";
	*needs_neighbours |= is_address(address, AF_INET6);
	append(text, TABLE "output %s daddr %s %s dport %u accept\n", family, address,
	       way->protocol, way->port);
	append(text, TABLE "input %s saddr %s %s sport %u ct state established accept\n", family,
	       address, way->protocol, way->port);
	return 0;
}

/* What IPv4 does by ARP, which this table does not see. */
static void open_neighbours(struct text *text)
{
	static const char types[] = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ";

	append(text, TABLE "output %saccept\n" TABLE "input %sip6 hoplimit 255 accept\n", types,
	       types);
}

static int open_servers(struct text *text, const struct config *config, const char *hosts,
			bool *needs_neighbours, struct error *err)
{
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];

		for (size_t j = 0; j < source->server_count; j++) {
			const struct way way = {"tcp", source->servers[j].host,
						source->servers[j].port};

			if (open_way(text, &way, hosts, needs_neighbours, err) < 0)
				return error_prefix(err, "source %s", source->name);
		}
	}
	return 0;
}

static int open_clocks(struct text *text, const struct time_servers *clocks, const char *hosts,
		       bool *needs_neighbours, struct error *err)
{
	for (size_t i = 0; i < clocks->count; i++) {
		const struct way keys = {"tcp", clocks->names[i], TIME_NTS_PORT};
		const struct way time = {"udp", clocks->names[i], TIME_NTP_PORT};

		if (open_way(text, &keys, hosts, needs_neighbours, err) < 0 ||
		    open_way(text, &time, hosts, needs_neighbours, err) < 0)
			return error_prefix(err, "`time`");
	}
	return 0;
}

static int open_siem(struct text *text, const struct config_siem *siem, const char *hosts,
		     bool *needs_neighbours, struct error *err)
{
	const struct way way = {"tcp", siem->host, siem->port};

	if (siem->host && open_way(text, &way, hosts, needs_neighbours, err) < 0)
		return error_prefix(err, "[siem] server");
	return 0;
}

int network_rules(const struct config *config, const struct time_servers *clocks, const char *hosts,
		  char ret_rules[NETWORK_TEXT_SIZE], struct error *err)
{
	struct text text = {.bytes = ret_rules};
	bool needs_neighbours = false;

	ret_rules[0] = '\0';
	if (open_servers(&text, config, hosts, &needs_neighbours, err) < 0 ||
	    open_clocks(&text, clocks, hosts, &needs_neighbours, err) < 0 ||
	    open_siem(&text, &config->siem, hosts, &needs_neighbours, err) < 0)
		return err->code;
	if (needs_neighbours)
		open_neighbours(&text);
	return finish(&text, err);
}

int network_fence(const char *const *names, size_t count, const char *hosts,
		  char ret_drop_in[NETWORK_TEXT_SIZE], struct error *err)
{
	struct text text = {.bytes = ret_drop_in};
	char address[INET6_ADDRSTRLEN];

	append(&text, "[Service]\n");
	for (size_t i = 0; i < count; i++) {
		if (network_address(hosts, names[i], address, err) < 0)
			return err->code = ERROR_USAGE;
		append(&text, "IPAddressAllow=%s\n", address);
	}
	return finish(&text, err);
}
