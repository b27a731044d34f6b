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

/* Sockets of /proc/net/@table in @wanted_state. */
static int count_sockets(const char *table, unsigned wanted_state)
{
	char path[64], line[512];
	FILE *file;
	int count = 0;
	unsigned state;

	snprintf(path, sizeof(path), "/proc/net/%s", table);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*d: %*s %*s %x", &state) == 1 && state == wanted_state)
			count++;
	}
	if (file)
		fclose(file);
	return count;
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
	int tcp = count_sockets("tcp", TCP_LISTEN) + count_sockets("tcp6", TCP_LISTEN);
	int udp = count_sockets("udp", UDP_OPEN) + count_sockets("udp6", UDP_OPEN);

	tap_result(tcp == 0, "nobody listens on TCP", "%d sockets do", tcp);
	tap_result(udp == 0, "nobody listens on UDP", "%d sockets do", udp);
	check_chain("input");
	check_chain("forward");
	check_chain("output");
	check_outbound();
}
