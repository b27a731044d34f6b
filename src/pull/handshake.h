/*
 * From a checked connection to a dump: the session variables without which a server sends a
 * rewritten stream with right checksums, the dump command, and the record of both that goes into
 * the SESSION frame.
 *
 * A SESSION frame's bytes: le32 size of the JSON, the JSON (canonical, "schema" 1: what was set,
 * command, flags, server version, checksums, TLS version, cipher, certificate and key hashes,
 * connection id, file and position asked for), then the FORMAT_DESCRIPTION event as it came.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "binlog/format.h"
#include "pull/connection.h"
#include "pull/preflight.h"

#define SESSION_JSON_SIZE  4096
#define SESSION_BYTES_SIZE (4 + SESSION_JSON_SIZE + FORMAT_EVENT_MAX)

struct session {
	char json[SESSION_JSON_SIZE];
	size_t json_length;
};

/*
 * Set the variables and ask for @file from @position. The session's record is written before
 * anything is sent. Beyond 4 GiB only MySQL with gtid_mode=ON can be asked for a position
 * (COM_BINLOG_DUMP has 32 bits for it, and wraps): any other server is asked for the whole file.
 * Returns 1 then, else 0.
 */
int handshake_dump(struct connection *connection, const struct config_source *source,
		   const struct server_facts *facts, const char *id, const char *file,
		   uint64_t position, struct session *ret_session, struct error *err) MUST_CHECK;

/* The bytes of a SESSION frame. Returns their number. */
size_t session_bytes(const struct session *session, const uint8_t *format_event, size_t format_size,
		     uint8_t bytes[static SESSION_BYTES_SIZE]);
