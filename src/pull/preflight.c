#include "pull/preflight.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "crypto/tls_stream.h"

static int value(struct connection *connection, const char *statement, char *text, size_t size,
		 struct error *err)
{
	return connection_value(connection, statement, text, size, err);
}

/* Of all SHOW GRANTS lines: is there one on *.* with @privilege, or with ALL? */
struct grants {
	bool replicate, monitor;
};

static int add_grants(void *context, const char *line, struct error *err)
{
	struct grants *grants = context;
	const char *end = strstr(line, " ON *.* ");
	char list[2048];

	(void)err;
	if (!end || (size_t)(end - line) >= sizeof(list))
		return 0;
	memcpy(list, line, (size_t)(end - line));
	list[end - line] = '\0';
	if (strcasestr(list, "ALL PRIVILEGES"))
		grants->replicate = grants->monitor = true;
	if (strcasestr(list, "REPLICATION SLAVE") || strcasestr(list, "REPLICATION REPLICA"))
		grants->replicate = true;
	if (strcasestr(list, "BINLOG MONITOR") || strcasestr(list, "REPLICATION CLIENT"))
		grants->monitor = true;
	return 0;
}

static int check_grants(struct connection *connection, const struct config_source *source,
			enum flavour flavour, struct error *err)
{
	const char *monitor = flavour == FLAVOUR_MARIADB ? "BINLOG MONITOR" : "REPLICATION CLIENT";
	struct grants grants = {0};
	char account[512];
	int r = connection_rows(connection, "SHOW GRANTS", add_grants, &grants, err);

	if (r < 0)
		return r;
	if (grants.replicate && grants.monitor)
		return 0;
	/* The account as the server found it, so that the statement can be pasted. */
	r = value(connection,
		  "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', "
		  "QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))",
		  account, sizeof(account), err);
	if (r < 0)
		return r;
	return error_set(err, ERROR_REFUSED,
			 "account '%s' lacks %s; do on the server: GRANT REPLICATION SLAVE, "
			 "%s ON *.* TO %s",
			 source->user, !grants.replicate ? "REPLICATION SLAVE" : monitor, monitor,
			 account);
}

static int check_settings(struct connection *connection, const struct config_source *source,
			  struct server_facts *facts, struct error *err)
{
	char text[64];
	int r;

	r = value(connection, "SELECT @@global.log_bin", text, sizeof(text), err);
	if (r < 0)
		return r;
	if (strcmp(text, "1") != 0)
		return error_set(err, ERROR_REFUSED,
				 "log_bin is OFF: this server writes no binlog to archive");
	r = value(connection, "SELECT @@global.binlog_checksum", text, sizeof(text), err);
	if (r < 0)
		return r;
	if (strcasecmp(text, "CRC32") != 0)
		return error_set(
			err, ERROR_REFUSED,
			"binlog_checksum is %s: damage on the way could not be seen; do on "
			"the server: SET GLOBAL binlog_checksum=CRC32",
			text);
	r = value(connection, "SELECT @@global.binlog_format", facts->binlog_format,
		  sizeof(facts->binlog_format), err);
	if (r < 0)
		return r;
	if (!((source->allow_row && strcasecmp(facts->binlog_format, "ROW") == 0) ||
	      (source->allow_mixed && strcasecmp(facts->binlog_format, "MIXED") == 0) ||
	      (source->allow_statement && strcasecmp(facts->binlog_format, "STATEMENT") == 0)))
		return error_set(
			err, ERROR_REFUSED,
			"binlog_format is %s, which allowed-formats does not allow; change "
			"either",
			facts->binlog_format);
	return 0;
}

static int read_uuid(struct connection *connection, uint8_t uuid[static 16], struct error *err)
{
	char text[64], digits[33];
	size_t used = 0;
	int r = value(connection, "SELECT @@global.server_uuid", text, sizeof(text), err);

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

static int read_identity(struct connection *connection, const struct config_source *source,
			 struct identity *identity, struct error *err)
{
	CLEANUP(tls_stream_freep)
	struct tls_stream *stream = NULL;
	struct hash certificate;
	char text[32], *end;
	unsigned long id;
	int r;

	identity->flavour = flavour_of_version(connection_version(connection));
	r = value(connection, "SELECT @@global.server_id", text, sizeof(text), err);
	if (r < 0)
		return r;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id > UINT32_MAX)
		return error_set(err, ERROR_DEFECT, "the server's server_id '%s' is no number",
				 text);
	identity->server_id = (uint32_t)id;
	if (identity->server_id == source->server_id)
		return error_set(
			err, ERROR_REFUSED,
			"server-id %u is the server's own: choose one that nothing else in "
			"the topology has",
			source->server_id);
	if (identity->flavour == FLAVOUR_MYSQL) {
		r = read_uuid(connection, identity->uuid, err);
		if (r < 0)
			return r;
	}
	connection_inspect(connection, &stream);
	return tls_stream_peer(stream, &certificate, &identity->spki, err);
}

/* The file that the server writes now. Unlike the list this costs it next to nothing. */
static int read_current_file(struct connection *connection, enum flavour flavour, char *file,
			     struct error *err)
{
	char *end;
	unsigned long major = strtoul(connection_version(connection), &end, 10);
	unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	/* MySQL has the one since 8.2 and the other until 8.3. */
	bool new = flavour == FLAVOUR_MYSQL && (major > 8 || (major == 8 && minor >= 2));
	int r = value(connection, new ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", file,
		      BINLOG_NAME_MAX + 1, err);

	if (r == 0)
		r = name_check_binlog(file, err);
	return r < 0 ? error_prefix(err, "the binlog file that the server writes") : 0;
}

static int read_files(struct connection *connection, const struct config_server *server,
		      struct binlog_list *list, struct server_facts *facts, struct error *err)
{
	int r = 0;

	if (binlog_list_is_current(list, server)) {
		r = read_current_file(connection, facts->identity.flavour, facts->last_file, err);
		/* Numbers that begin anew: the list is that of before a reset. */
		if (r == 0 && strcmp(facts->last_file, list->last) < 0)
			binlog_list_release(list);
	}
	if (r == 0 && !binlog_list_is_current(list, server)) {
		r = binlog_list_read(list, connection, server, err);
		memcpy(facts->last_file, list->last, sizeof(facts->last_file));
	}
	if (r == 0)
		memcpy(facts->first_file, list->first, sizeof(facts->first_file));
	return r;
}

int preflight_check(struct connection *connection, const struct config_source *source,
		    const struct config_server *server, struct binlog_list *list,
		    struct server_facts *ret_facts, struct error *err)
{
	struct server_facts facts = {0};
	int r;

	r = read_identity(connection, source, &facts.identity, err);
	if (r == 0)
		r = check_grants(connection, source, facts.identity.flavour, err);
	if (r == 0)
		r = check_settings(connection, source, &facts, err);
	if (r == 0)
		r = read_files(connection, server, list, &facts, err);
	if (r < 0)
		return r;
	snprintf(facts.version, sizeof(facts.version), "%s", connection_version(connection));
	*ret_facts = facts;
	return 0;
}
