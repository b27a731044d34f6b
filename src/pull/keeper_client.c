#include "pull/keeper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "io/watchdog.h"

struct keeper_client {
	const char *socket;
	struct hello hello;
	int stop_fd;
	int fd; /* does not block: what has no answer is dropped rather than waited for */
	struct control control; /* as it came last, also from a keeper that has gone since */
	struct message message; /* 64 KiB: not on the stack */
};

struct keeper_client *keeper_client_new(const char *socket, const struct hello *hello, int stop_fd)
{
	struct keeper_client *client = calloc(1, sizeof(*client));

	ASSERT(client);
	client->socket = socket;
	client->hello = *hello;
	client->stop_fd = stop_fd;
	client->fd = -1;
	return client;
}

void keeper_client_disconnect(struct keeper_client *client)
{
	if (client->fd >= 0)
		close(TAKE_FD(client->fd));
}

void keeper_client_free(struct keeper_client *client)
{
	if (!client)
		return;
	keeper_client_disconnect(client);
	free(client);
}

bool keeper_client_connected(const struct keeper_client *client)
{
	return client->fd >= 0;
}

int keeper_client_fd(const struct keeper_client *client)
{
	return client->fd;
}

static int take_control(struct keeper_client *client, struct error *err)
{
	int r = control_decode(&client->message, &client->control, err);

	message_release(&client->message);
	return r;
}

/* Wait for one message, but not after we were told to stop. */
static int receive_any(struct keeper_client *client, uint64_t timeout_sec, struct error *err)
{
	struct pollfd polled[] = {
		{.fd = client->fd, .events = POLLIN},
		{.fd = client->stop_fd, .events = POLLIN},
	};
	int r;

	message_release(&client->message);
	r = watchdog_poll(polled, ARRAY_LENGTH(polled), (int)(timeout_sec * 1000));
	if (r < 0)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "waiting for the keeper");
	if (r == 0)
		return error_set(err, ERROR_UNAVAILABLE,
				 "the keeper has not answered for %llu s; see its log",
				 (unsigned long long)timeout_sec);
	if (!polled[0].revents)
		return error_set(err, ERROR_UNAVAILABLE, "stopped while waiting for the keeper");
	r = message_receive(client->fd, &client->message, err);
	if (r == 0)
		return error_set(err, ERROR_UNAVAILABLE, "the keeper has gone");
	return r < 0 ? r : 0;
}

/* Wait for an answer; CONTROL may come before it. */
static int receive(struct keeper_client *client, uint64_t timeout_sec, struct error *err)
{
	int r = receive_any(client, timeout_sec, err);

	while (r == 0 && client->message.type == MESSAGE_CONTROL) {
		r = take_control(client, err);
		if (r == 0)
			r = receive_any(client, timeout_sec, err);
	}
	return r;
}

int keeper_client_readable(struct keeper_client *client, struct error *err)
{
	int r;

	/* What the ring saw may have been an answer, which a request of ours has read since. */
	while ((r = message_receive(client->fd, &client->message, err)) > 0) {
		r = take_control(client, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		return error_set(err, ERROR_UNAVAILABLE, "the keeper has gone");
	return r == ERROR_BUSY ? 0 : r;
}

const struct control *keeper_client_control(const struct keeper_client *client)
{
	return &client->control;
}

static int attach_over(struct keeper_client *client, const struct attach *attach,
		       struct attached *ret_attached, struct error *err)
{
	struct hello keeper;
	int r;

	r = hello_send(client->fd, &client->hello, err);
	if (r == 0)
		r = receive(client, KEEPER_ANSWER_TIMEOUT_SEC, err);
	if (r == 0)
		r = hello_decode(&client->message, &keeper, err);
	if (r == 0)
		r = attach_send(client->fd, attach, err);
	if (r == 0)
		r = receive(client,
			    attach->holds_segment ? KEEPER_ANSWER_TIMEOUT_SEC
						  : KEEPER_ATTACH_TIMEOUT_SEC,
			    err);
	if (r == 0)
		r = attached_decode(&client->message, ret_attached, err);
	return r;
}

int keeper_client_attach(struct keeper_client *client, const struct attach *attach,
			 struct attached *ret_attached, struct error *err)
{
	int r;

	keeper_client_disconnect(client);
	r = channel_connect(client->socket, err);
	if (r < 0)
		return error_prefix(err, "the keeper is away");
	client->fd = r;
	if (fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0)
		r = error_set_errno(err, ERROR_FAILED, errno, "the keeper's socket");
	else
		r = attach_over(client, attach, ret_attached, err);
	message_release(&client->message);
	if (r < 0) {
		keeper_client_disconnect(client);
		return error_prefix(err, "attaching to the keeper");
	}
	return 0;
}

int keeper_client_open(struct keeper_client *client, const struct open_segment *request,
		       struct segment_opened *ret_opened, int ret_fds[static CHANNEL_FDS_MAX],
		       size_t *ret_fd_count, struct error *err)
{
	struct message *message = &client->message;
	bool answered = false;
	int r;

	if (client->fd < 0)
		return error_set(err, ERROR_UNAVAILABLE, "the keeper is away");
	r = open_segment_send(client->fd, request, err);
	if (r == 0)
		r = receive(client, KEEPER_ANSWER_TIMEOUT_SEC, err);
	if (r == 0) {
		answered = message->type == MESSAGE_FAILURE;
		r = segment_opened_decode(message, ret_opened, err);
	}
	if (r < 0) {
		if (!answered)
			keeper_client_disconnect(client);
		message_release(message);
		return error_prefix(err, "asking the keeper for a segment");
	}
	*ret_fd_count = message->fd_count;
	for (size_t i = 0; i < *ret_fd_count; i++)
		ret_fds[i] = message_take_fd(message, i);
	message_release(message);
	return 0;
}

static void check_sent(struct keeper_client *client, int r)
{
	if (r < 0 && r != ERROR_BUSY)
		keeper_client_disconnect(client);
}

void keeper_client_progress(struct keeper_client *client, const struct progress *progress)
{
	struct error err;

	if (client->fd >= 0)
		check_sent(client, progress_send(client->fd, progress, &err));
}

void keeper_client_status(struct keeper_client *client, const struct pull_status *status)
{
	struct error err;

	if (client->fd >= 0)
		check_sent(client, pull_status_send(client->fd, status, &err));
}

bool keeper_client_preflight(struct keeper_client *client, const struct pull_preflight *preflight)
{
	struct error err;
	int r;

	if (client->fd < 0)
		return false;
	r = pull_preflight_send(client->fd, preflight, &err);
	check_sent(client, r);
	return r == 0;
}

void keeper_client_observed(struct keeper_client *client, const struct observed *observed,
			    int list_fd)
{
	struct error err;

	if (client->fd >= 0)
		check_sent(client, observed_send(client->fd, observed, list_fd, &err));
}

void keeper_client_damaged(struct keeper_client *client, const struct damaged *damaged)
{
	struct error err;

	if (client->fd >= 0)
		check_sent(client, damaged_send(client->fd, damaged, &err));
}

bool keeper_client_semi_sync(struct keeper_client *client, const struct pull_semi_sync *semi_sync)
{
	struct error err;
	int r;

	if (client->fd < 0)
		return false;
	r = pull_semi_sync_send(client->fd, semi_sync, &err);
	check_sent(client, r);
	return r == 0;
}

void keeper_client_closed(struct keeper_client *client, const struct segment_closed *closed)
{
	struct error err;

	if (client->fd >= 0)
		check_sent(client, segment_closed_send(client->fd, closed, &err));
}
