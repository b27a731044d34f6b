#include "pull/preflight_rules.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/units.h"
#include "pull/account.h"
#include "pull/grants.h"

#define MARIADB	 1u
#define MYSQL	 2u
#define BOTH	 (MARIADB | MYSQL)
#define ALWAYS	 SIZE_MAX /* a level that no key changes */
#define NAMED(f) offsetof(struct config_rules, f)

struct rule;

/* Does it hold? Writes what is seen, or what is wrong and how to mend it. */
typedef enum preflight_verdict rule_check(const struct preflight_facts *facts,
					  const struct rule *rule,
					  struct preflight_finding *finding);

struct rule {
	const char *name;
	const char *key;
	unsigned flavours;
	size_t level_offset; /* of an enum config_level in struct config_rules, or ALWAYS */
	enum config_level level;
	rule_check *check;
	/* of check_variable: one of these values, else why it matters and what to do */
	enum variable variable;
	const char *accepted, *why;
};

__attribute__((format(printf, 2, 3))) static void say(struct preflight_finding *finding,
						      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->sentence, sizeof(finding->sentence), format, arguments);
	va_end(arguments);
}

static enum config_level level_of(const struct preflight_facts *facts, const struct rule *rule)
{
	const char *rules = (const char *)&facts->source->rules;

	return rule->level_offset == ALWAYS
		       ? rule->level
		       : *(const enum config_level *)(const void *)(rules + rule->level_offset);
}

static enum preflight_verdict fails(const struct preflight_facts *facts, const struct rule *rule)
{
	switch (level_of(facts, rule)) {
	case LEVEL_YES:
		return PREFLIGHT_REFUSES;
	case LEVEL_WARN:
		return PREFLIGHT_WARNS;
	case LEVEL_NO:
	default:
		return PREFLIGHT_OFF;
	}
}

/* --- settings of the server ------------------------------------------------------------------ */

static bool is_one_of(const char *value, const char *list)
{
	size_t length = strlen(value);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (strncasecmp(at, value, length) == 0 && (at[length] == ',' || !at[length]))
			return true;
	}
	return false;
}

static enum preflight_verdict check_variable(const struct preflight_facts *facts,
					     const struct rule *rule,
					     struct preflight_finding *finding)
{
	const char *value = preflight_value(facts, rule->variable);
	const char *name = preflight_name(facts, rule->variable);

	if (!facts->variables[rule->variable].known)
		return PREFLIGHT_OFF;
	if (is_one_of(value, rule->accepted)) {
		say(finding, "%s is %s", name, value);
		return PREFLIGHT_HOLDS;
	}
	say(finding, "%s is %s: %s", name, value, rule->why);
	return fails(facts, rule);
}

static enum preflight_verdict check_format(const struct preflight_facts *facts,
					   const struct rule *rule,
					   struct preflight_finding *finding)
{
	const struct config_source *source = facts->source;
	const char *format = preflight_value(facts, VARIABLE_FORMAT);

	if (!facts->variables[VARIABLE_FORMAT].known)
		return PREFLIGHT_OFF;
	say(finding, "binlog_format is %s", format);
	if ((source->allow_row && strcasecmp(format, "ROW") == 0) ||
	    (source->allow_mixed && strcasecmp(format, "MIXED") == 0) ||
	    (source->allow_statement && strcasecmp(format, "STATEMENT") == 0))
		return PREFLIGHT_HOLDS;
	say(finding, "binlog_format is %s, which allowed-formats does not allow; change either",
	    format);
	return fails(facts, rule);
}

static enum preflight_verdict check_whole(const struct preflight_facts *facts,
					  const struct rule *rule,
					  struct preflight_finding *finding)
{
	bool only = facts->do_databases[0];

	say(finding, "no binlog_do_db, no binlog_ignore_db");
	if (!only && !facts->ignore_databases[0])
		return PREFLIGHT_HOLDS;
	say(finding,
	    "%s is '%.200s': the binlog is not whole, and what it leaves out cannot be restored; "
	    "take the option out of the server's configuration and start it again",
	    only ? "binlog_do_db" : "binlog_ignore_db",
	    only ? facts->do_databases : facts->ignore_databases);
	return fails(facts, rule);
}

