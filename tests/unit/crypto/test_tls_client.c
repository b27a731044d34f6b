#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "crypto/tls_client.h"

/* One key, and a certificate that proves itself, for both sides; files as the client reads them. */
struct fixture {
	char path[64], certificate[96], key[96], other[96];
	EVP_PKEY *pair;
	X509 *x509;
	SSL_CTX *context;
	SSL *server;
	int fds[2]; /* server, client */
	struct tls_client *client;
	struct error err;
};

static X509 *make_certificate(EVP_PKEY *pair, const char *names)
{
	X509 *x509 = X509_new();
	X509_NAME *name = X509_get_subject_name(x509);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	assert_non_null(extension);
	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), 0);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, pair);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"lab", -1, -1, 0);
	X509_set_issuer_name(x509, name);
	X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(x509, pair, EVP_sha256()) > 0);
	return x509;
}

static void write_pem(const char *path, X509 *x509, EVP_PKEY *pair)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	if (x509)
		assert_int_equal(PEM_write_X509(file, x509), 1);
	else
		assert_int_equal(PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	EVP_PKEY *stranger = EVP_EC_gen("P-256");
	X509 *strange;

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/tls-client-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->certificate, sizeof(f->certificate), "%s/pem", f->path);
	snprintf(f->key, sizeof(f->key), "%s/key", f->path);
	snprintf(f->other, sizeof(f->other), "%s/other", f->path);
	f->pair = EVP_EC_gen("P-256");
	f->x509 = make_certificate(f->pair, "DNS:siem.bank.example,IP:192.0.2.7");
	strange = make_certificate(stranger, "DNS:siem.bank.example");
	write_pem(f->certificate, f->x509, NULL);
	write_pem(f->key, NULL, f->pair);
	write_pem(f->other, strange, NULL);
	X509_free(strange);
	EVP_PKEY_free(stranger);
	f->context = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(f->context, f->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->context, f->pair), 1);
	assert_int_equal(SSL_CTX_load_verify_file(f->context, f->certificate), 1);
	SSL_CTX_set_verify(f->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds),
			 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tls_client_free(f->client);
	SSL_free(f->server);
	SSL_CTX_free(f->context);
	X509_free(f->x509);
	EVP_PKEY_free(f->pair);
	close(f->fds[0]);
	close(f->fds[1]);
	unlink(f->certificate);
	unlink(f->key);
	unlink(f->other);
	rmdir(f->path);
	free(f);
	return 0;
}

/* Both sides in turn; what the client's came to. */
static int shake(struct fixture *f, const char *authority, const char *host)
{
	const struct tls_client_options options = {authority, f->certificate, f->key, host};
	enum tls_want want;
	int r = 0;

	f->server = SSL_new(f->context);
	SSL_set_fd(f->server, f->fds[0]);
	SSL_set_accept_state(f->server);
	assert_ok(tls_client_new(&options, f->fds[1], &f->client, &f->err), &f->err);
	for (int i = 0; i < 20 && r == 0; i++) {
		r = tls_client_handshake(f->client, &want, &f->err);
		(void)SSL_do_handshake(f->server);
	}
	return r;
}

static void both_sides_accept_each_other_and_bytes_are_counted(void **state)
{
	struct fixture *f = *state;
	enum tls_want want;
	uint64_t before;

	assert_int_equal(shake(f, f->certificate, "siem.bank.example"), 1);
	before = tls_client_written(f->client);
	assert_int_equal(tls_stream_write(tls_client_stream(f->client), "hello", 5, &want, &f->err),
			 5);
	assert_true(tls_client_written(f->client) >= before + 5);
	assert_true(tls_client_written(f->client) < before + 100);
}

static void an_address_is_looked_for_among_addresses(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shake(f, f->certificate, "192.0.2.7"), 1);
}

static void another_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_fails(shake(f, f->certificate, "bank.example"), &f->err, ERROR_REFUSED,
		     "its certificate is not for 'bank.example'");
}

static void another_address_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_fails(shake(f, f->certificate, "192.0.2.8"), &f->err, ERROR_REFUSED,
		     "its certificate is not for '192.0.2.8'");
}

static void a_stranger_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_fails(shake(f, f->other, "siem.bank.example"), &f->err, ERROR_REFUSED,
		     "its certificate is not one that '");
}

static void version_1_1_is_refused(void **state)
{
	struct fixture *f = *state;

	SSL_CTX_set_security_level(f->context, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(f->context, TLS1_VERSION), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(f->context, TLS1_1_VERSION), 1);
	assert_int_equal(shake(f, f->certificate, "siem.bank.example"), ERROR_CLOSED);
}

/* With 1.2 it is said within the handshake; with 1.3 at the next read. */
static void a_server_that_does_not_accept_us_is_a_refusal(void **state)
{
	struct fixture *f = *state;
	X509_STORE *nobody = X509_STORE_new();

	assert_non_null(nobody);
	SSL_CTX_set_cert_store(f->context, nobody);
	assert_int_equal(SSL_CTX_set_max_proto_version(f->context, TLS1_2_VERSION), 1);
	assert_fails(shake(f, f->certificate, "siem.bank.example"), &f->err, ERROR_REFUSED,
		     "it does not accept our certificate '");
}

static void with_1_3_a_refusal_comes_after_the_handshake(void **state)
{
	struct fixture *f = *state;
	X509_STORE *nobody = X509_STORE_new();
	enum tls_want want;
	char byte;

	SSL_CTX_set_cert_store(f->context, nobody);
	assert_int_equal(shake(f, f->certificate, "siem.bank.example"), 1);
	assert_fails(tls_stream_read(tls_client_stream(f->client), &byte, 1, &want, &f->err),
		     &f->err, ERROR_CLOSED, "alert unknown ca");
}

static void files_that_are_none_are_named(void **state)
{
	struct fixture *f = *state;
	struct tls_client_options options = {f->key, f->certificate, f->key, "h"};

	assert_fails(tls_client_new(&options, f->fds[1], &f->client, &f->err), &f->err, ERROR_USAGE,
		     "is no certificate of an authority");
	options.authority = f->certificate;
	options.certificate = f->key;
	assert_fails(tls_client_new(&options, f->fds[1], &f->client, &f->err), &f->err, ERROR_USAGE,
		     "is no certificate");
	options.certificate = f->other;
	assert_fails(tls_client_new(&options, f->fds[1], &f->client, &f->err), &f->err, ERROR_USAGE,
		     "is not the key of certificate '");
}

int main(void)
{
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TLS_TEST(both_sides_accept_each_other_and_bytes_are_counted),
		TLS_TEST(an_address_is_looked_for_among_addresses),
		TLS_TEST(another_name_is_refused),
		TLS_TEST(another_address_is_refused),
		TLS_TEST(a_stranger_is_refused),
		TLS_TEST(version_1_1_is_refused),
		TLS_TEST(a_server_that_does_not_accept_us_is_a_refusal),
		TLS_TEST(with_1_3_a_refusal_comes_after_the_handshake),
		TLS_TEST(files_that_are_none_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
