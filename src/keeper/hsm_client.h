/*
 * The keeper's conversation with binvault-hsm. Requests queue; one is on the way at a time; the
 * answer comes as a callback in the loop. When binvault-hsm is away, or ends because its token
 * vanished, the client connects again with back-off, and what waits stays waiting until it is
 * there or the request is cancelled.
 *
 * Owns: the channel and the queue (HSM_CLIENT_QUEUE_MAX; beyond it a request fails at once).
 * Threads: the loop's. Unwrapped bytes are wiped after the callback has returned.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper/loop.h"
#include "protocol/hsm_messages.h"

#define HSM_CLIENT_QUEUE_MAX 64

struct hsm_client;

struct hsm_client_options {
	const char *socket;
	const struct hello *hello;
	/* The connection stands: LAST_SIGNED was asked and this is the answer. An error means that
	 * it is refused (the client tries again later). */
	int (*connected)(void *context, const struct hsm_signed_state *state, struct error *err);
	void (*lost)(void *context, const struct error *reason);
	void *context;
};

int hsm_client_new(struct loop *loop, const struct hsm_client_options *options,
		   struct hsm_client **ret_client, struct error *err) MUST_CHECK;
void hsm_client_free(struct hsm_client *client);
DEFINE_CLEANUP(hsm_client_free, struct hsm_client *);

bool hsm_client_connected(const struct hsm_client *client);
const char *hsm_client_sentence(const struct hsm_client *client); /* why it is not; "" if it is */

/*
 * Each request: @answer is called once, with the answer or with an error (one of both is NULL).
 * @owner names whoever asks, so that hsm_client_cancel() can drop all of its requests.
 */
typedef void hsm_client_unwrapped(void *owner, const struct hsm_unwrapped *answer,
				  const struct error *reason);
typedef void hsm_client_signed(void *owner, const struct hsm_signature *answer,
			       const struct error *reason);

void hsm_client_unwrap(struct hsm_client *client, const struct hsm_unwrap *request,
		       hsm_client_unwrapped *answer, void *owner);
void hsm_client_sign_checkpoint(struct hsm_client *client,
				const struct hsm_sign_checkpoint *request,
				hsm_client_signed *answer, void *owner);
void hsm_client_sign_manifest(struct hsm_client *client, const struct hsm_sign_manifest *request,
			      hsm_client_signed *answer, void *owner);
void hsm_client_cancel(struct hsm_client *client, void *owner);
