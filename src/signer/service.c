#include "signer/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "io/channel.h"
#include "io/clock.h"
#include "io/watchdog.h"
#include "base/units.h"
#include "base/secret.h"
#include "protocol/message.h"

#define CONNECTIONS_MAX 8 /* the keeper's, and those that end while it reconnects */

struct connection {
	int fd; /* -1: free */
	bool greeted;
};

struct service {
	const struct service_options *options;
	struct connection connections[CONNECTIONS_MAX];
	struct message message;
	union {
		struct hsm_sign_checkpoint checkpoint; /* large */
		struct hsm_unwrap unwrap;
	} request;
};

/* --- answers --------------------------------------------------------------------------------- */

/* Each: 0 answered; ERROR_DEFECT not a request; another error: to be answered with it. @ret_sent
 * is the result of sending. */

static int answer_provision(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_provision request;
	struct hsm_keys answer;
	int r = hsm_provision_decode(&service->message, &request, err);

	if (r < 0)
		return r;
	r = signer_provision(service->options->signer, &request, &answer, err);
	if (r < 0)
		return r;
	*ret_sent = hsm_keys_send(fd, &answer, err);
	return 0;
}

static int answer_keys(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_keys answer;
	int r = message_expect_empty(&service->message, MESSAGE_HSM_KEYS, err);

	if (r == 0)
		r = signer_keys(service->options->signer, &answer, err);
	if (r == 0)
		*ret_sent = hsm_keys_send(fd, &answer, err);
	return r;
}

static int answer_last_signed(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_signed_state answer;
	int r = message_expect_empty(&service->message, MESSAGE_HSM_LAST_SIGNED, err);

	if (r < 0)
		return r;
	signer_last_signed(service->options->signer, &answer);
	*ret_sent = hsm_signed_state_send(fd, &answer, err);
	return 0;
}

static int answer_unwrap(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_unwrapped answer;
	int r = hsm_unwrap_decode(&service->message, &service->request.unwrap, err);

	if (r == 0)
		r = signer_unwrap(service->options->signer, &service->request.unwrap, &answer, err);
	if (r == 0)
		*ret_sent = hsm_unwrapped_send(fd, &answer, err);
	secret_wipe(&answer, sizeof(answer));
	return r;
}

static int answer_checkpoint(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_sign_checkpoint *request = &service->request.checkpoint;
	struct hsm_signature answer;
	int r = hsm_sign_checkpoint_decode(&service->message, request, err);

	if (r == 0)
		r = signer_sign_checkpoint(service->options->signer, request, &answer, err);
	if (r == 0)
		*ret_sent = hsm_signature_send(fd, &answer, err);
	return r;
}

static int answer_manifest(struct service *service, int fd, int *ret_sent, struct error *err)
{
	struct hsm_sign_manifest request;
	struct hsm_signature answer;
	int r = hsm_sign_manifest_decode(&service->message, &request, err);

	if (r == 0)
		r = signer_sign_manifest(service->options->signer, &request, &answer, err);
	if (r == 0)
		*ret_sent = hsm_signature_send(fd, &answer, err);
	return r;
}

typedef int answer_function(struct service *service, int fd, int *ret_sent, struct error *err);

static answer_function *find_answer(enum message_type type)
{
	static const struct {
		enum message_type type;
		answer_function *answer;
	} rows[] = {
		{MESSAGE_HSM_PROVISION, answer_provision},
		{MESSAGE_HSM_KEYS, answer_keys},
		{MESSAGE_HSM_LAST_SIGNED, answer_last_signed},
		{MESSAGE_HSM_UNWRAP, answer_unwrap},
		{MESSAGE_HSM_SIGN_CHECKPOINT, answer_checkpoint},
		{MESSAGE_HSM_SIGN_MANIFEST, answer_manifest},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (rows[i].type == type)
			return rows[i].answer;
	}
	return NULL;
}

/* --- connections ----------------------------------------------------------------------------- */

static int greet(struct service *service, struct connection *connection, struct error *err)
{
	struct hello hello = {.program = "binvault-hsm", .version = BINVAULT_VERSION};
	struct hello theirs;

	if (hello_decode(&service->message, &theirs, err) < 0)
		return err->code;
	hello.config = service->options->config_hash;
	connection->greeted = true;
	return hello_send(connection->fd, &hello, err);
}

/* A negative result ends the connection. */
static int serve_message(struct service *service, struct connection *connection, struct error *err)
{
	const struct message *message = &service->message;
	answer_function *answer;
	struct error reason;
	int sent = 0;
	int r;

	if (!connection->greeted)
		return greet(service, connection, err);
	answer = find_answer(message->type);
	if (!answer)
		return error_set(err, ERROR_DEFECT, "a message of type %d is no request",
				 (int)message->type);
	r = answer(service, connection->fd, &sent, &reason);
	if (r == 0) {
		if (sent < 0)
			*err = reason;
		return sent;
	}
	log_warning("request.refused", "type", LOG_NUMBER(message->type), "reason",
		    LOG_TEXT(reason.message), LOG_END);
	return message_send_failure(connection->fd, &reason, err);
}

static void end_connection(struct connection *connection)
{
	close_fdp(&connection->fd);
	*connection = (struct connection){.fd = -1};
}

