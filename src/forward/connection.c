#include "forward/connection.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/units.h"
#include "config/place.h"
#include "crypto/tls_client.h"

#define CONNECT_USEC  (10 * USEC_PER_SEC) /* of TCP, for each address */
#define SHAKE_USEC    (20 * USEC_PER_SEC)
#define LISTEN_USEC   (1 * USEC_PER_SEC)
#define IGNORED_TIMES 16   /* in a row: who talks without end does not hold us up */
#define IGNORED_SIZE  4096 /* a syslog server says nothing; what it says is not looked at */

enum phase { OPENING, SHAKING, LISTENING, OPEN };

struct connection {
	const struct config_siem *siem;
	struct addrinfo *addresses;
	struct addrinfo *address; /* the one that is tried */
	int fd;
	struct tls_client *client;
	enum phase phase;
	enum tls_want want;
	uint64_t deadline_usec; /* of the phase */
	char peer[NI_MAXHOST + INET6_ADDRSTRLEN + 32];
};

/* --- TCP -------------------------------------------------------------------------------------- */

static int resolve(struct connection *connection, struct error *err)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", (unsigned)connection->siem->port);
	r = getaddrinfo(connection->siem->host, port, &hints, &connection->addresses);
	if (r != 0)
		return error_set(err, ERROR_UNAVAILABLE,
				 "'%s' has no address: %s. Do: see that [siem] server is right and "
				 "that name service answers",
				 connection->siem->host,
				 r == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(r));
	connection->address = connection->addresses;
	return 0;
}

static void name_peer(struct connection *connection)
{
	char address[INET6_ADDRSTRLEN] = "?";

	(void)getnameinfo(connection->address->ai_addr, connection->address->ai_addrlen, address,
			  sizeof(address), NULL, 0, NI_NUMERICHOST);
	snprintf(connection->peer, sizeof(connection->peer), "%s:%u (%s)", connection->siem->host,
		 (unsigned)connection->siem->port, address);
}

/* The present address from the beginning: 0, or its error. */
static int begin_address(struct connection *connection, uint64_t now_usec, struct error *err)
{
	const struct addrinfo *address = connection->address;
	const int yes = 1;

	name_peer(connection);
	connection->phase = OPENING;
	connection->deadline_usec = now_usec + CONNECT_USEC;
	connection->fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (connection->fd < 0)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "socket");
	/* Batches are ours: what is written shall leave. */
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(connection->fd, address->ai_addr, address->ai_addrlen) < 0 &&
	    errno != EINPROGRESS)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "connecting");
	return 0;
}

/* Address after address, until one can at least be tried. */
static int next_address(struct connection *connection, uint64_t now_usec, struct error *err)
{
	while (connection->address) {
		if (connection->fd >= 0)
			close(connection->fd);
		connection->fd = -1;
		if (begin_address(connection, now_usec, err) == 0)
			return 0;
		connection->address = connection->address->ai_next;
	}
	return err->code;
}

