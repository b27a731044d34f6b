/*
 * What an account may do, as SHOW GRANTS tells it: privileges on objects, and roles, each with who
 * holds it; and what of it is more than an archive needs, as the REVOKE to type.
 *
 * The lines of both servers are read: names in backticks, quotes or (ANSI_QUOTES) double quotes
 * with anything in them, lists of columns, routines, PROXY, roles, GRANT and ADMIN OPTION. A line
 * that is not understood is refused, never passed over; so is an answer of more than GRANTS_MAX
 * privileges. A password hash in a line (MariaDB) is not kept.
 *
 * Owns: its texts. Threads: one. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "binlog/flavour.h"

#define GRANT_LINE_MAX 16384u /* bytes */
#define GRANTS_MAX     1024u

enum grant_kind { GRANT_PRIVILEGE, GRANT_ROLE };

struct grant {
	enum grant_kind kind;
	char *name;    /* "SELECT (`a`, `b`)", "GRANT OPTION"; of a role as quoted: "`r`@`%`" */
	char *object;  /* "*.*", "PROCEDURE `a`.`b`"; NULL for a role */
	char *grantee; /* as quoted: "`binvault`@`%`", "`r`", "PUBLIC" */
	bool admin;    /* a role WITH ADMIN OPTION */
};

struct grants;

struct grants *grants_new(void);
void grants_free(struct grants *grants);
DEFINE_CLEANUP(grants_free, struct grants *);

/*
 * Add one line. With @grantee that is who holds it, whatever the line says: MySQL shows what a role
 * gives as if the account had it itself. ERROR_REFUSED if the line is not understood, or is one too
 * many.
 */
int grants_add(struct grants *grants, const char *line, const char *grantee,
	       struct error *err) MUST_CHECK;

/* Add a copy of @grant, of another set. */
int grants_copy(struct grants *grants, const struct grant *grant, struct error *err) MUST_CHECK;

size_t grants_count(const struct grants *grants);
const struct grant *grants_at(const struct grants *grants, size_t index);

/* Is a grant of this name and object among them, whoever holds it? */
bool grants_have(const struct grants *grants, const struct grant *grant);

/* Those of @from that are not in @without. */
int grants_subtract(const struct grants *from, const struct grants *without,
		    struct grants **ret_rest, struct error *err) MUST_CHECK;

/* What of the two privileges that an archive needs is missing: "" if none, else as GRANT wants it.
 * Borrowed. */
const char *grants_missing(const struct grants *grants, enum flavour flavour);

/* Is it a privilege beyond those two? A role is none: what it gives stands in other lines. */
bool grant_is_excessive(const struct grant *grant, enum flavour flavour);

/* Append to the array @statements the REVOKEs of all that is excessive, one a holder and object. */
void grants_revoke(const struct grants *grants, enum flavour flavour, json_t *statements);

/* Does the quoted @name ("`r`@`%`", "`r`") mean the role or account that @plain names ("r",
 * "r@host")? A host of '%' need not be said. */
bool grant_name_is(const char *name, const char *plain);
