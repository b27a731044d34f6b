/*
 * What must hold of a server before its first event is taken, checked at every connect: each rule
 * its own sentence, each naming the setting or the statement that mends it.
 *
 * Here: grants, log_bin, CRC32 checksums, formats, server id; and what the server is.
 */
#pragma once

#include "binlog/flavour.h"
#include "config/config.h"
#include "pull/binlog_list.h"
#include "pull/connection.h"
#include "pull/identity.h"

struct server_facts {
	struct identity identity;
	char version[64];
	char binlog_format[16];
	char first_file[BINLOG_NAME_MAX + 1]; /* of SHOW BINARY LOGS */
	char last_file[BINLOG_NAME_MAX + 1];  /* the one that it writes now */
};

/* ERROR_REFUSED: a rule does not hold. @list is taken if it is current, else read anew. */
int preflight_check(struct connection *connection, const struct config_source *source,
		    const struct config_server *server, struct binlog_list *list,
		    struct server_facts *ret_facts, struct error *err) MUST_CHECK;