static void serve_connection(struct service *service, struct connection *connection)
{
	struct error err = {0};
	int r = message_receive(connection->fd, &service->message, &err);

	if (r == ERROR_BUSY)
		return;
	if (r > 0)
		r = serve_message(service, connection, &err);
	else if (r == 0)
		r = error_set(&err, ERROR_CLOSED, "closed");
	message_release(&service->message);
	if (r >= 0)
		return;
	if (r != ERROR_CLOSED)
		log_warning("connection.ended", "reason", LOG_TEXT(err.message), LOG_END);
	end_connection(connection);
}

static bool allowed(const struct service *service, int fd)
{
	struct channel_peer peer;
	struct error err;

	if (channel_peer(fd, &peer, &err) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid() || peer.uid == service->options->keeper_uid))
		return true;
	log_warning("connection.refused", "reason",
		    LOG_TEXT("only the keeper's user and root may connect"), LOG_END);
	return false;
}

static void accept_connection(struct service *service)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct error err;

	fd = channel_accept(service->options->listen_fd, &err);
	if (fd < 0) {
		if (err.code != ERROR_BUSY)
			log_warning("connection.failed", "reason", LOG_TEXT(err.message), LOG_END);
		return;
	}
	if (!allowed(service, fd))
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (service->connections[i].fd < 0) {
			service->connections[i].fd = TAKE_FD(fd);
			return;
		}
	}
	log_warning("connection.refused", "reason", LOG_TEXT("too many connections"), LOG_END);
}

/* --- the loop -------------------------------------------------------------------------------- */

/* 1: stopped. */
static int serve_once(struct service *service, struct error *err)
{
	const struct service_options *options = service->options;
	struct pollfd fds[CONNECTIONS_MAX + 2];
	int r;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		fds[i] = (struct pollfd){.fd = service->connections[i].fd, .events = POLLIN};
	fds[CONNECTIONS_MAX] = (struct pollfd){.fd = options->listen_fd, .events = POLLIN};
	fds[CONNECTIONS_MAX + 1] = (struct pollfd){.fd = options->stop_fd, .events = POLLIN};
	r = watchdog_poll(fds, ARRAY_LENGTH(fds), -1);
	if (r < 0)
		return errno == EINTR
			       ? 0
			       : error_set_errno(err, ERROR_FAILED, errno, "waiting for requests");
	if (fds[CONNECTIONS_MAX + 1].revents)
		return 1;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (fds[i].revents && !signer_failed(options->signer))
			serve_connection(service, &service->connections[i]);
	}
	if (signer_failed(options->signer)) {
		*err = *signer_failed(options->signer);
		return err->code;
	}
	if (fds[CONNECTIONS_MAX].revents)
		accept_connection(service);
	return options->connection >= 0 && service->connections[0].fd < 0;
}

static void service_free(struct service *service)
{
	if (!service)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		end_connection(&service->connections[i]);
	message_release(&service->message);
	secret_wipe(&service->request, sizeof(service->request));
	free(service);
}
DEFINE_CLEANUP(service_free, struct service *);

int service_run(const struct service_options *options, struct error *err)
{
	CLEANUP(service_freep)
	struct service *service = calloc(1, sizeof(*service));
	int r = 0;

	ASSERT(service && (options->connection < 0 || options->listen_fd < 0));
	service->options = options;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		service->connections[i].fd = -1;
	if (options->connection >= 0) {
		service->connections[0].fd = dup(options->connection);
		if (service->connections[0].fd < 0 ||
		    fcntl(service->connections[0].fd, F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(service->connections[0].fd, F_SETFL, O_NONBLOCK) < 0)
			return error_set_errno(err, ERROR_FAILED, errno, "the connection");
		close(options->connection);
	}
	while (r == 0)
		r = serve_once(service, err);
	return r < 0 ? r : 0;
}

/* Its HELLO is read first: closing with unread bytes would take our message from its queue. */
static bool tell(struct service *service, int fd, const struct error *reason)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct error err;

	if (!allowed(service, fd) || poll(&readable, 1, 1000) <= 0 ||
	    message_receive(fd, &service->message, &err) <= 0)
		return false;
	return message_send_failure(fd, reason, &err) == 0;
}

void service_tell(const struct service_options *options, const struct error *reason)
{
	CLEANUP(service_freep)
	struct service *service = calloc(1, sizeof(*service));
	uint64_t until_usec = clock_monotonic_usec() + SERVICE_TELL_MSEC * USEC_PER_MSEC;
	bool told = false;

	ASSERT(service);
	service->options = options;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		service->connections[i].fd = -1;
	while (!told && options->listen_fd >= 0) {
		struct pollfd fds[] = {{.fd = options->listen_fd, .events = POLLIN},
				       {.fd = options->stop_fd, .events = POLLIN}};
		uint64_t now_usec = clock_monotonic_usec();
		struct error err;
		int fd;

		if (now_usec >= until_usec ||
		    poll(fds, ARRAY_LENGTH(fds), (int)((until_usec - now_usec) / 1000) + 1) < 0 ||
		    fds[1].revents)
			return;
		fd = channel_accept(options->listen_fd, &err);
		if (fd >= 0) {
			told = tell(service, fd, reason);
			close(fd);
		}
	}
}
