/*
 * A connection to one database server: TCP, TLS, authentication and plain statements, by
 * libmariadb; then the dump, for which the TLS session is handed over and read without blocking.
 *
 * TLS is never optional: certificate and host name are verified before a password is sent, and no
 * plugin that would send one in clear may be used (a server that offers no TLS is refused: every
 * other way of asking libmariadb for TLS can be stripped to plaintext by who sits between).
 *
 * Owns: the connection. After connection_dump() only the stream is used, until connection_free().
 * Threads: one. Blocks until the server has answered, at most as long as it may be silent
 * (waiting.h), and with all that is asked at most the source's connect-timeout.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "crypto/tls_stream.h"
#include "pull/credential.h"

struct connection;

/*
 * Connect to @server, one of @source's, as that says and with what @credential holds (which is told
 * how the login went; a version that was refused here is not tried). ERROR_UNAVAILABLE: the network
 * or the server, try again; ERROR_REFUSED: login, certificate, host name, no TLS: a person must
 * change something; ERROR_USAGE: our own files. @id is a UUID in text, for the connection
 * attributes.
 */
int connection_open(const struct config_source *source, const struct config_server *server,
		    struct credential *credential, const char *id,
		    struct connection **ret_connection, struct error *err) MUST_CHECK;

/*
 * The same with one login, tried once: for a second connection beside one that is open, from
 * another thread than the credential's. Its owner is to be told how that went. 0: it is open; 1:
 * the server refuses the login, with a sentence in @err; negative: it did not come to that.
 */
int connection_open_as(const struct config_source *source, const struct config_server *server,
		       const struct login *login, const char *id,
		       struct connection **ret_connection, struct error *err) MUST_CHECK;
void connection_free(struct connection *connection);
DEFINE_CLEANUP(connection_free, struct connection *);

/* From now on it may take connect-timeout again: for one that is kept and asked now and then. */
void connection_renew(struct connection *connection);

/* "10.11.19-MariaDB-log": as the server greets, without "5.5.5-". */
const char *connection_version(const struct connection *connection);

/* Its thread at the server, for KILL. */
unsigned long connection_thread(const struct connection *connection);

int connection_execute(struct connection *connection, const char *statement,
		       struct error *err) MUST_CHECK;

/* The first column of the only row, "" for NULL. ERROR_NOT_FOUND without a row, ERROR_DEFECT if it
 * does not fit. */
int connection_value(struct connection *connection, const char *statement, char *text,
		     size_t text_size, struct error *err) MUST_CHECK;

/*
 * Each row, column by column: printable ("?" for what is not), NULL for NULL; a negative return
 * ends it. After an error the connection is of no more use. ERROR_UNAVAILABLE also if the answer is
 * longer or wider than any that we ask for; it is never held whole.
 */
typedef int connection_columns(void *context, size_t count, const char *const *columns,
			       struct error *err);
int connection_table(struct connection *connection, const char *statement,
		     connection_columns *callback, void *context, struct error *err) MUST_CHECK;

/* The same, of each row only the first column: "" for NULL. */
typedef int connection_row(void *context, const char *text, struct error *err);
int connection_rows(struct connection *connection, const char *statement, connection_row *callback,
		    void *context, struct error *err) MUST_CHECK;

/* About the session, while libmariadb still reads and writes. */
void connection_inspect(struct connection *connection, struct tls_stream **ret_stream);

/* To read the dump with, after connection_dump(). */
int connection_tls(struct connection *connection, struct tls_stream **ret_stream,
		   struct error *err) MUST_CHECK;

/* Send @command (COM_BINLOG_DUMP) with @size bytes; from then on only the stream is read. */
int connection_dump(struct connection *connection, uint8_t command, const uint8_t *bytes,
		    size_t size, struct error *err) MUST_CHECK;

int connection_fd(const struct connection *connection);
