#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "crypto/tls_stream.h"

struct fixture {
	SSL_CTX *server_context;
	SSL_CTX *client_context;
	X509 *certificate;
	EVP_PKEY *key;
	SSL *server;
	SSL *client;
	int fds[2]; /* server, client */
	struct tls_stream *stream;
	struct error err;
};

static void make_certificate(struct fixture *f)
{
	X509_NAME *name;

	f->key = EVP_EC_gen("P-256");
	f->certificate = X509_new();
	assert_true(f->key && f->certificate);
	X509_set_version(f->certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(f->certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(f->certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(f->certificate), 3600);
	X509_set_pubkey(f->certificate, f->key);
	name = X509_get_subject_name(f->certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"server", -1, -1, 0);
	X509_set_issuer_name(f->certificate, name);
	assert_true(X509_sign(f->certificate, f->key, EVP_sha256()) > 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int left = 2;

	assert_non_null(f);
	make_certificate(f);
	f->server_context = SSL_CTX_new(TLS_server_method());
	f->client_context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate(f->server_context, f->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->server_context, f->key), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds),
			 0);
	f->server = SSL_new(f->server_context);
	f->client = SSL_new(f->client_context);
	SSL_set_fd(f->server, f->fds[0]);
	SSL_set_fd(f->client, f->fds[1]);
	SSL_set_accept_state(f->server);
	SSL_set_connect_state(f->client);
	for (int i = 0; i < 20 && left; i++)
		left = (SSL_do_handshake(f->client) != 1) + (SSL_do_handshake(f->server) != 1);
	assert_int_equal(left, 0);
	/* as libmariadb leaves it */
	fcntl(f->fds[1], F_SETFL, 0);
	assert_ok(tls_stream_new(f->client, f->fds[1], &f->stream, &f->err), &f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tls_stream_free(f->stream);
	SSL_free(f->server);
	SSL_free(f->client);
	SSL_CTX_free(f->server_context);
	SSL_CTX_free(f->client_context);
	X509_free(f->certificate);
	EVP_PKEY_free(f->key);
	close_fdp(&f->fds[0]);
	close(f->fds[1]);
	free(f);
	return 0;
}

static bool readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void an_idle_session_wants_to_read(void **state)
{
	struct fixture *f = *state;
	enum tls_want want = TLS_WANT_NOTHING;
	char buffer[100];

	assert_true(fcntl(f->fds[1], F_GETFL) & O_NONBLOCK);
	assert_int_equal(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), 0);
	assert_int_equal(want, TLS_WANT_READ);
	assert_int_equal(tls_stream_pending(f->stream), 0);
	assert_int_equal(SSL_write(f->server, "hello", 5), 5);
	assert_int_equal(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), 5);
	assert_int_equal(want, TLS_WANT_NOTHING);
	assert_memory_equal(buffer, "hello", 5);
	assert_int_equal(tls_stream_pending(f->stream), 0);
}

/* A reader that polls only when nothing is pending never waits for what it already has. */
static void pending_bytes_are_announced_until_the_last(void **state)
{
	static const size_t sizes[] = {1, 100, 5000, 16384, 20000};
	struct fixture *f = *state;
	uint8_t *sent = malloc(60000);

	for (int i = 0; i < 60000; i++)
		sent[i] = (uint8_t)(i * 31);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t done = 0;
		uint8_t buffer[20000];

		for (size_t at = 0; at < 60000; at += 1500)
			assert_int_equal(SSL_write(f->server, sent + at, 1500), 1500);
		while (done < 60000) {
			enum tls_want want;
			ssize_t n;

			if (tls_stream_pending(f->stream) == 0)
				assert_true(readable(f->fds[1]));
			n = tls_stream_read(f->stream, buffer, sizes[s], &want, &f->err);
			assert_ok(n, &f->err);
			assert_memory_equal(buffer, sent + done, (size_t)n);
			done += (size_t)n;
		}
		assert_int_equal(done, 60000);
	}
	free(sent);
}

