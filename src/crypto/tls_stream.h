/*
 * An established TLS session that another library made (libmariadb), read and written without
 * blocking. From here on nobody else may touch it.
 *
 * Borrows: the SSL object and its socket; the caller closes them through the library that made
 * them. The program ignores SIGPIPE. Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "crypto/hash.h"

enum tls_want { TLS_WANT_NOTHING, TLS_WANT_READ, TLS_WANT_WRITE };

struct tls_stream;

/* @ssl is an SSL *; @fd becomes non-blocking. */
int tls_stream_new(void *ssl, int fd, struct tls_stream **ret_stream, struct error *err) MUST_CHECK;

/* Only to ask about the session: the socket stays as it is, nothing may be read or written. */
void tls_stream_inspect(void *ssl, struct tls_stream **ret_stream);
void tls_stream_free(struct tls_stream *stream);
DEFINE_CLEANUP(tls_stream_free, struct tls_stream *);

/*
 * Read what is there, at most @size bytes. Returns the number; 0 with *ret_want set when the socket
 * must become readable or writable first. ERROR_CLOSED: the peer closed or the network failed.
 */
ssize_t tls_stream_read(struct tls_stream *stream, void *buffer, size_t size,
			enum tls_want *ret_want, struct error *err) MUST_CHECK;
ssize_t tls_stream_write(struct tls_stream *stream, const void *buffer, size_t size,
			 enum tls_want *ret_want, struct error *err) MUST_CHECK;

/* Bytes already decrypted, which no poll of the socket would announce. */
size_t tls_stream_pending(const struct tls_stream *stream);

/* For the record: "TLSv1.3", "TLS_AES_256_GCM_SHA384", SHA-256 of the peer's certificate and of
 * its public key (SPKI). Borrowed texts. */
const char *tls_stream_version(const struct tls_stream *stream);
const char *tls_stream_cipher(const struct tls_stream *stream);
int tls_stream_peer(const struct tls_stream *stream, struct hash *ret_certificate,
		    struct hash *ret_spki, struct error *err) MUST_CHECK;

/* When the peer's certificate ends, and the first of those that prove it. Equal if the peer's
 * proves itself. */
int tls_stream_ends(const struct tls_stream *stream, uint64_t *ret_peer_usec,
		    uint64_t *ret_authority_usec, struct error *err) MUST_CHECK;
