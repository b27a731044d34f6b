#include "keeper/hsm_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/units.h"

#define RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC	 (5 * USEC_PER_SEC)
#define ANSWER_MAX_USEC	 (60 * USEC_PER_SEC) /* a network HSM may take its time */

/* A request that was on the way at this many ends of the connection is not tried again: it may be
 * what ends binvault-hsm. */
#define ATTEMPTS_MAX 5

enum stage {
	STAGE_AWAY,	/* the timer connects */
	STAGE_HELLO,	/* ours is sent, theirs is awaited */
	STAGE_ASKED,	/* LAST_SIGNED is on the way */
	STAGE_CONNECTED /* the queue's first may be on the way */
};

struct request {
	enum message_type type;
	union {
		struct hsm_unwrap unwrap;
		struct hsm_sign_checkpoint checkpoint;
		struct hsm_sign_manifest manifest;
	};
	hsm_client_unwrapped *unwrapped; /* one of both, or none once cancelled on the way */
	hsm_client_signed *signed_;
	void *owner;
	unsigned attempts;
	struct request *next;
};

struct hsm_client {
	struct loop *loop;
	struct hsm_client_options options;
	struct hello hello;
	char socket[108];
	enum stage stage;
	int fd;
	struct loop_timer retry, patience;
	uint64_t retry_usec;
	struct request *first, **last;
	size_t count;
	bool sent;    /* the queue's first is on the way */
	bool calling; /* within a callback: the queue is pumped by who called it */
	bool told;    /* it said itself why it ends: that stays the sentence until it is back */
	char sentence[ERROR_MESSAGE_SIZE];
	struct message message;
};

static void try_connect(void *context);
static void pump(struct hsm_client *client);

static void answer(struct request *request, const struct hsm_unwrapped *unwrapped,
		   const struct hsm_signature *signature, const struct error *reason)
{
	if (request->unwrapped)
		request->unwrapped(request->owner, unwrapped, reason);
	if (request->signed_)
		request->signed_(request->owner, signature, reason);
}

static struct request *take_first(struct hsm_client *client)
{
	struct request *request = client->first;

	client->first = request->next;
	if (!client->first)
		client->last = &client->first;
	client->count--;
	client->sent = false;
	return request;
}

/* The connection has ended. What was on the way waits for the next one. */
static void lose(struct hsm_client *client, const struct error *reason)
{
	bool was_connected = client->stage == STAGE_CONNECTED;
	struct request *failed = NULL;

	if (client->fd >= 0) {
		loop_unwatch(client->loop, client->fd);
		close(client->fd);
		client->fd = -1;
	}
	if (!client->told)
		snprintf(client->sentence, sizeof(client->sentence), "%s", reason->message);
	client->stage = STAGE_AWAY;
	if (client->sent) {
		struct request *request = client->first;

		client->sent = false;
		if ((!request->unwrapped && !request->signed_) ||
		    ++request->attempts >= ATTEMPTS_MAX)
			failed = take_first(client);
	}
	loop_timer_clear(client->loop, &client->patience);
	loop_timer_set(client->loop, &client->retry, client->retry_usec, try_connect, client);
	client->retry_usec = MIN(client->retry_usec * 2, RETRY_MAX_USEC);
	if (was_connected) {
		log_warning("hsm.lost", "reason", LOG_TEXT(reason->message), LOG_END);
		client->options.lost(client->options.context, reason);
	}
	if (failed) {
		answer(failed, NULL, NULL, reason);
		free(failed);
	}
}

static void out_of_patience(void *context)
{
	struct hsm_client *client = context;
	struct error reason;

	error_set(&reason, ERROR_UNAVAILABLE, "binvault-hsm has not answered for %d seconds",
		  (int)(ANSWER_MAX_USEC / USEC_PER_SEC));
	lose(client, &reason);
}

static void await(struct hsm_client *client)
{
	loop_timer_set(client->loop, &client->patience, ANSWER_MAX_USEC, out_of_patience, client);
}

static int send_request(struct hsm_client *client, const struct request *request, struct error *err)
{
	if (request->type == MESSAGE_HSM_UNWRAP)
		return hsm_unwrap_send(client->fd, &request->unwrap, err);
	if (request->type == MESSAGE_HSM_SIGN_CHECKPOINT)
		return hsm_sign_checkpoint_send(client->fd, &request->checkpoint, err);
	return hsm_sign_manifest_send(client->fd, &request->manifest, err);
}

