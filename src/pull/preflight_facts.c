#include "pull/preflight_facts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/hex.h"
#include "config/place.h"
#include "crypto/certificate.h"
#include "crypto/tls_stream.h"
#include "io/clock.h"
#include "pull/credential.h"

#define STATEMENT_SIZE 2048

/* What MariaDB or an older MySQL calls it stands second. */
static const char *const variable_names[VARIABLE_COUNT][2] = {
	[VARIABLE_LOG_BIN] = {"log_bin", NULL},
	[VARIABLE_CHECKSUM] = {"binlog_checksum", NULL},
	[VARIABLE_FORMAT] = {"binlog_format", NULL},
	[VARIABLE_ROW_IMAGE] = {"binlog_row_image", NULL},
	[VARIABLE_SYNC_BINLOG] = {"sync_binlog", NULL},
	[VARIABLE_FLUSH_LOG] = {"innodb_flush_log_at_trx_commit", NULL},
	[VARIABLE_REPLICA_UPDATES] = {"log_replica_updates", "log_slave_updates"},
	[VARIABLE_ROWS_QUERY] = {"binlog_rows_query_log_events", NULL},
	[VARIABLE_ANNOTATE_ROWS] = {"binlog_annotate_row_events", NULL},
	[VARIABLE_GTID_MODE] = {"gtid_mode", NULL},
	[VARIABLE_GTID_REPLICA_POSITION] = {"gtid_slave_pos", NULL},
	[VARIABLE_BINLOG_ENCRYPTION] = {"binlog_encryption", NULL},
	[VARIABLE_ENCRYPT_BINLOG] = {"encrypt_binlog", NULL},
	[VARIABLE_EXPIRE_SECONDS] = {"binlog_expire_logs_seconds", NULL},
	[VARIABLE_EXPIRE_DAYS] = {"expire_logs_days", NULL},
	[VARIABLE_AUTO_PURGE] = {"binlog_expire_logs_auto_purge", NULL},
	[VARIABLE_SEMI_SYNC] = {"rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"},
	[VARIABLE_WAIT_POINT] = {"rpl_semi_sync_source_wait_point",
				 "rpl_semi_sync_master_wait_point"},
};

void preflight_facts_free(struct preflight_facts *facts)
{
	if (!facts)
		return;
	json_decref(facts->revoke);
	free(facts);
}

const char *preflight_value(const struct preflight_facts *facts, enum variable variable)
{
	return facts->variables[variable].value;
}

const char *preflight_name(const struct preflight_facts *facts, enum variable variable)
{
	const char *name = facts->variables[variable].name;

	return name[0] ? name : variable_names[variable][0];
}

/* --- who it is ------------------------------------------------------------------------------- */

static int read_uuid(struct connection *connection, uint8_t uuid[static 16], struct error *err)
{
	char text[64], digits[33];
	size_t used = 0;
	int r = connection_value(connection, "SELECT @@global.server_uuid", text, sizeof(text),
				 err);

	if (r < 0)
		return r;
	for (const char *at = text; *at && used < 32; at++) {
		if (*at != '-')
			digits[used++] = *at;
	}
	digits[used] = '\0';
	r = hex_decode(digits, uuid, 16, err);
	return r < 0 ? error_prefix(err, "server_uuid '%s'", text) : 0;
}

static int read_session(struct connection *connection, struct preflight_facts *facts,
			struct error *err)
{
	CLEANUP(tls_stream_freep)
	struct tls_stream *stream = NULL;
	struct hash certificate;
	int r;

	connection_inspect(connection, &stream);
	snprintf(facts->tls_version, sizeof(facts->tls_version), "%s", tls_stream_version(stream));
	r = tls_stream_peer(stream, &certificate, &facts->identity.spki, err);
	return r < 0 ? r
		     : tls_stream_ends(stream, &facts->server_end_usec, &facts->authority_end_usec,
				       err);
}

