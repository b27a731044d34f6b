/* Sections of the configuration with names of their own, beside [source NAME]: a part of config.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/name.h"

#define CONFIG_CLASSES_MAX   16
#define CONFIG_CLIENTS_MAX   32
#define CONFIG_ADDRESSES_MAX 8
#define CONFIG_ADDRESS_SIZE  46 /* INET6_ADDRSTRLEN */

/* [retention NAME], policy. The class "default" is always there; unless the file has it, it keeps
 * for ever. */
struct config_class {
	char name[SOURCE_NAME_MAX + 1];
	uint64_t keep_usec;    /* 0: for ever */
	uint64_t minimum_usec; /* 0: none */
	uint64_t maximum_usec; /* 0: none */
};

/* [client NAME]: a host that reads over the share what is restored for it, and nothing else
 * (command/share_config.h). */
struct config_client {
	char name[SOURCE_NAME_MAX + 1];
	char addresses[CONFIG_ADDRESSES_MAX][CONFIG_ADDRESS_SIZE]; /* as inet_ntop() writes them */
	size_t address_count;
	uint64_t keep_usec;
};

/* [siem]: where the audit trail is forwarded to (forward/forwarder.h). */
struct config_siem {
	char *host; /* NULL: nowhere; then all others are NULL too */
	uint16_t port;
	char *tls_ca, *tls_certificate, *tls_key; /* each a path or "systemd:NAME" */
	char *state;
};
