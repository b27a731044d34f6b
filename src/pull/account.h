/*
 * The account of an archive on a server, with the least privileges that it needs: which those are,
 * and the SQL that makes it.
 *
 * Names are quoted as the servers quote them, so that a statement can be pasted whatever a name
 * holds. No password is ever part of it: a placeholder stands for it.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include <stddef.h>

#include "base/json.h"
#include "binlog/flavour.h"
#include "config/config.h"

/* The privileges on *.*, as GRANT wants them: "REPLICATION SLAVE, BINLOG MONITOR". */
const char *account_privileges(enum flavour flavour);

/* `name` in backticks, those in it doubled; cut, but always closed, if it does not fit. */
void account_quote(const char *name, char *text, size_t size);

struct account_plan {
	enum flavour flavour;
	const struct config_source *source;
	const char *host; /* from where we come, as the server sees it; NULL: unknown */
};

/* Append the statements, and the comments that explain them, to @lines: one text each. */
int account_statements(const struct account_plan *plan, json_t *lines,
		       struct error *err) MUST_CHECK;