static int start_tls(struct connection *connection, uint64_t now_usec, struct error *err)
{
	const struct config_siem *siem = connection->siem;
	char authority[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
	const struct tls_client_options options = {authority, certificate, key, siem->host};

	if (place_find("tls-ca", siem->tls_ca, authority, err) < 0 ||
	    place_find("tls-certificate", siem->tls_certificate, certificate, err) < 0 ||
	    place_find_secret("tls-key", siem->tls_key, key, err) < 0)
		return err->code;
	if (tls_client_new(&options, connection->fd, &connection->client, err) < 0)
		return err->code;
	connection->phase = SHAKING;
	connection->want = TLS_WANT_WRITE;
	connection->deadline_usec = now_usec + SHAKE_USEC;
	return 0;
}

static bool is_ready(const struct connection *connection)
{
	struct pollfd fd = connection_poll(connection, true);

	return poll(&fd, 1, 0) > 0;
}

static int step_opening(struct connection *connection, uint64_t now_usec, struct error *err)
{
	socklen_t size = sizeof(int);
	int failure = 0;

	if (is_ready(connection)) {
		if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
			failure = errno;
		if (failure == 0)
			return start_tls(connection, now_usec, err);
	} else if (now_usec < connection->deadline_usec) {
		return 0;
	} else {
		failure = ETIMEDOUT;
	}
	error_set_errno(err, ERROR_UNAVAILABLE, failure, "connecting");
	connection->address = connection->address->ai_next;
	return next_address(connection, now_usec, err);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static int step_shaking(struct connection *connection, uint64_t now_usec, struct error *err)
{
	int r = tls_client_handshake(connection->client, &connection->want, err);

	if (r > 0) {
		connection->phase = LISTENING;
		connection->want = TLS_WANT_READ;
		connection->deadline_usec = now_usec + LISTEN_USEC;
		return 0;
	}
	if (r == 0 && now_usec >= connection->deadline_usec)
		return error_set(
			err, ERROR_UNAVAILABLE,
			"it has not finished the TLS handshake within %ju seconds: is this "
			"the port of a syslog server with TLS?",
			(uintmax_t)(SHAKE_USEC / USEC_PER_SEC));
	return r;
}

/* Take what the server says, and find out whether it is still there. */
static int listen_to(struct connection *connection, struct error *err)
{
	char ignored[IGNORED_SIZE];
	enum tls_want want;
	ssize_t n = 1;

	for (int i = 0; i < IGNORED_TIMES && n > 0; i++)
		n = tls_stream_read(tls_client_stream(connection->client), ignored, sizeof(ignored),
				    &want, err);
	return n < 0 ? (int)n : 0;
}

static int refused_us(const struct connection *connection, struct error *err)
{
	err->code = ERROR_REFUSED;
	return error_prefix(err,
			    "it ended the connection as soon as it had seen our certificate '%s'; "
			    "does it accept that, and its authority? Its own log says why",
			    connection->siem->tls_certificate);
}

static int step_listening(struct connection *connection, uint64_t now_usec, struct error *err)
{
	if (listen_to(connection, err) < 0)
		return refused_us(connection, err);
	if (now_usec < connection->deadline_usec)
		return 0;
	connection->phase = OPEN;
	connection->deadline_usec = UINT64_MAX;
	return 1;
}

static int step(struct connection *connection, uint64_t now_usec, struct error *err)
{
	switch (connection->phase) {
	case OPENING:
		return step_opening(connection, now_usec, err);
	case SHAKING:
		return step_shaking(connection, now_usec, err);
	case LISTENING:
		return step_listening(connection, now_usec, err);
	case OPEN:
		break;
	}
	return listen_to(connection, err) < 0 ? err->code : 1;
}

/* Refused and usage are for a person; all else is tried again. */
static int failed(const struct connection *connection, struct error *err)
{
	if (err->code != ERROR_REFUSED && err->code != ERROR_USAGE)
		err->code = ERROR_UNAVAILABLE;
	return error_prefix(err, "the SIEM %s", connection->peer);
}

int connection_step(struct connection *connection, uint64_t now_usec, struct error *err)
{
	int r = step(connection, now_usec, err);

	return r < 0 ? failed(connection, err) : r;
}

int connection_open(const struct config_siem *siem, uint64_t now_usec,
		    struct connection **ret_connection, struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = calloc(1, sizeof(*connection));

	ASSERT(connection);
	connection->siem = siem;
	connection->fd = -1;
	snprintf(connection->peer, sizeof(connection->peer), "%s:%u", siem->host,
		 (unsigned)siem->port);
	if (resolve(connection, err) < 0 || next_address(connection, now_usec, err) < 0)
		return failed(connection, err);
	*ret_connection = TAKE(connection);
	return 0;
}

void connection_free(struct connection *connection)
{
	if (!connection)
		return;
	if (connection->client)
		tls_client_close(connection->client);
	tls_client_free(connection->client);
	if (connection->fd >= 0)
		close(connection->fd);
	if (connection->addresses)
		freeaddrinfo(connection->addresses);
	free(connection);
}

/* --- an open one ------------------------------------------------------------------------------ */

ssize_t connection_write(struct connection *connection, const void *bytes, size_t size,
			 struct error *err)
{
	struct error reason;
	enum tls_want want;
	ssize_t n =
		tls_stream_write(tls_client_stream(connection->client), bytes, size, &want, err);

	if (n >= 0)
		return n;
	/* Why the peer ended it stands in what it sent before. */
	if (listen_to(connection, &reason) < 0)
		*err = reason;
	return failed(connection, err);
}

uint64_t connection_written(const struct connection *connection)
{
	return tls_client_written(connection->client);
}

int connection_acknowledged(const struct connection *connection, uint64_t *ret_bytes,
			    struct error *err)
{
	int unacknowledged;

	if (ioctl(connection->fd, SIOCOUTQ, &unacknowledged) < 0) {
		error_set_errno(err, ERROR_UNAVAILABLE, errno, "SIOCOUTQ");
		return failed(connection, err);
	}
	*ret_bytes = connection_written(connection) - (uint64_t)unacknowledged;
	return 0;
}

struct pollfd connection_poll(const struct connection *connection, bool writing)
{
	struct pollfd fd = {.fd = connection->fd, .events = POLLIN};

	if (connection->phase == OPENING)
		fd.events = POLLOUT;
	else if (connection->phase == SHAKING)
		fd.events = connection->want == TLS_WANT_WRITE ? POLLOUT : POLLIN;
	else if (connection->phase == OPEN && writing)
		fd.events = POLLIN | POLLOUT;
	return fd;
}

uint64_t connection_deadline(const struct connection *connection)
{
	return connection->deadline_usec;
}

const char *connection_peer(const struct connection *connection)
{
	return connection->peer;
}

const char *connection_version(const struct connection *connection)
{
	return tls_stream_version(tls_client_stream(connection->client));
}