static void a_full_socket_wants_to_write_and_goes_on(void **state)
{
	struct fixture *f = *state;
	size_t total = 4 << 20;
	uint8_t *bytes = calloc(1, total);
	uint8_t *moved = NULL;
	size_t sent = 0;
	size_t received = 0;
	bool waited = false;

	while (received < total) {
		enum tls_want want = TLS_WANT_NOTHING;
		uint8_t buffer[16384];
		ssize_t n = 0;
		int got;

		/* the buffer may move between a refused write and its repetition */
		if (sent < total) {
			free(moved);
			moved = malloc(total - sent);
			memcpy(moved, bytes + sent, total - sent);
			n = tls_stream_write(f->stream, moved, total - sent, &want, &f->err);
			assert_ok(n, &f->err);
			sent += (size_t)n;
		}
		if (n == 0 && sent < total) {
			assert_int_equal(want, TLS_WANT_WRITE);
			waited = true;
		}
		if (n > 0)
			continue;
		while ((got = SSL_read(f->server, buffer, sizeof(buffer))) > 0)
			received += (size_t)got;
	}
	assert_true(waited);
	assert_int_equal(received, total);
	free(moved);
	free(bytes);
}

static void bytes_before_the_end_come_first(void **state)
{
	struct fixture *f = *state;
	enum tls_want want;
	char buffer[100];

	assert_int_equal(SSL_write(f->server, "last words", 10), 10);
	SSL_shutdown(f->server);
	close(f->fds[0]);
	f->fds[0] = -1;
	assert_int_equal(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), 10);
	assert_int_equal(tls_stream_pending(f->stream), 1);
	for (int i = 0; i < 3; i++)
		assert_fails(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err),
			     &f->err, ERROR_CLOSED, "the peer closed the TLS session");
}

static void a_cut_connection_is_closed(void **state)
{
	struct fixture *f = *state;
	enum tls_want want;
	char buffer[100];

	close(f->fds[0]);
	f->fds[0] = -1;
	assert_fails(tls_stream_write(f->stream, "x", 1, &want, &f->err), &f->err, ERROR_CLOSED,
		     "the connection failed: Broken pipe");
	assert_fails(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), &f->err,
		     ERROR_CLOSED, "");
}

static void an_end_without_farewell_is_told_as_such(void **state)
{
	struct fixture *f = *state;
	enum tls_want want;
	char buffer[100];

	shutdown(f->fds[0], SHUT_WR);
	assert_fails(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), &f->err,
		     ERROR_CLOSED, "unexpected eof");
}

static void forged_bytes_end_the_session(void **state)
{
	struct fixture *f = *state;
	enum tls_want want;
	char buffer[100];

	assert_int_equal(
		write(f->fds[0], "\x17\x03\x03\x00\x20 these bytes are not encrypted  ", 37), 37);
	assert_fails(tls_stream_read(f->stream, buffer, sizeof(buffer), &want, &f->err), &f->err,
		     ERROR_CLOSED, "TLS failed: ");
}

static void the_record_names_version_cipher_and_peer(void **state)
{
	struct fixture *f = *state;
	unsigned char *der = NULL;
	struct hash expected;
	struct hash certificate;
	struct hash spki;
	int size;

	assert_string_equal(tls_stream_version(f->stream), "TLSv1.3");
	assert_string_equal(tls_stream_cipher(f->stream), "TLS_AES_256_GCM_SHA384");
	assert_ok(tls_stream_peer(f->stream, &certificate, &spki, &f->err), &f->err);
	size = i2d_X509(f->certificate, &der);
	hash_bytes(der, (size_t)size, &expected);
	assert_memory_equal(&certificate, &expected, sizeof(expected));
	OPENSSL_free(der);
	der = NULL;
	size = i2d_PUBKEY(f->key, &der);
	hash_bytes(der, (size_t)size, &expected);
	assert_memory_equal(&spki, &expected, sizeof(expected));
	OPENSSL_free(der);
}

static void a_peer_without_certificate_has_no_name(void **state)
{
	struct fixture *f = *state;
	struct tls_stream *server;
	struct hash certificate;
	struct hash spki;

	assert_ok(tls_stream_new(f->server, f->fds[0], &server, &f->err), &f->err);
	assert_fails(tls_stream_peer(server, &certificate, &spki, &f->err), &f->err, ERROR_DEFECT,
		     "showed no certificate");
	tls_stream_free(server);
	assert_fails(tls_stream_new(f->server, -1, &server, &f->err), &f->err, ERROR_FAILED,
		     "Bad file descriptor");
}

int main(void)
{
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TLS_TEST(an_idle_session_wants_to_read),
		TLS_TEST(pending_bytes_are_announced_until_the_last),
		TLS_TEST(a_full_socket_wants_to_write_and_goes_on),
		TLS_TEST(bytes_before_the_end_come_first),
		TLS_TEST(a_cut_connection_is_closed),
		TLS_TEST(an_end_without_farewell_is_told_as_such),
		TLS_TEST(forged_bytes_end_the_session),
		TLS_TEST(the_record_names_version_cipher_and_peer),
		TLS_TEST(a_peer_without_certificate_has_no_name),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