static void pump(struct hsm_client *client)
{
	struct error err;

	if (client->stage != STAGE_CONNECTED || client->sent || client->calling || !client->first)
		return;
	client->sent = true;
	if (send_request(client, client->first, &err) < 0) {
		lose(client, &err);
		return;
	}
	await(client);
}

/* binvault-hsm says itself why it is of no use now: more than "connection refused" later. */
static void take_told(struct hsm_client *client, const struct error *reason)
{
	client->told = true;
	snprintf(client->sentence, sizeof(client->sentence), "%s", reason->message);
}

/* HELLO, then SIGNED_STATE. */
static int receive_beginning(struct hsm_client *client, const struct message *message,
			     struct error *err)
{
	struct hsm_signed_state state;
	struct hello hello;
	int r;

	if (message->type == MESSAGE_FAILURE) {
		r = message_expect(message, MESSAGE_HELLO, err);
		take_told(client, err);
		return r;
	}
	if (client->stage == STAGE_HELLO) {
		r = message_expect(message, MESSAGE_HELLO, err);
		if (r == 0)
			r = hello_decode(message, &hello, err);
		if (r == 0)
			r = hsm_last_signed_request_send(client->fd, err);
		client->stage = STAGE_ASKED;
		return r;
	}
	r = message_expect(message, MESSAGE_HSM_SIGNED_STATE, err);
	if (r == 0)
		r = hsm_signed_state_decode(message, &state, err);
	if (r < 0)
		return r;
	client->calling = true;
	client->stage = STAGE_CONNECTED;
	client->sentence[0] = '\0';
	client->told = false;
	r = client->options.connected(client->options.context, &state, err);
	client->calling = false;
	if (r < 0) {
		client->stage = STAGE_ASKED; /* it never stood: lost() is not called */
		return r;
	}
	client->retry_usec = RETRY_FIRST_USEC;
	log_info("hsm.connected", "signed", LOG_NUMBER(state.tree.size), LOG_END);
	return 0;
}

/* The answer to the queue's first. An error ends the connection. */
static int receive_answer(struct hsm_client *client, const struct message *message,
			  struct error *err)
{
	struct hsm_unwrapped unwrapped;
	struct hsm_signature signature;
	struct request *request;
	struct error reason;
	bool unwrap;
	int r;

	if (!client->sent)
		return error_set(err, ERROR_DEFECT,
				 "binvault-hsm sent a message that was not asked for");
	unwrap = client->first->type == MESSAGE_HSM_UNWRAP;
	r = message_expect(message, unwrap ? MESSAGE_HSM_UNWRAPPED : MESSAGE_HSM_SIGNATURE,
			   &reason);
	if (r == 0 && unwrap)
		r = hsm_unwrapped_decode(message, &unwrapped, &reason);
	else if (r == 0)
		r = hsm_signature_decode(message, &signature, &reason);
	/* Its token is away and it ends; or it does not speak our language. The request waits. */
	if (r < 0 && (r == ERROR_UNAVAILABLE || message->type != MESSAGE_FAILURE)) {
		if (message->type == MESSAGE_FAILURE)
			take_told(client, &reason);
		*err = reason;
		return r;
	}
	request = take_first(client);
	client->calling = true;
	if (r < 0)
		answer(request, NULL, NULL, &reason);
	else if (unwrap)
		answer(request, &unwrapped, NULL, NULL);
	else
		answer(request, NULL, &signature, NULL);
	client->calling = false;
	if (unwrap)
		secret_wipe(&unwrapped, sizeof(unwrapped));
	free(request);
	return 0;
}

static void ready(void *context, int fd)
{
	struct hsm_client *client = context;
	struct error err;
	int r = message_receive(fd, &client->message, &err);

	if (r == ERROR_BUSY)
		return;
	if (r == 0)
		r = error_set(&err, ERROR_UNAVAILABLE, "binvault-hsm has ended the connection");
	if (r > 0) {
		loop_timer_clear(client->loop, &client->patience);
		r = client->stage == STAGE_CONNECTED
			    ? receive_answer(client, &client->message, &err)
			    : receive_beginning(client, &client->message, &err);
		message_release(&client->message);
		if (r == 0 && client->stage == STAGE_ASKED)
			await(client);
	}
	if (r < 0)
		lose(client, &err);
	else
		pump(client);
}

