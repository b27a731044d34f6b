#include "pull/handshake.h"

#include <string.h>

#include "base/endian.h"
#include "base/json.h"
#include "base/units.h"
#include "io/clock.h"

#define COM_BINLOG_DUMP_BYTE 0x12

/* COM_BINLOG_DUMP: le32 position, le16 flags, le32 server id, file name to the end. */
struct dump_command {
	le32 position;
	le16 flags;
	le32 server_id;
	char file[BINLOG_NAME_MAX];
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

int handshake_dump(struct connection *connection, const struct config_source *source,
		   const struct server_facts *facts, const char *id, const char *file,
		   uint64_t position, struct session *ret_session, struct error *err)
{
	const struct flavour_traits *traits = flavour_traits(facts->identity.flavour);
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	struct dump_command command;
	char time[TIME_TEXT_SIZE];
	int r;

	if (position > UINT32_MAX)
		return error_set(
			err, ERROR_REFUSED,
			"%s has passed 4 GiB, where a dump by position ends in this version; "
			"do on the server: SET GLOBAL max_binlog_size to 1 GiB or less, FLUSH "
			"BINARY LOGS",
			file);
	time_format(clock_realtime_usec(), time);
	json_put_u64(object, "schema", 1);
	json_put_string(object, "program", "binvault-pull " BINVAULT_VERSION);
	json_put_string(object, "connection", id);
	json_put_string(object, "connected", time);
	json_put_string(object, "server-version", facts->version);
	json_put_string(object, "binlog-format", facts->binlog_format);
	json_put_u64(object, "server-id", source->server_id);
	json_put_u64(object, "dump-flags", traits->dump_flags);
	json_put_string(object, "file", file);
	json_put_u64(object, "position", position);
	r = record_tls(connection, object, err);
	if (r == 0)
		r = set_variables(connection, source, facts->identity.flavour, object, err);
	if (r == 0)
		r = json_text_canonical(object, ret_session->json, sizeof(ret_session->json), err);
	if (r < 0)
		return error_prefix(err, "preparing the dump");
	ret_session->json_length = (size_t)r;

	command.position = le32_put((uint32_t)position);
	command.flags = le16_put(traits->dump_flags);
	command.server_id = le32_put(source->server_id);
	memcpy(command.file, file, strlen(file));
	return connection_dump(connection, COM_BINLOG_DUMP_BYTE, (const uint8_t *)&command,
			       offsetof(struct dump_command, file) + strlen(file), err);
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