static enum preflight_verdict check_replica(const struct preflight_facts *facts,
					    const struct rule *rule,
					    struct preflight_finding *finding)
{
	say(finding, "%s is %s", preflight_name(facts, VARIABLE_REPLICA_UPDATES),
	    preflight_value(facts, VARIABLE_REPLICA_UPDATES));
	if (!facts->is_replica)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "%s is OFF on a server that replicates from another: what comes from there is not in "
	    "its binlog and cannot be restored; set it to ON in the server's configuration and "
	    "start it again, or name the other server in `servers`",
	    preflight_name(facts, VARIABLE_REPLICA_UPDATES));
	return fails(facts, rule);
}

static enum preflight_verdict check_wait_point(const struct preflight_facts *facts,
					       const struct rule *rule,
					       struct preflight_finding *finding)
{
	const char *point = preflight_value(facts, VARIABLE_WAIT_POINT);
	const char *name = preflight_name(facts, VARIABLE_WAIT_POINT);

	say(finding, "the server does not wait for acknowledgements");
	if (strcasecmp(preflight_value(facts, VARIABLE_SEMI_SYNC), "ON") != 0)
		return PREFLIGHT_OFF;
	say(finding, "%s is %s", name, point);
	if (strcasecmp(point, "AFTER_COMMIT") != 0)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "%s is AFTER_COMMIT: others read a transaction before the archive has it, and it may "
	    "be "
	    "gone after a crash; do on the server: SET GLOBAL %s='AFTER_SYNC'",
	    name, name);
	return fails(facts, rule);
}

static enum preflight_verdict check_gtid(const struct preflight_facts *facts,
					 const struct rule *rule, struct preflight_finding *finding)
{
	const char *mode = preflight_value(facts, VARIABLE_GTID_MODE);
	bool several = facts->source->server_count > 1;

	say(finding, "gtid_mode is %s", mode);
	if (!facts->variables[VARIABLE_GTID_MODE].known || strcasecmp(mode, "ON") == 0)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "gtid_mode is %s: %s; do on the server, one after the other: SET GLOBAL "
	    "enforce_gtid_consistency=ON, SET GLOBAL gtid_mode=OFF_PERMISSIVE, ON_PERMISSIVE, ON",
	    mode,
	    several ? "`servers` has several, and a change between them goes by GTID"
		    : "a file over 4 GiB cannot be resumed, and no other server can take over");
	return several ? PREFLIGHT_REFUSES : fails(facts, rule);
}

/* 0: never. */
static uint64_t expiry_sec(const struct preflight_facts *facts)
{
	uint64_t seconds = strtoull(preflight_value(facts, VARIABLE_EXPIRE_SECONDS), NULL, 10);
	double days = strtod(preflight_value(facts, VARIABLE_EXPIRE_DAYS), NULL);

	if (strcasecmp(preflight_value(facts, VARIABLE_AUTO_PURGE), "OFF") == 0)
		return 0;
	if (facts->variables[VARIABLE_EXPIRE_SECONDS].known && seconds > 0)
		return seconds;
	return days > 0 && days < 1e6 ? (uint64_t)(days * 86400) : 0;
}

static enum preflight_verdict check_expiry(const struct preflight_facts *facts,
					   const struct rule *rule,
					   struct preflight_finding *finding)
{
	uint64_t least = facts->source->rules.binlog_expiry_usec / USEC_PER_SEC;
	uint64_t seconds = expiry_sec(facts);

	if (seconds == 0)
		say(finding, "the server purges no binlog by itself");
	else
		say(finding, "the server purges its binlogs after %" PRIu64 " s", seconds);
	if (least == 0)
		return PREFLIGHT_OFF;
	if (seconds == 0 || seconds >= least)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "the server purges its binlogs after %" PRIu64 " s: while the archive cannot reach it "
	    "for longer, what it writes is lost; do on the server: SET GLOBAL %s",
	    seconds,
	    facts->variables[VARIABLE_EXPIRE_SECONDS].known ? "binlog_expire_logs_seconds=604800"
							    : "expire_logs_days=7");
	return fails(facts, rule);
}

