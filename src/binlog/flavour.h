/*
 * The differences between MariaDB and MySQL as replication sources, in one table.
 *
 * Owns: nothing; the table is constant.
 * Threads: no shared state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum flavour {
	FLAVOUR_MARIADB,
	FLAVOUR_MYSQL,
};

#define FLAVOUR_STATEMENT_SIZE 256

struct flavour_traits {
	const char *name;	       /* "MariaDB" */
	const char *replay_tool;       /* the client program that replays a file */
	uint16_t dump_flags;	       /* of COM_BINLOG_DUMP */
	const char *const *statement;  /* SQL before a dump, ends with NULL; see below */
	const char *semi_sync;	       /* the same that asks for semi-sync */
	const char *semi_sync_install; /* what makes a server able to do it */
};

const struct flavour_traits *flavour_traits(enum flavour flavour);

/*
 * The flavour by a version text, from the greeting or from a FORMAT_DESCRIPTION event: MariaDB
 * says so in it. A greeting's "5.5.5-" in front of it is of no consequence.
 */
enum flavour flavour_of_version(const char *version);

/* @version without the "5.5.5-" that MariaDB 10 and above greet with. */
const char *flavour_version_text(const char *version);

/*
 * Write to @text (FLAVOUR_STATEMENT_SIZE bytes) the SQL statement @index of those a session needs
 * before a dump, with the heartbeat period in it; returns 1, or 0 if there are no more. They are
 * mandatory: without them the server sends a rewritten stream whose CRCs are all right.
 */
int flavour_statement(enum flavour flavour, size_t index, uint64_t heartbeat_usec, char *text,
		      struct error *err) MUST_CHECK;