static int read_identity(struct connection *connection, struct preflight_facts *facts,
			 struct error *err)
{
	struct identity *identity = &facts->identity;
	char text[32], *end;
	unsigned long id;
	int r;

	identity->flavour = flavour_of_version(connection_version(connection));
	snprintf(facts->version, sizeof(facts->version), "%s", connection_version(connection));
	r = connection_value(connection, "SELECT @@global.server_id", text, sizeof(text), err);
	if (r < 0)
		return r;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id > UINT32_MAX)
		return error_set(err, ERROR_DEFECT, "the server's server_id '%s' is no number",
				 text);
	identity->server_id = (uint32_t)id;
	if (identity->flavour == FLAVOUR_MYSQL)
		r = read_uuid(connection, identity->uuid, err);
	return r < 0 ? r : read_session(connection, facts, err);
}

/* --- its settings ---------------------------------------------------------------------------- */

static int take_variable(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct preflight_facts *facts = context;

	(void)err;
	if (count < 2 || !columns[0] || !columns[1])
		return 0;
	for (size_t i = 0; i < 2 * VARIABLE_COUNT; i++) {
		const char *name = variable_names[i / 2][i % 2];

		if (!name || strcasecmp(name, columns[0]) != 0)
			continue;
		facts->variables[i / 2].known = true;
		snprintf(facts->variables[i / 2].name, sizeof(facts->variables->name), "%s", name);
		snprintf(facts->variables[i / 2].value, sizeof(facts->variables->value), "%s",
			 columns[1]);
	}
	return 0;
}

/* One question for all: what a server does not have is missing in its answer, and no error. */
static int read_variables(struct connection *connection, struct preflight_facts *facts,
			  struct error *err)
{
	char statement[STATEMENT_SIZE] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN (";
	size_t used = strlen(statement);

	for (size_t i = 0; i < 2 * VARIABLE_COUNT; i++) {
		const char *name = variable_names[i / 2][i % 2];

		if (name)
			used += (size_t)snprintf(statement + used, sizeof(statement) - used,
						 "%s'%s'", i ? "," : "", name);
		ASSERT(used + 2 < sizeof(statement));
	}
	snprintf(statement + used, sizeof(statement) - used, ")");
	return connection_table(connection, statement, take_variable, facts, err);
}

/* "9.7.4-2" as 90704. */
static unsigned version_number(const char *text)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(text, "%3u.%3u.%3u", &major, &minor, &patch) < 2)
		return 0;
	return major * 10000 + minor * 100 + patch;
}

static int count_row(void *context, size_t count, const char *const *columns, struct error *err)
{
	size_t *row_count = context;

	(void)count;
	(void)columns;
	(void)err;
	(*row_count)++;
	return 0;
}

/*
 * MariaDB shows SHOW REPLICA STATUS only with a privilege that an archive shall not have; where a
 * GTID position was ever replicated, it stands in a variable that everybody may read.
 */
static int read_replica(struct connection *connection, struct preflight_facts *facts,
			struct error *err)
{
	bool old = version_number(facts->version) < 80022;
	size_t row_count = 0;
	int r;

	if (strcasecmp(preflight_value(facts, VARIABLE_REPLICA_UPDATES), "OFF") != 0)
		return 0;
	if (facts->identity.flavour == FLAVOUR_MARIADB) {
		facts->is_replica = preflight_value(facts, VARIABLE_GTID_REPLICA_POSITION)[0];
		return 0;
	}
	r = connection_table(connection, old ? "SHOW SLAVE STATUS" : "SHOW REPLICA STATUS",
			     count_row, &row_count, err);
	facts->is_replica = row_count > 0;
	return r;
}

