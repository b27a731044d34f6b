/*
 * A server's list of its binlog files, as OBSERVED carries it (protocol/observed.h).
 *
 * SHOW BINARY LOGS takes locks of the server that its commits wait for, and looks at every file
 * while it holds them. So a list counts as current for BINLOG_LIST_EVERY_USEC, whichever connection
 * has read it, and none of ours reads another before that.
 *
 * Owns: the bytes, at most OBSERVED_LIST_SIZE_MAX. Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/observed.h"
#include "pull/connection.h"

#define BINLOG_LIST_EVERY_USEC (60 * UINT64_C(1000000))

/* Zeros: there is none. */
struct binlog_list {
	const struct config_server *server; /* whose it is */
	uint64_t listed_usec;		    /* vault time just before it was asked for */
	uint64_t monotonic_usec;	    /* the same moment, for its age */
	uint32_t count;
	char first[BINLOG_NAME_MAX + 1], last[BINLOG_NAME_MAX + 1];
	bool last_plain; /* the server says that it does not encrypt the last (MySQL's Encrypted) */
	uint8_t *bytes;
	size_t size, capacity;
};

/* It may be used again. */
void binlog_list_release(struct binlog_list *list);

/* Ask @server for its list, over @connection. On failure @list is as it was. */
int binlog_list_read(struct binlog_list *list, struct connection *connection,
		     const struct config_server *server, struct error *err) MUST_CHECK;

/* Is it a list of @server that is still current? */
bool binlog_list_is_current(const struct binlog_list *list, const struct config_server *server);

void binlog_list_copy(struct binlog_list *to, const struct binlog_list *from);