static enum preflight_verdict check_encryption(const struct preflight_facts *facts,
					       const struct rule *rule,
					       struct preflight_finding *finding)
{
	bool mariadb = facts->identity.flavour == FLAVOUR_MARIADB;
	enum variable variable = mariadb ? VARIABLE_ENCRYPT_BINLOG : VARIABLE_BINLOG_ENCRYPTION;
	const char *name = preflight_name(facts, variable);

	if (strcasecmp(preflight_value(facts, variable), "ON") != 0) {
		say(finding, "%s is OFF: the server keeps its binlogs in clear; %s", name,
		    mariadb ? "set it to ON in the server's configuration, with a key management "
			      "plugin, and start it again"
			    : "do on the server, with a keyring component: SET GLOBAL "
			      "binlog_encryption=ON");
		return fails(facts, rule);
	}
	say(finding, "%s is ON", name);
	if (!facts->last_plain)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "%s is ON, but the server's last binlog file %s is not encrypted; do on the server: "
	    "FLUSH BINARY LOGS",
	    name, facts->last_file);
	return fails(facts, rule);
}

/* --- who it is ------------------------------------------------------------------------------- */

static enum preflight_verdict check_pin(const struct preflight_facts *facts,
					const struct rule *rule, struct preflight_finding *finding)
{
	const struct config_rules *rules = &facts->source->rules;
	char hash[HEX_SIZE(HASH_SIZE)];

	hex_encode(facts->identity.spki.bytes, HASH_SIZE, hash);
	say(finding, "sha256:%s", hash);
	if (rules->tls_pin_count == 0)
		return PREFLIGHT_OFF;
	for (size_t i = 0; i < rules->tls_pin_count; i++) {
		if (memcmp(rules->tls_pins[i], facts->identity.spki.bytes, HASH_SIZE) == 0)
			return PREFLIGHT_HOLDS;
	}
	say(finding,
	    "the key of the server's certificate is sha256:%s, which tls-pin does not list: "
	    "another "
	    "machine may stand between; if the key was changed on purpose, put this value into "
	    "tls-pin",
	    hash);
	return fails(facts, rule);
}

static enum preflight_verdict check_tls(const struct preflight_facts *facts,
					const struct rule *rule, struct preflight_finding *finding)
{
	bool newest = strcmp(facts->tls_version, "TLSv1.3") == 0;

	say(finding, "%s", facts->tls_version);
	if (newest || (strcmp(facts->tls_version, "TLSv1.2") == 0 &&
		       facts->source->tls_minimum == TLS_MINIMUM_1_2))
		return PREFLIGHT_HOLDS;
	say(finding,
	    "the session is %s, below tls-minimum; do on the server: set tls_version to "
	    "TLSv1.2,TLSv1.3",
	    facts->tls_version);
	return fails(facts, rule);
}

/* One that has ended was refused before, by TLS itself. */
static enum preflight_verdict check_end(const struct preflight_facts *facts,
					const struct rule *rule, uint64_t end_usec,
					const char *whose, struct preflight_finding *finding)
{
	char when[TIME_TEXT_SIZE];

	say(finding, "there is none");
	if (end_usec == 0)
		return PREFLIGHT_OFF;
	finding->end_usec = end_usec;
	time_format(end_usec, when);
	say(finding, "ends %.10s %.8sZ", when, when + 11);
	if (end_usec > facts->now_usec + facts->source->rules.certificate_warning_usec)
		return PREFLIGHT_HOLDS;
	finding->attention = end_usec <= facts->now_usec + PREFLIGHT_ATTENTION_USEC;
	say(finding, "%s ends %.10s %.8sZ, and with it the archiving: renew it before", whose, when,
	    when + 11);
	return fails(facts, rule);
}

static enum preflight_verdict check_server_end(const struct preflight_facts *facts,
					       const struct rule *rule,
					       struct preflight_finding *finding)
{
	return check_end(facts, rule, facts->server_end_usec, "the server's certificate", finding);
}

static enum preflight_verdict check_authority_end(const struct preflight_facts *facts,
						  const struct rule *rule,
						  struct preflight_finding *finding)
{
	return check_end(facts, rule, facts->authority_end_usec,
			 "the certificate of the authority (tls-ca)", finding);
}

