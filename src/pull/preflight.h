/*
 * What must hold of a server before its first event is taken, checked at every connect: facts are
 * read (preflight_facts.h), all rules are judged (preflight_rules.h), and the stream is refused
 * with the sentence of the first that refuses.
 *
 * The verdict is one object of canonical JSON, the fields of a ledger leaf (store/FORMAT.md):
 * {"ok": no rule refuses, "rules": [{"rule", "key", "verdict": "warning" | "refused", "sentence"},
 * …], "certificates": {"server", "authority", "client"}}, of the rules that do not hold. It says
 * nothing that changes by itself, so that it is the same as long as the server is: of certificates
 * only their ends.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "binlog/flavour.h"
#include "config/config.h"
#include "protocol/pull_preflight.h"
#include "pull/binlog_list.h"
#include "pull/connection.h"
#include "pull/identity.h"

struct server_facts {
	struct identity identity;
	char version[64];
	char binlog_format[16];
	char first_file[BINLOG_NAME_MAX + 1]; /* of SHOW BINARY LOGS */
	char last_file[BINLOG_NAME_MAX + 1];  /* the one that it writes now */
	bool ok;			      /* no rule refuses; set with the verdict */
	char verdict[PREFLIGHT_TEXT_SIZE];    /* "" until there is one */
};

/*
 * ERROR_REFUSED: a rule does not hold; then the verdict, and nothing else, is written. @list is
 * taken if it is current, else read anew. NULL: nothing is asked that could wait for the server's
 * commits (SHOW BINARY LOGS, SHOW MASTER STATUS); the files' names are "", and what those two tell
 * is not judged.
 */
int preflight_check(struct connection *connection, const struct config_source *source,
		    const struct config_server *server, struct binlog_list *list,
		    struct server_facts *ret_facts, struct error *err) MUST_CHECK;

/* For `source test`: every rule, also those that hold or are off, with the statements to type. */
struct preflight_facts;
json_t *preflight_report(const struct preflight_facts *facts);