static int take_filters(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct preflight_facts *facts = context;

	int r;

	if (count < 4 || !columns[0])
		return error_set(err, ERROR_DEFECT,
				 "the server's state of its binlog has %zu columns, 4 are expected",
				 count);
	r = name_check_binlog(columns[0], err);
	if (r < 0)
		return error_prefix(err, "the binlog file that the server writes");
	snprintf(facts->last_file, sizeof(facts->last_file), "%s", columns[0]);
	snprintf(facts->do_databases, sizeof(facts->do_databases), "%s",
		 columns[2] ? columns[2] : "");
	snprintf(facts->ignore_databases, sizeof(facts->ignore_databases), "%s",
		 columns[3] ? columns[3] : "");
	return 0;
}

static int read_filters(struct connection *connection, struct preflight_facts *facts,
			struct error *err)
{
	bool new =
		facts->identity.flavour == FLAVOUR_MYSQL &&version_number(facts->version) >= 80200;

	return connection_table(connection, new ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
				take_filters, facts, err);
}

/* The list costs the server's commits time; which file is written now costs next to nothing. */
static int read_files(struct connection *connection, const struct preflight_request *request,
		      struct preflight_facts *facts, struct error *err)
{
	struct binlog_list *list = request->list;
	int r = 0;

	/* Numbers that begin anew: the list is that of before a reset. */
	if (binlog_list_is_current(list, request->server) &&
	    strcmp(facts->last_file, list->last) < 0)
		binlog_list_release(list);
	if (!binlog_list_is_current(list, request->server)) {
		r = binlog_list_read(list, connection, request->server, err);
		if (r < 0)
			return r;
		memcpy(facts->last_file, list->last, sizeof(facts->last_file));
	}
	memcpy(facts->first_file, list->first, sizeof(facts->first_file));
	facts->last_plain = list->last_plain && strcmp(facts->last_file, list->last) == 0;
	return 0;
}

static bool writes_binlog(const struct preflight_facts *facts)
{
	return strcasecmp(preflight_value(facts, VARIABLE_LOG_BIN), "ON") == 0;
}

static int read_binlog(struct connection *connection, const struct preflight_request *request,
		       struct preflight_facts *facts, struct error *err)
{
	int r = read_variables(connection, facts, err);

	if (r == 0)
		r = read_replica(connection, facts, err);
	/* Both need a privilege, and there must be something to show. */
	if (r < 0 || facts->missing[0] || !writes_binlog(facts) || !request->list)
		return r;
	r = read_filters(connection, facts, err);
	return r < 0 ? r : read_files(connection, request, facts, err);
}

static struct preflight_facts *facts_new(const struct config_source *source)
{
	struct preflight_facts *facts = calloc(1, sizeof(*facts));

	ASSERT(facts);
	facts->source = source;
	facts->now_usec = clock_realtime_usec();
	facts->revoke = json_array();
	return facts;
}

/* Of what was given as tls-certificate: a path, or a name that systemd knows. */
static int read_certificate(struct preflight_facts *facts, struct error *err)
{
	const char *place = facts->source->tls_certificate;
	struct certificate certificate;
	char path[PATH_MAX];
	int r;

	if (!place)
		return 0;
	r = place_path(place, path, err);
	if (r == 0)
		r = certificate_read(path, &certificate, err);
	if (r == 0)
		facts->client_end_usec = certificate.end_usec;
	return r;
}

int preflight_facts_read(struct connection *connection, const struct preflight_request *request,
			 struct preflight_facts **ret_facts, struct error *err)
{
	CLEANUP(preflight_facts_freep)
	struct preflight_facts *facts = facts_new(request->source);
	int r;

	/* So that names are quoted in one way, whatever the server's default is. */
	r = connection_execute(connection, "SET SESSION sql_mode='', sql_quote_show_create=1", err);
	if (r == 0)
		r = read_identity(connection, facts, err);
	if (r == 0)
		r = read_certificate(facts, err);
	if (r == 0)
		r = preflight_read_account(connection, facts, err);
	if (r == 0)
		r = read_binlog(connection, request, facts, err);
	if (r < 0)
		return r;
	*ret_facts = TAKE(facts);
	return 0;
}
