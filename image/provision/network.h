/*
 * What of the network a configuration opens: the way to each database server's address and port, to
 * the time servers, to the SIEM, and nothing else. There is no name service in a vault: names come
 * from the bundle's file `hosts`.
 *
 * Owns: nothing; pure. Texts are written into the caller's buffer.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"
#include "provision/timekeeping.h"

#define NETWORK_TEXT_SIZE 65536

/* The address of a name, by a text in the form of hosts(5), or the name itself if it is an address.
 * ERROR_NOT_FOUND */
int network_address(const char *hosts, const char *name, char ret_address[INET6_ADDRSTRLEN],
		    struct error *err) MUST_CHECK;

/* Commands for `nft -f`: to each server of each source, each time server and the SIEM, and the
 * answers.
 * ERROR_USAGE if one of them has no address. */
int network_rules(const struct config *config, const struct time_servers *clocks, const char *hosts,
		  char ret_rules[NETWORK_TEXT_SIZE], struct error *err) MUST_CHECK;

/* A drop-in for a unit that may talk to these and to nobody else: the same addresses, once more. */
int network_fence(const char *const *names, size_t count, const char *hosts,
		  char ret_drop_in[NETWORK_TEXT_SIZE], struct error *err) MUST_CHECK;
