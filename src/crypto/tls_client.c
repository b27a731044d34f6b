#include "crypto/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "crypto/openssl_error.h"

struct tls_client {
	SSL_CTX *context;
	SSL *session;
	int fd;
	struct tls_stream *stream; /* NULL until the handshake is done */
	char *authority, *certificate, *host;
};

static int load(struct tls_client *client, const struct tls_client_options *options,
		struct error *err)
{
	SSL_CTX *context = client->context;

	if (SSL_CTX_load_verify_file(context, options->authority) != 1)
		return openssl_error(err, ERROR_USAGE, "'%s' is no certificate of an authority",
				     options->authority);
	if (SSL_CTX_use_certificate_chain_file(context, options->certificate) != 1)
		return openssl_error(err, ERROR_USAGE, "'%s' is no certificate",
				     options->certificate);
	if (SSL_CTX_use_PrivateKey_file(context, options->key, SSL_FILETYPE_PEM) != 1)
		return openssl_error(err, ERROR_USAGE, "'%s' is not the key of certificate '%s'",
				     options->key, options->certificate);
	return 0;
}

/* An address is looked for among the certificate's addresses, a name among its names. */
static bool expect_host(SSL *session, char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
	SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, host) == 1;
}

/* A key with a passphrase would ask at a terminal. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)context;
	return 0;
}

int tls_client_new(const struct tls_client_options *options, int fd, struct tls_client **ret_client,
		   struct error *err)
{
	CLEANUP(tls_client_freep)
	struct tls_client *client = calloc(1, sizeof(*client));

	ASSERT(client);
	client->fd = fd;
	client->authority = strdup(options->authority);
	client->certificate = strdup(options->certificate);
	client->host = strdup(options->host);
	ASSERT(client->authority && client->certificate && client->host);
	ERR_clear_error();
	client->context = SSL_CTX_new(TLS_client_method());
	if (!client->context || SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION) != 1)
		return openssl_error(err, ERROR_FAILED, "preparing TLS");
	SSL_CTX_set_default_passwd_cb(client->context, no_passphrase);
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	if (load(client, options, err) < 0)
		return err->code;
	client->session = SSL_new(client->context);
	if (!client->session || !expect_host(client->session, client->host) ||
	    SSL_set_fd(client->session, fd) != 1)
		return openssl_error(err, ERROR_FAILED, "preparing TLS");
	SSL_set_connect_state(client->session);
	*ret_client = TAKE(client);
	return 0;
}

void tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	tls_stream_free(client->stream);
	SSL_free(client->session);
	SSL_CTX_free(client->context);
	free(client->authority);
	free(client->certificate);
	free(client->host);
	free(client);
}

/* Why was the peer's certificate not accepted? ERROR_REFUSED, or 0: it was not that. */
static int refused_peer(const struct tls_client *client, struct error *err)
{
	long result = SSL_get_verify_result(client->session);

	if (result == X509_V_OK)
		return 0;
	ERR_clear_error();
	if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
		return error_set(err, ERROR_REFUSED,
				 "its certificate is not for '%s': give the server one that is, or "
				 "name it as its certificate does",
				 client->host);
	return error_set(err, ERROR_REFUSED, "its certificate is not one that '%s' proves: %s",
			 client->authority, X509_verify_cert_error_string(result));
}

/* How a server says in an alert that it does not like our certificate. */
static bool is_refusal(int reason)
{
	switch (reason) {
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return true;
	default:
		return false;
	}
}

static int failed(const struct tls_client *client, int saved_errno, int what, struct error *err)
{
	unsigned long number = ERR_peek_error();

	if (refused_peer(client, err) < 0)
		return err->code;
	if (ERR_GET_LIB(number) == ERR_LIB_SSL && is_refusal(ERR_GET_REASON(number)))
		return openssl_error(err, ERROR_REFUSED,
				     "it does not accept our certificate '%s', whose authority it "
				     "must know",
				     client->certificate);
	if (what == SSL_ERROR_SSL && number != 0 &&
	    ERR_GET_REASON(number) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return openssl_error(err, ERROR_CLOSED, "TLS failed");
	ERR_clear_error();
	if (saved_errno != 0)
		return error_set_errno(err, ERROR_CLOSED, saved_errno,
				       "the connection failed during the TLS handshake");
	return error_set(err, ERROR_CLOSED, "it closed the connection during the TLS handshake");
}

int tls_client_handshake(struct tls_client *client, enum tls_want *ret_want, struct error *err)
{
	int r, what;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(client->session);
	if (r == 1)
		return tls_stream_new(client->session, client->fd, &client->stream, err) < 0
			       ? err->code
			       : 1;
	what = SSL_get_error(client->session, r);
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
		*ret_want = what == SSL_ERROR_WANT_READ ? TLS_WANT_READ : TLS_WANT_WRITE;
		return 0;
	}
	return failed(client, errno, what, err);
}

struct tls_stream *tls_client_stream(struct tls_client *client)
{
	return client->stream;
}

uint64_t tls_client_written(const struct tls_client *client)
{
	return BIO_number_written(SSL_get_wbio(client->session));
}

void tls_client_close(struct tls_client *client)
{
	if (client->stream)
		(void)SSL_shutdown(client->session);
	ERR_clear_error();
}
