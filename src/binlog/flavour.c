#include "binlog/flavour.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

#define HEARTBEAT_MARK "{heartbeat}"

/* The same bit means something else on each side. */
#define DUMP_FLAG_MARIADB_SEND_ANNOTATE_ROWS 0x0002 /* without it: holes where they were */
#define DUMP_FLAG_MYSQL_USE_HEARTBEAT_V2     0x0002 /* a heartbeat with a 64-bit position */

/* Capability 4 (MARIA_SLAVE_CAPABILITY_GTID): without it GTID events are rewritten to BEGIN. */
static const char *const mariadb_statement[] = {
	"SET @mariadb_slave_capability=4",
	"SET @master_binlog_checksum=@@global.binlog_checksum",
	"SET @master_heartbeat_period=" HEARTBEAT_MARK,
	NULL,
};

/* Both spellings: a server ignores user variables that it does not know. */
static const char *const mysql_statement[] = {
	"SET @source_binlog_checksum=@@global.binlog_checksum,"
	" @master_binlog_checksum=@@global.binlog_checksum",
	"SET @source_heartbeat_period=" HEARTBEAT_MARK ", @master_heartbeat_period=" HEARTBEAT_MARK,
	NULL,
};

static const struct flavour_traits traits[] = {
	[FLAVOUR_MARIADB] =
		{
			.name = "MariaDB",
			.replay_tool = "mariadb-binlog",
			.dump_flags = DUMP_FLAG_MARIADB_SEND_ANNOTATE_ROWS,
			.statement = mariadb_statement,
			.semi_sync = "SET @rpl_semi_sync_slave=1",
			.semi_sync_install = "INSTALL SONAME 'semisync_master' (built in from "
					     "10.3 on)",
		},
	[FLAVOUR_MYSQL] =
		{
			.name = "MySQL",
			.replay_tool = "mysqlbinlog",
			.dump_flags = DUMP_FLAG_MYSQL_USE_HEARTBEAT_V2,
			.statement = mysql_statement,
			/* The plugin `semisync_source` reads the first, the older
			 * `semisync_master` the second. */
			.semi_sync = "SET @rpl_semi_sync_replica=1, @rpl_semi_sync_slave=1",
			.semi_sync_install = "INSTALL PLUGIN rpl_semi_sync_source SONAME "
					     "'semisync_source.so'; SET GLOBAL "
					     "rpl_semi_sync_source_enabled=ON",
		},
};

const struct flavour_traits *flavour_traits(enum flavour flavour)
{
	ASSERT((size_t)flavour < ARRAY_LENGTH(traits));
	return &traits[flavour];
}

enum flavour flavour_of_version(const char *version)
{
	return strcasestr(version, "mariadb") ? FLAVOUR_MARIADB : FLAVOUR_MYSQL;
}

const char *flavour_version_text(const char *version)
{
	static const char prefix[] = "5.5.5-";

	if (flavour_of_version(version) == FLAVOUR_MARIADB &&
	    strncmp(version, prefix, strlen(prefix)) == 0)
		return version + strlen(prefix);
	return version;
}

int flavour_statement(enum flavour flavour, size_t index, uint64_t heartbeat_usec, char *text,
		      struct error *err)
{
	const char *const *statement = flavour_traits(flavour)->statement;
	const char *from;
	uint64_t period; /* the servers count in nanoseconds */
	size_t used = 0;

	if (checked_mul(heartbeat_usec, UINT64_C(1000), &period))
		return error_set(err, ERROR_USAGE, "heartbeat of %" PRIu64 " us is too long",
				 heartbeat_usec);
	for (size_t i = 0; i <= index; i++)
		if (!statement[i])
			return 0;
	from = statement[index];
	for (;;) {
		const char *mark = strstr(from, HEARTBEAT_MARK);
		int plain = mark ? (int)(mark - from) : (int)strlen(from);

		used += (size_t)snprintf(text + used, FLAVOUR_STATEMENT_SIZE - used, "%.*s", plain,
					 from);
		if (!mark)
			return 1;
		used += (size_t)snprintf(text + used, FLAVOUR_STATEMENT_SIZE - used, "%" PRIu64,
					 period);
		ASSERT(used < FLAVOUR_STATEMENT_SIZE);
		from = mark + strlen(HEARTBEAT_MARK);
	}
}