static enum preflight_verdict check_client_end(const struct preflight_facts *facts,
					       const struct rule *rule,
					       struct preflight_finding *finding)
{
	return check_end(facts, rule, facts->client_end_usec, "our certificate (tls-certificate)",
			 finding);
}

static enum preflight_verdict check_uuid(const struct preflight_facts *facts,
					 const struct rule *rule, struct preflight_finding *finding)
{
	const struct config_rules *rules = &facts->source->rules;
	char text[HEX_UUID_SIZE];

	hex_encode_uuid(facts->identity.uuid, text);
	say(finding, "server_uuid is %s", text);
	if (rules->server_uuid_count == 0)
		return PREFLIGHT_OFF;
	for (size_t i = 0; i < rules->server_uuid_count; i++) {
		if (memcmp(rules->server_uuids[i], facts->identity.uuid, 16) == 0)
			return PREFLIGHT_HOLDS;
	}
	say(finding,
	    "server_uuid is %s, which server-uuid does not list: another server answers here, or "
	    "it "
	    "was built anew; if it is the right one, put this value into server-uuid",
	    text);
	return fails(facts, rule);
}

static enum preflight_verdict check_server_ids(const struct preflight_facts *facts,
					       const struct rule *rule,
					       struct preflight_finding *finding)
{
	const struct config_rules *rules = &facts->source->rules;

	say(finding, "server_id is %" PRIu32, facts->identity.server_id);
	if (rules->server_id_count == 0)
		return PREFLIGHT_OFF;
	for (size_t i = 0; i < rules->server_id_count; i++) {
		if (rules->server_ids[i] == facts->identity.server_id)
			return PREFLIGHT_HOLDS;
	}
	say(finding,
	    "server_id is %" PRIu32
	    ", which server-ids does not list: another server answers here, "
	    "or it was built anew; if it is the right one, put this value into server-ids",
	    facts->identity.server_id);
	return fails(facts, rule);
}

static enum preflight_verdict check_our_id(const struct preflight_facts *facts,
					   const struct rule *rule,
					   struct preflight_finding *finding)
{
	say(finding, "%" PRIu32, facts->source->server_id);
	if (facts->identity.server_id != facts->source->server_id)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "server-id %" PRIu32 " is the server's own: choose one that nothing else in the "
	    "topology has",
	    facts->source->server_id);
	return fails(facts, rule);
}

/* --- the account ----------------------------------------------------------------------------- */

/* CURRENT_ROLE() is a list, its names in backticks, with commas between and perhaps in them. */
static bool is_active(const struct preflight_facts *facts, const char *required)
{
	char role[FACT_ACCOUNT];
	const char *at = facts->roles;

	while (at) {
		at = preflight_next_role(at, role, sizeof(role));
		if (grant_name_is(role, required))
			return true;
	}
	return false;
}

static enum preflight_verdict check_role(const struct preflight_facts *facts,
					 const struct rule *rule, struct preflight_finding *finding)
{
	const char *required = facts->source->rules.require_role;
	bool mariadb = facts->identity.flavour == FLAVOUR_MARIADB;
	char role[FACT_QUOTED];

	say(finding, "CURRENT_ROLE() is %.300s", facts->roles);
	if (!required)
		return PREFLIGHT_OFF;
	if (is_active(facts, required))
		return PREFLIGHT_HOLDS;
	account_quote(required, role, sizeof(role));
	say(finding,
	    "role '%.100s' is not active (CURRENT_ROLE() is %.100s); do on the server: GRANT %.80s "
	    "TO %.80s; SET DEFAULT ROLE %.80s %s %.80s",
	    required, facts->roles, role, facts->account, role, mariadb ? "FOR" : "TO",
	    facts->account);
	return fails(facts, rule);
}

static enum preflight_verdict check_missing(const struct preflight_facts *facts,
					    const struct rule *rule,
					    struct preflight_finding *finding)
{
	char holder[FACT_ACCOUNT];

	snprintf(holder, sizeof(holder), "%s", facts->account);
	if (!facts->missing[0]) {
		say(finding, "%s has %s", facts->account,
		    account_privileges(facts->identity.flavour));
		return PREFLIGHT_HOLDS;
	}
	if (facts->source->rules.require_role)
		account_quote(facts->source->rules.require_role, holder, sizeof(holder));
	say(finding, "account '%.100s' lacks %s; do on the server: GRANT %s ON *.* TO %.200s",
	    facts->user, facts->missing, facts->missing, holder);
	return fails(facts, rule);
}

