/*
 * The client's side of mutual TLS, version 1.2 or later, on a connected socket that does not block:
 * the peer is verified by authority and name, and our certificate is shown.
 *
 * With TLS 1.3 a client has finished its handshake before the server has judged the client's
 * certificate: a refusal arrives later, as an error of tls_stream_read().
 *
 * Owns: the session; the socket is borrowed. The program ignores SIGPIPE. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "crypto/tls_stream.h"

struct tls_client_options {
	const char *authority, *certificate, *key; /* PEM files, read now */
	const char *host; /* name or address that the peer's certificate must be for */
};

struct tls_client;

/* ERROR_USAGE with a sentence for a file that is not what it must be. */
int tls_client_new(const struct tls_client_options *options, int fd, struct tls_client **ret_client,
		   struct error *err) MUST_CHECK;
void tls_client_free(struct tls_client *client);
DEFINE_CLEANUP(tls_client_free, struct tls_client *);

/*
 * Go on with the handshake. 1: done; 0: the socket must become as *ret_want says. ERROR_REFUSED:
 * one side does not accept the other, which a person must mend; ERROR_CLOSED: anything else.
 */
int tls_client_handshake(struct tls_client *client, enum tls_want *ret_want,
			 struct error *err) MUST_CHECK;

/* After the handshake: to read and write. Borrowed. */
struct tls_stream *tls_client_stream(struct tls_client *client);

/* Bytes that were written to the socket, TLS's own included: what was given to
 * tls_stream_write() and taken whole has been written whole. */
uint64_t tls_client_written(const struct tls_client *client);

/* "close_notify", if the socket takes it. */
void tls_client_close(struct tls_client *client);
