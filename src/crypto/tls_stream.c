#include "crypto/tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/certificate.h"
#include "crypto/openssl_error.h"

struct tls_stream {
	SSL *ssl;
	bool drained; /* the last read ended because the socket had no more */
	struct error
		failed; /* found behind bytes that were returned first; told at the next read */
};

void tls_stream_inspect(void *ssl, struct tls_stream **ret_stream)
{
	struct tls_stream *stream = calloc(1, sizeof(*stream));

	ASSERT(stream);
	stream->ssl = ssl;
	*ret_stream = stream;
}

/* Connector/C 3.4 reads and writes below TLS by functions of its own, which wait for the socket
 * even if it does not block. What has arrived already is held above them, by the session. */
static int take_socket(SSL *ssl, int fd, struct error *err)
{
	if (SSL_get_fd(ssl) == fd || SSL_set_fd(ssl, fd) == 1)
		return 0;
	return openssl_error(err, ERROR_FAILED, "taking the socket of the TLS session");
}

int tls_stream_new(void *ssl, int fd, struct tls_stream **ret_stream, struct error *err)
{
	struct tls_stream *stream;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno,
				       "making the TLS socket non-blocking");
	if (take_socket(ssl, fd, err) < 0)
		return err->code;
	tls_stream_inspect(ssl, &stream);
	/* one system call brings many records instead of two calls for each */
	SSL_set_read_ahead(stream->ssl, 1);
	SSL_set_mode(stream->ssl,
		     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	*ret_stream = stream;
	return 0;
}

void tls_stream_free(struct tls_stream *stream)
{
	free(stream);
}

/* Why did a call on the session stop? 0 with *ret_want, or ERROR_CLOSED. */
static int why(SSL *ssl, int saved_errno, enum tls_want *ret_want, struct error *err)
{
	switch (SSL_get_error(ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		*ret_want = TLS_WANT_READ;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*ret_want = TLS_WANT_WRITE;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return error_set(err, ERROR_CLOSED, "the peer closed the TLS session");
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (saved_errno == 0)
			return error_set(err, ERROR_CLOSED, "the peer closed the connection");
		if (saved_errno == ETIMEDOUT)
			return error_set(err, ERROR_CLOSED,
					 "the peer's host has answered nothing for too long: is "
					 "the network cut?");
		return error_set_errno(err, ERROR_CLOSED, saved_errno, "the connection failed");
	default:
		return openssl_error(err, ERROR_CLOSED, "TLS failed");
	}
}

ssize_t tls_stream_read(struct tls_stream *stream, void *buffer, size_t size,
			enum tls_want *ret_want, struct error *err)
{
	enum tls_want want = TLS_WANT_NOTHING;
	uint8_t *out = buffer;
	size_t done = 0;
	int r = 0;

	if (stream->failed.code) {
		*err = stream->failed;
		return err->code;
	}
	stream->drained = false;
	while (done < size) {
		size_t got = 0;

		ERR_clear_error();
		errno = 0;
		if (SSL_read_ex(stream->ssl, out + done, size - done, &got) == 1) {
			done += got;
			continue;
		}
		r = why(stream->ssl, errno, &want, &stream->failed);
		stream->drained = r == 0;
		break;
	}
	if (done == 0 && r < 0) {
		*err = stream->failed;
		return r;
	}
	*ret_want = done > 0 ? TLS_WANT_NOTHING : want;
	return (ssize_t)done;
}

ssize_t tls_stream_write(struct tls_stream *stream, const void *buffer, size_t size,
			 enum tls_want *ret_want, struct error *err)
{
	enum tls_want want = TLS_WANT_NOTHING;
	size_t done = 0;
	int r = 0;

	ERR_clear_error();
	errno = 0;
	if (size > 0 && SSL_write_ex(stream->ssl, buffer, size, &done) != 1)
		r = why(stream->ssl, errno, &want, err);
	if (r < 0)
		return r;
	*ret_want = want;
	return (ssize_t)done;
}

size_t tls_stream_pending(const struct tls_stream *stream)
{
	int decrypted = SSL_pending(stream->ssl);

	if (stream->failed.code)
		return 1;
	if (decrypted > 0)
		return (size_t)decrypted;
	/* read ahead, not decrypted yet; after a drained read it is only part of a record */
	return !stream->drained && SSL_has_pending(stream->ssl) ? 1 : 0;
}

const char *tls_stream_version(const struct tls_stream *stream)
{
	return SSL_get_version(stream->ssl);
}

const char *tls_stream_cipher(const struct tls_stream *stream)
{
	return SSL_get_cipher_name(stream->ssl);
}

int tls_stream_peer(const struct tls_stream *stream, struct hash *ret_certificate,
		    struct hash *ret_spki, struct error *err)
{
	X509 *certificate = SSL_get1_peer_certificate(stream->ssl);
	unsigned char *whole = NULL;
	unsigned char *spki = NULL;
	int whole_size;
	int spki_size;
	int r = 0;

	if (!certificate)
		return error_set(err, ERROR_DEFECT, "the TLS peer showed no certificate");
	whole_size = i2d_X509(certificate, &whole);
	spki_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	if (whole_size > 0 && spki_size > 0) {
		hash_bytes(whole, (size_t)whole_size, ret_certificate);
		hash_bytes(spki, (size_t)spki_size, ret_spki);
	} else {
		r = openssl_error(err, ERROR_DEFECT, "the TLS peer's certificate is unreadable");
	}
	OPENSSL_free(whole);
	OPENSSL_free(spki);
	X509_free(certificate);
	return r;
}

int tls_stream_ends(const struct tls_stream *stream, uint64_t *ret_peer_usec,
		    uint64_t *ret_authority_usec, struct error *err)
{
	/* What the verification found: from the peer's to the one that is trusted. */
	const STACK_OF(X509) *chain = SSL_get0_verified_chain(stream->ssl);
	uint64_t peer = 0, authority = UINT64_MAX, end;
	int r;

	if (!chain || sk_X509_num(chain) < 1)
		return error_set(err, ERROR_DEFECT, "the TLS peer's certificate was not proved");
	r = certificate_end(sk_X509_value(chain, 0), &peer, err);
	for (int i = 1; r == 0 && i < sk_X509_num(chain); i++) {
		r = certificate_end(sk_X509_value(chain, i), &end, err);
		if (r == 0 && end < authority)
			authority = end;
	}
	if (r < 0)
		return r;
	*ret_peer_usec = peer;
	*ret_authority_usec = authority == UINT64_MAX ? peer : authority;
	return 0;
}
