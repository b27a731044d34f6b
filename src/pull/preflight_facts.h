/*
 * What a server says of itself, read once at a connect, so that the rules (preflight_rules.h) can
 * judge without asking: they are then the same for a test that makes the facts up.
 *
 * Owns: its texts and lists. Threads: one. Blocks, with the time-outs of connection.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "config/config.h"
#include "pull/binlog_list.h"
#include "pull/connection.h"
#include "pull/identity.h"

#define FACT_SIZE    256
#define FACT_QUOTED  (2 * FACT_SIZE + 3)
#define FACT_ACCOUNT (2 * FACT_QUOTED)
#define FACT_ROLES   2048

/* Global variables, in the order of the table in preflight_facts.c. */
enum variable {
	VARIABLE_LOG_BIN,
	VARIABLE_CHECKSUM,
	VARIABLE_FORMAT,
	VARIABLE_ROW_IMAGE,
	VARIABLE_SYNC_BINLOG,
	VARIABLE_FLUSH_LOG,
	VARIABLE_REPLICA_UPDATES,
	VARIABLE_ROWS_QUERY,
	VARIABLE_ANNOTATE_ROWS,
	VARIABLE_GTID_MODE,
	VARIABLE_GTID_REPLICA_POSITION,
	VARIABLE_BINLOG_ENCRYPTION,
	VARIABLE_ENCRYPT_BINLOG,
	VARIABLE_EXPIRE_SECONDS,
	VARIABLE_EXPIRE_DAYS,
	VARIABLE_AUTO_PURGE,
	VARIABLE_SEMI_SYNC,
	VARIABLE_WAIT_POINT,
	VARIABLE_COUNT,
};

struct preflight_facts {
	const struct config_source *source;
	uint64_t now_usec; /* of the vault */
	struct identity identity;
	char version[64];

	/* the session */
	char tls_version[16];
	uint64_t server_end_usec, authority_end_usec,
		client_end_usec; /* of certificates; 0: none */

	/* the account */
	char user[FACT_SIZE], host[FACT_SIZE]; /* CURRENT_USER() */
	char client[FACT_SIZE];		       /* where we come from, as the server sees it */
	char account[FACT_ACCOUNT];	       /* quoted: "`binvault`@`%`" */
	char roles[FACT_ROLES];		       /* CURRENT_ROLE(): "NONE", "r", "`r`@`%`,…" */
	char missing[128];		       /* privileges, "" if none */
	json_t *revoke;			       /* statements that take what is too much */

	/* the binlog */
	struct {
		bool known;
		char name[64], value[64]; /* cut */
	} variables[VARIABLE_COUNT];
	bool is_replica; /* asked only where it matters: log_replica_updates is OFF */
	char do_databases[FACT_SIZE], ignore_databases[FACT_SIZE]; /* cut */
	char first_file[BINLOG_NAME_MAX + 1], last_file[BINLOG_NAME_MAX + 1];
	bool last_plain; /* the server says that it does not encrypt the last file (MySQL) */
};

struct preflight_request {
	const struct config_source *source;
	const struct config_server *server; /* to which the connection leads */
	struct binlog_list *list;	    /* taken if it is current, else read anew; or NULL */
};

/* Statements that fail are errors; what the rules would refuse is none. */
int preflight_facts_read(struct connection *connection, const struct preflight_request *request,
			 struct preflight_facts **ret_facts, struct error *err) MUST_CHECK;
void preflight_facts_free(struct preflight_facts *facts);
DEFINE_CLEANUP(preflight_facts_free, struct preflight_facts *);

/* The variable's value, "" if the server has none of it. */
const char *preflight_value(const struct preflight_facts *facts, enum variable variable);
/* Its name on this server. */
const char *preflight_name(const struct preflight_facts *facts, enum variable variable);

/* The first role of CURRENT_ROLE()'s list at @at, as it is quoted there; returns the rest, or NULL.
 */
const char *preflight_next_role(const char *at, char *role, size_t size);

/* Internal: the account's part (preflight_account.c). */
int preflight_read_account(struct connection *connection, struct preflight_facts *facts,
			   struct error *err) MUST_CHECK;
