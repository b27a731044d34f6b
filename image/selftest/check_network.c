#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define TCP_LISTEN 0x0a
#define UDP_OPEN   0x07

static char text[SOURCE_SIZE];

struct ports {
	unsigned numbers[16];
	size_t count;
};

static void add_port(struct ports *ports, unsigned number)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (ports->numbers[i] == number)
			return;
	}
	if (ports->count < sizeof(ports->numbers) / sizeof(ports->numbers[0]))
		ports->numbers[ports->count++] = number;
}

/* The local ports of the sockets of /proc/net/@table in @wanted_state, each once. */
static void add_ports(const char *table, unsigned wanted_state, struct ports *ports)
{
	char path[64], line[512];
	unsigned port, state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/net/%s", table);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*s %x", &port, &state) == 2 &&
		    state == wanted_state)
			add_port(ports, port);
	}
	if (file)
		fclose(file);
}

static bool is_active(const char *unit)
{
	const char *const arguments[] = {"/usr/bin/systemctl", "is-active", "--quiet", unit, NULL};

	return source_program(arguments, text);
}

/* The port of the share, over NFS or Samba; 0 if nothing is shared. */
static unsigned share_port(void)
{
	if (is_active("binvault-share.service"))
		return 2049;
	return is_active("binvault-share.socket") ? 445 : 0;
}

/* None, and of a vault that has clients exactly the share's. */
static void check_listeners(void)
{
	struct ports tcp = {.count = 0}, udp = {.count = 0};
	unsigned share = share_port();

	add_ports("tcp", TCP_LISTEN, &tcp);
	add_ports("tcp6", TCP_LISTEN, &tcp);
	add_ports("udp", UDP_OPEN, &udp);
	add_ports("udp6", UDP_OPEN, &udp);
	tap_result(share ? tcp.count == 1 && tcp.numbers[0] == share : tcp.count == 0,
		   share ? "nobody listens on TCP but the share" : "nobody listens on TCP",
		   "%zu ports, the first %u", tcp.count, tcp.count ? tcp.numbers[0] : 0);
	tap_result(udp.count == 0, "nobody listens on UDP", "%zu ports, the first %u", udp.count,
		   udp.count ? udp.numbers[0] : 0);
}

static void check_chain(const char *chain)
{
	const char *const arguments[] = {"/usr/sbin/nft", "list", "chain", "inet",
					 "binvault",	  chain,  NULL};
	char name[64];
	bool listed = source_program(arguments, text);

	snprintf(name, sizeof(name), "packets are dropped by default: %s", chain);
	tap_result(listed && strstr(text, "policy drop;"), name, "'%s'", text);
}

/* A packet to an address of documentation (RFC 5737), which nobody configures. */
static void check_outbound(void)
{
	static const char name[] = "packets that nobody configured do not leave";
	const struct sockaddr_in stranger = {
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = inet_addr("192.0.2.1"),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t sent = sendto(fd, "", 1, 0, (const struct sockaddr *)&stranger, sizeof(stranger));
	int reason = errno;

	if (sent < 0 && reason == ENETUNREACH)
		tap_skip(name, "there is no way to anybody");
	else
		tap_result(sent < 0 && reason == EPERM, name, "%s",
			   sent < 0 ? strerror(reason) : "one did");
	if (fd >= 0)
		close(fd);
}

void check_network(void)
{
	check_listeners();
	check_chain("input");
	check_chain("forward");
	check_chain("output");
	check_outbound();
}