static void try_connect(void *context)
{
	struct hsm_client *client = context;
	struct error err;
	int r = channel_connect(client->socket, &err);

	if (r >= 0) {
		client->fd = r;
		r = fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0
			    ? error_set_errno(&err, ERROR_FAILED, errno, "binvault-hsm's socket")
			    : 0;
	}
	if (r == 0)
		r = loop_watch(client->loop, client->fd, ready, client, &err);
	if (r == 0)
		r = hello_send(client->fd, &client->hello, &err);
	if (r < 0) {
		lose(client, &err);
		return;
	}
	client->stage = STAGE_HELLO;
	await(client);
}

int hsm_client_new(struct loop *loop, const struct hsm_client_options *options,
		   struct hsm_client **ret_client, struct error *err)
{
	struct hsm_client *client;

	if (strlen(options->socket) >= sizeof(client->socket))
		return error_set(err, ERROR_USAGE, "the socket path '%s' is too long",
				 options->socket);
	client = calloc(1, sizeof(*client));
	ASSERT(client);
	client->loop = loop;
	client->options = *options;
	client->hello = *options->hello;
	snprintf(client->socket, sizeof(client->socket), "%s", options->socket);
	client->fd = -1;
	client->last = &client->first;
	client->retry_usec = RETRY_FIRST_USEC;
	snprintf(client->sentence, sizeof(client->sentence), "not connected yet");
	/* From the loop: a caller may not have its parts together when this returns. */
	loop_timer_set(loop, &client->retry, 0, try_connect, client);
	*ret_client = client;
	return 0;
}

void hsm_client_free(struct hsm_client *client)
{
	if (!client)
		return;
	loop_timer_clear(client->loop, &client->retry);
	loop_timer_clear(client->loop, &client->patience);
	if (client->fd >= 0) {
		loop_unwatch(client->loop, client->fd);
		close(client->fd);
	}
	while (client->first)
		free(take_first(client));
	free(client);
}

bool hsm_client_connected(const struct hsm_client *client)
{
	return client->stage == STAGE_CONNECTED;
}

const char *hsm_client_sentence(const struct hsm_client *client)
{
	return client->sentence;
}

static struct request *request_new(enum message_type type, void *owner)
{
	struct request *request = calloc(1, sizeof(*request));

	ASSERT(request);
	request->type = type;
	request->owner = owner;
	return request;
}

static void enqueue(struct hsm_client *client, struct request *request)
{
	struct error reason;

	if (client->count >= HSM_CLIENT_QUEUE_MAX) {
		error_set(&reason, ERROR_UNAVAILABLE, "%d requests wait for binvault-hsm already",
			  HSM_CLIENT_QUEUE_MAX);
		answer(request, NULL, NULL, &reason);
		free(request);
		return;
	}
	*client->last = request;
	client->last = &request->next;
	client->count++;
	pump(client);
}

void hsm_client_unwrap(struct hsm_client *client, const struct hsm_unwrap *request,
		       hsm_client_unwrapped *callback, void *owner)
{
	struct request *copy = request_new(MESSAGE_HSM_UNWRAP, owner);

	copy->unwrap = *request;
	copy->unwrapped = callback;
	enqueue(client, copy);
}

void hsm_client_sign_checkpoint(struct hsm_client *client,
				const struct hsm_sign_checkpoint *request,
				hsm_client_signed *callback, void *owner)
{
	struct request *copy = request_new(MESSAGE_HSM_SIGN_CHECKPOINT, owner);

	copy->checkpoint = *request;
	copy->signed_ = callback;
	enqueue(client, copy);
}

void hsm_client_sign_manifest(struct hsm_client *client, const struct hsm_sign_manifest *request,
			      hsm_client_signed *callback, void *owner)
{
	struct request *copy = request_new(MESSAGE_HSM_SIGN_MANIFEST, owner);

	copy->manifest = *request;
	copy->signed_ = callback;
	enqueue(client, copy);
}

void hsm_client_cancel(struct hsm_client *client, void *owner)
{
	struct request **link = &client->first;

	while (*link) {
		struct request *request = *link;

		if (request->owner != owner) {
			link = &request->next;
		} else if (request == client->first && client->sent) {
			/* Its answer will come and be dropped. */
			request->unwrapped = NULL;
			request->signed_ = NULL;
			link = &request->next;
		} else {
			*link = request->next;
			client->count--;
			free(request);
		}
	}
	client->last = link;
}