/* As many statements as fit; `source test` shows all. */
static enum preflight_verdict check_excessive(const struct preflight_facts *facts,
					      const struct rule *rule,
					      struct preflight_finding *finding)
{
	size_t count = json_array_size(facts->revoke), told = 0, used;

	say(finding, "nothing else");
	if (count == 0)
		return PREFLIGHT_HOLDS;
	say(finding,
	    "account '%.60s' may do more than read binlogs; do on the server: ", facts->user);
	for (; told < count; told++) {
		const char *text = json_string_value(json_array_get(facts->revoke, told));

		used = strlen(finding->sentence);
		if (!text || used + strlen(text) + 96 > sizeof(finding->sentence))
			break;
		snprintf(finding->sentence + used, sizeof(finding->sentence) - used, "%s%s",
			 told ? "; " : "", text);
	}
	used = strlen(finding->sentence);
	if (told < count)
		snprintf(finding->sentence + used, sizeof(finding->sentence) - used,
			 "%sand %zu more, which source test shows", told ? "; " : "", count - told);
	return fails(facts, rule);
}

static enum preflight_verdict check_host(const struct preflight_facts *facts,
					 const struct rule *rule, struct preflight_finding *finding)
{
	char user[FACT_QUOTED], client[FACT_QUOTED];

	say(finding, "%s", facts->account);
	if (strcmp(facts->host, "%") != 0)
		return PREFLIGHT_HOLDS;
	account_quote(facts->user, user, sizeof(user));
	account_quote(facts->client, client, sizeof(client));
	say(finding,
	    "the account's host is '%%', so that a stolen credential is of use from anywhere; do "
	    "on the server: RENAME USER %.120s TO %.80s@%.120s",
	    facts->account, user, client);
	return fails(facts, rule);
}

