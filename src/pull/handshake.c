#include "pull/handshake.h"

#include <string.h>

#include "base/endian.h"
#include "base/json.h"
#include "base/units.h"
#include "io/clock.h"
#include "pull/place.h"

#define COM_BINLOG_DUMP_BYTE	  0x12
#define COM_BINLOG_DUMP_GTID_BYTE 0x1e

#define DUMP_FLAG_THROUGH_GTID 0x0004

/* COM_BINLOG_DUMP; the file's name goes to the end. */
struct dump_command {
	le32 position;
	le16 flags;
	le32 server_id;
	char file[BINLOG_NAME_MAX];
};

/* COM_BINLOG_DUMP_GTID; behind the name the second part. */
struct dump_gtid_command {
	le16 flags;
	le32 server_id;
	le32 file_length;
	char file[BINLOG_NAME_MAX];
};

/*
 * An empty set: no transaction is skipped. With a file's name the server does not ask which ones it
 * has purged (sql/rpl_binlog_sender.cc, check_start_file()).
 */
struct dump_gtid_rest {
	le64 position;
	le32 set_size;
	le64 set_count;
};

/* One dump that is asked for. */
struct dump {
	const char *file;
	uint64_t position;
	uint8_t command;
	uint16_t flags;
};

static int record_tls(struct connection *connection, json_t *object, struct error *err)
{
	CLEANUP(tls_stream_freep)
	struct tls_stream *stream = NULL;
	struct hash certificate, spki;
	int r;

	connection_inspect(connection, &stream);
	r = tls_stream_peer(stream, &certificate, &spki, err);
	if (r < 0)
		return r;
	json_put_string(object, "tls-version", tls_stream_version(stream));
	json_put_string(object, "tls-cipher", tls_stream_cipher(stream));
	json_put_hex(object, "tls-certificate-sha256", certificate.bytes, HASH_SIZE);
	json_put_hex(object, "tls-key-sha256", spki.bytes, HASH_SIZE);
	return 0;
}

/* Run it, and put it into the session's record. */
static int execute(struct connection *connection, const char *statement, json_t *statements,
		   struct error *err)
{
	int r = connection_execute(connection, statement, err);

	if (r == 0)
		json_array_append_new(statements, json_string(statement));
	return r;
}

static int set_variables(struct connection *connection, const struct config_source *source,
			 enum flavour flavour, json_t *object, struct error *err)
{
	json_t *statements = json_array();
	char statement[FLAVOUR_STATEMENT_SIZE];
	int r;

	json_put(object, "statements", statements);
	for (size_t i = 0;; i++) {
		r = flavour_statement(flavour, i, source->heartbeat_usec, statement, err);
		if (r <= 0)
			break;
		r = execute(connection, statement, statements, err);
		if (r < 0)
			return r;
	}
	if (r == 0 && source->semi_sync)
		r = execute(connection, flavour_traits(flavour)->semi_sync, statements, err);
	return r;
}

static int send_dump(struct connection *connection, uint32_t server_id, const struct dump *dump,
		     struct error *err)
{
	struct dump_command command = {
		.position = le32_put((uint32_t)dump->position),
		.flags = le16_put(dump->flags),
		.server_id = le32_put(server_id),
	};
	size_t length = strlen(dump->file);

	memcpy(command.file, dump->file, length);
	return connection_dump(connection, dump->command, (const uint8_t *)&command,
			       offsetof(struct dump_command, file) + length, err);
}

static int send_dump_gtid(struct connection *connection, uint32_t server_id,
			  const struct dump *dump, struct error *err)
{
	size_t length = strlen(dump->file);
	const struct dump_gtid_rest rest = {
		.position = le64_put(dump->position),
		.set_size = le32_put(sizeof(rest.set_count)),
	};
	struct dump_gtid_command command = {
		.flags = le16_put(dump->flags),
		.server_id = le32_put(server_id),
		.file_length = le32_put((uint32_t)length),
	};
	uint8_t bytes[sizeof(command) + sizeof(rest)];
	size_t used = offsetof(struct dump_gtid_command, file) + length;

	memcpy(command.file, dump->file, length);
	memcpy(bytes, &command, used);
	memcpy(bytes + used, &rest, sizeof(rest));
	return connection_dump(connection, dump->command, bytes, used + sizeof(rest), err);
}