/* --- the table ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct rule rules[] = {
	{"tls-pin", "tls-pin", BOTH, ALWAYS, LEVEL_YES, check_pin, 0, NULL, NULL},
	{"tls-version", "tls-minimum", BOTH, ALWAYS, LEVEL_YES, check_tls, 0, NULL, NULL},
	{"server-certificate", "certificate-warning", BOTH, ALWAYS, LEVEL_WARN, check_server_end,
	 0, NULL, NULL},
	{"authority-certificate", "certificate-warning", BOTH, ALWAYS, LEVEL_WARN,
	 check_authority_end, 0, NULL, NULL},
	{"client-certificate", "certificate-warning", BOTH, ALWAYS, LEVEL_WARN, check_client_end,
	 0, NULL, NULL},
	{"server-uuid", "server-uuid", MYSQL, ALWAYS, LEVEL_YES, check_uuid, 0, NULL, NULL},
	{"server-ids", "server-ids", BOTH, ALWAYS, LEVEL_YES, check_server_ids, 0, NULL, NULL},
	{"server-id", "server-id", BOTH, ALWAYS, LEVEL_YES, check_our_id, 0, NULL, NULL},
	{"role", "require-role", BOTH, ALWAYS, LEVEL_YES, check_role, 0, NULL, NULL},
	{"grants-missing", "user", BOTH, ALWAYS, LEVEL_YES, check_missing, 0, NULL, NULL},
	{"grants-excessive", "excessive-grants", BOTH, NAMED(excessive_grants), LEVEL_YES,
	 check_excessive, 0, NULL, NULL},
	{"account-host", "allow-any-host", BOTH, NAMED(any_host), LEVEL_WARN, check_host, 0, NULL,
	 NULL},
	{"log-bin", "", BOTH, ALWAYS, LEVEL_YES, check_variable, VARIABLE_LOG_BIN, "ON",
	 "this server writes no binlog to archive; set log_bin in its configuration and start it "
	 "again"},
	{"checksum", "", BOTH, ALWAYS, LEVEL_YES, check_variable, VARIABLE_CHECKSUM, "CRC32",
	 "damage on the way could not be seen; do on the server: SET GLOBAL binlog_checksum=CRC32"},
	{"format", "allowed-formats", BOTH, ALWAYS, LEVEL_YES, check_format, 0, NULL, NULL},
	{"whole-binlog", "require-whole-binlog", BOTH, NAMED(whole_binlog), LEVEL_YES, check_whole,
	 0, NULL, NULL},
	{"replica-updates", "require-replica-updates", BOTH, NAMED(replica_updates), LEVEL_YES,
	 check_replica, 0, NULL, NULL},
	{"source-encryption", "require-source-encryption", BOTH, NAMED(source_encryption),
	 LEVEL_WARN, check_encryption, 0, NULL, NULL},
	{"gtid", "require-gtid", MYSQL, NAMED(gtid), LEVEL_WARN, check_gtid, 0, NULL, NULL},
	{"sync-binlog", "require-sync-binlog", BOTH, NAMED(sync_binlog), LEVEL_WARN,
	 check_variable, VARIABLE_SYNC_BINLOG, "1",
	 "a crash of the server's machine may take from it what the archive has; do on the server: "
	 "SET GLOBAL sync_binlog=1"},
	{"flush-log", "require-flush-log", BOTH, NAMED(flush_log), LEVEL_WARN, check_variable,
	 VARIABLE_FLUSH_LOG, "1",
	 "a crash may take from the server's tables what its binlog and the archive have; do on "
	 "the server: SET GLOBAL innodb_flush_log_at_trx_commit=1"},
	{"wait-point", "require-after-sync", BOTH, NAMED(after_sync), LEVEL_WARN, check_wait_point,
	 0, NULL, NULL},
	{"row-image", "require-full-row-image", BOTH, NAMED(row_image), LEVEL_WARN, check_variable,
	 VARIABLE_ROW_IMAGE, "FULL,FULL_NODUP",
	 "what a row was before a change is not archived whole, so that a change cannot be undone "
	 "from the archive; do on the server: SET GLOBAL binlog_row_image=FULL"},
	{"sql-text", "require-no-sql-text", MYSQL, NAMED(no_sql_text), LEVEL_WARN, check_variable,
	 VARIABLE_ROWS_QUERY, "OFF",
	 "the text of statements, with the values in it, stands in the binlog; do on the server: "
	 "SET GLOBAL binlog_rows_query_log_events=OFF"},
	{"sql-text", "require-no-sql-text", MARIADB, NAMED(no_sql_text), LEVEL_WARN,
	 check_variable, VARIABLE_ANNOTATE_ROWS, "OFF",
	 "the text of statements, with the values in it, stands in the binlog; do on the server: "
	 "SET GLOBAL binlog_annotate_row_events=OFF"},
	{"binlog-expiry", "minimum-binlog-expiry", BOTH, ALWAYS, LEVEL_WARN, check_expiry, 0, NULL,
	 NULL},
};
/* clang-format on */

static unsigned flavour_bit(const struct preflight_facts *facts)
{
	return facts->identity.flavour == FLAVOUR_MARIADB ? MARIADB : MYSQL;
}

static void judge(const struct preflight_facts *facts, const struct rule *rule,
		  struct preflight_finding *finding)
{
	*finding = (struct preflight_finding){.rule = rule->name, .key = rule->key};
	finding->verdict = rule->check(facts, rule, finding);
	if (finding->verdict != PREFLIGHT_WARNS)
		finding->attention = false;
}

size_t preflight_judge(const struct preflight_facts *facts,
		       struct preflight_finding findings[static PREFLIGHT_RULES_MAX])
{
	size_t count = 0;

	static_assert(ARRAY_LENGTH(rules) <= PREFLIGHT_RULES_MAX, "every rule has a finding");
	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
		/* The other flavour's row of the same name is no finding of its own. */
		if (rules[i].flavours & flavour_bit(facts))
			judge(facts, &rules[i], &findings[count++]);
	}
	return count;
}

const char *preflight_verdict_name(enum preflight_verdict verdict)
{
	static const char *const names[] = {
		[PREFLIGHT_OFF] = "off",
		[PREFLIGHT_HOLDS] = "ok",
		[PREFLIGHT_WARNS] = "warning",
		[PREFLIGHT_REFUSES] = "refused",
	};

	return names[verdict];
}