/* How a server can be asked for @position of @file, or, if it cannot, for the whole file. */
static int choose_dump(struct connection *connection, enum flavour flavour, struct dump *dump,
		       struct error *err)
{
	char gtid_mode[32];
	int r;

	dump->command = COM_BINLOG_DUMP_BYTE;
	dump->flags = flavour_traits(flavour)->dump_flags;
	if (dump->position <= UINT32_MAX)
		return 0;
	if (flavour == FLAVOUR_MYSQL) {
		r = connection_value(connection, "SELECT @@global.gtid_mode", gtid_mode,
				     sizeof(gtid_mode), err);
		if (r < 0)
			return r;
		if (strcasecmp(gtid_mode, "ON") == 0) {
			dump->command = COM_BINLOG_DUMP_GTID_BYTE;
			dump->flags |= DUMP_FLAG_THROUGH_GTID;
			return 0;
		}
	}
	dump->position = PLACE_FIRST_POSITION;
	return 1;
}

static void record_session(const struct config_source *source, const struct server_facts *facts,
			   const char *id, const struct dump *dump, json_t *object)
{
	char time[TIME_TEXT_SIZE];

	time_format(clock_realtime_usec(), time);
	json_put_u64(object, "schema", 1);
	json_put_string(object, "program", "binvault-pull " BINVAULT_VERSION);
	json_put_string(object, "connection", id);
	json_put_string(object, "connected", time);
	json_put_string(object, "server-version", facts->version);
	json_put_string(object, "binlog-checksum", "CRC32"); /* or the pre-flight had refused it */
	json_put_string(object, "binlog-format", facts->binlog_format);
	json_put_u64(object, "server-id", source->server_id);
	json_put_string(object, "dump-command",
			dump->command == COM_BINLOG_DUMP_BYTE ? "COM_BINLOG_DUMP"
							      : "COM_BINLOG_DUMP_GTID");
	json_put_u64(object, "dump-flags", dump->flags);
	json_put_string(object, "file", dump->file);
	json_put_u64(object, "position", dump->position);
}

int handshake_dump(struct connection *connection, const struct config_source *source,
		   const struct server_facts *facts, const char *id, const char *file,
		   uint64_t position, struct session *ret_session, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	struct dump dump = {.file = file, .position = position};
	enum flavour flavour = facts->identity.flavour;
	int whole = choose_dump(connection, flavour, &dump, err), r = whole;

	record_session(source, facts, id, &dump, object);
	if (r >= 0)
		r = record_tls(connection, object, err);
	if (r == 0)
		r = set_variables(connection, source, flavour, object, err);
	if (r == 0)
		r = json_text_canonical(object, ret_session->json, sizeof(ret_session->json), err);
	if (r < 0)
		return error_prefix(err, "preparing the dump");
	ret_session->json_length = (size_t)r;
	r = dump.command == COM_BINLOG_DUMP_BYTE
		    ? send_dump(connection, source->server_id, &dump, err)
		    : send_dump_gtid(connection, source->server_id, &dump, err);
	return r < 0 ? r : whole;
}

size_t session_bytes(const struct session *session, const uint8_t *format_event, size_t format_size,
		     uint8_t bytes[static SESSION_BYTES_SIZE])
{
	le32 size = le32_put((uint32_t)session->json_length);

	ASSERT(format_size <= FORMAT_EVENT_MAX);
	memcpy(bytes, &size, sizeof(size));
	memcpy(bytes + 4, session->json, session->json_length);
	memcpy(bytes + 4 + session->json_length, format_event, format_size);
	return 4 + session->json_length + format_size;
}
