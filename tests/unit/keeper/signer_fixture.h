/*
 * A binvault-hsm in a thread, with software keys: it answers as protocol/hsm_messages.h says, and
 * can be started, stopped and made to forget what it signed. For tests only.
 */
#pragma once

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "ledger/checkpoint.h"
#include "protocol/hsm_messages.h"

struct signer {
	EVP_PKEY *master, *checkpoint, *manifest;
	char socket[108];
	pthread_t thread;
	bool running;
	atomic_bool stopping;
	/* Its memory: what the real one keeps in `[hsm] state`. */
	bool stored;
	struct tree tree;
	/* Faults. */
	atomic_bool lose_signature; /* store, and end the connection before the answer */
	atomic_bool lose_memory;    /* store nothing then */
	const char *refusal;	    /* the answer to HELLO, NULL: none */
	atomic_bool forget;	    /* answer LAST_SIGNED as if the state file were gone */
	atomic_int sign_count, unwrap_count;
};

static inline void signer_init(struct signer *signer, const char *socket)
{
	memset(signer, 0, sizeof(*signer));
	signer->master = EVP_RSA_gen(3072);
	signer->checkpoint = EVP_EC_gen("P-256");
	signer->manifest = EVP_EC_gen("P-256");
	assert_non_null(signer->master);
	assert_non_null(signer->checkpoint);
	snprintf(signer->socket, sizeof(signer->socket), "%.107s", socket);
}

static inline size_t signer_der(EVP_PKEY *key, uint8_t der[static PUBLIC_KEY_DER_MAX])
{
	uint8_t *end = der;
	int size = i2d_PUBKEY(key, NULL);

	assert_true(size > 0 && (size_t)size <= PUBLIC_KEY_DER_MAX);
	return (size_t)i2d_PUBKEY(key, &end);
}

static inline size_t signer_sign(EVP_PKEY *key, const void *bytes, size_t size,
				 uint8_t signature[static SIGNATURE_SIZE_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_SIZE_MAX;

	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &length, bytes, size), 1);
	EVP_MD_CTX_free(context);
	return length;
}

static inline size_t signer_sign_checkpoint(struct signer *signer, const char *origin,
					    uint64_t size, const struct hash *root,
					    uint8_t signature[static SIGNATURE_SIZE_MAX])
{
	char body[CHECKPOINT_BODY_SIZE];
	struct error err;
	int length = checkpoint_body(origin, size, root, body, &err);

	assert_true(length > 0);
	return signer_sign(signer->checkpoint, body, (size_t)length, signature);
}

static inline int signer_unwrap(struct signer *signer, int fd, const struct message *message,
				struct error *err)
{
	struct hsm_unwrap request;
	struct hsm_unwrapped answer;
	uint8_t plain[1024];
	size_t size = sizeof(plain);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(signer->master, NULL);
	int r = hsm_unwrap_decode(message, &request, err);

	signer->unwrap_count++;
	if (r < 0)
		return r;
	assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
	EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256());
	EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256());
	r = EVP_PKEY_decrypt(context, plain, &size, request.wrap, request.wrap_size);
	EVP_PKEY_CTX_free(context);
	if (r != 1 || size != sizeof(answer.bytes)) {
		struct error reason;

		error_set(&reason, ERROR_DEFECT, "the wrap cannot be unwrapped");
		return message_send_failure(fd, &reason, err);
	}
	memcpy(answer.bytes, plain, sizeof(answer.bytes));
	return hsm_unwrapped_send(fd, &answer, err);
}

static inline int signer_checkpoint(struct signer *signer, int fd, const struct message *message,
				    struct error *err)
{
	static struct hsm_sign_checkpoint request;
	struct hsm_signature answer = {0};
	struct hash root;
	int r = hsm_sign_checkpoint_decode(message, &request, err);

	if (r < 0)
		return r;
	tree_root(&signer->tree, &root);
	if (!signer->stored || request.from_size != signer->tree.size ||
	    memcmp(&root, &request.from_root, sizeof(root)) != 0) {
		struct error reason;

		error_set(&reason, ERROR_REFUSED, "it does not extend what was signed last");
		return message_send_failure(fd, &reason, err);
	}
	for (size_t i = 0; i < request.leaf_count; i++)
		tree_append(&signer->tree, &request.leaves[i]);
	if (signer->lose_signature) {
		signer->lose_signature = false;
		if (signer->lose_memory)
			signer->tree = (struct tree){0};
		return error_set(err, ERROR_CLOSED, "killed");
	}
	answer.size = signer->tree.size;
	tree_root(&signer->tree, &answer.root);
	answer.signature_size = (uint16_t)signer_sign_checkpoint(
		signer, request.origin, answer.size, &answer.root, answer.signature);
	signer->sign_count++;
	return hsm_signature_send(fd, &answer, err);
}

/* ECDSA over the hash that came, as the token does it. */
static inline int signer_manifest(struct signer *signer, int fd, const struct message *message,
				  struct error *err)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(signer->manifest, NULL);
	struct hsm_sign_manifest request;
	struct hsm_signature answer = {0};
	size_t size = sizeof(answer.signature);
	int r = hsm_sign_manifest_decode(message, &request, err);

	assert_int_equal(EVP_PKEY_sign_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()), 1);
	assert_int_equal(
		EVP_PKEY_sign(context, answer.signature, &size, request.pae.bytes, HASH_SIZE), 1);
	EVP_PKEY_CTX_free(context);
	answer.signature_size = (uint16_t)size;
	return r < 0 ? r : hsm_signature_send(fd, &answer, err);
}

static inline int signer_answer(struct signer *signer, int fd, const struct message *message,
				struct error *err)
{
	const struct hello hello = {.program = "binvault-hsm", .version = "test"};
	struct hsm_signed_state state = {0};

	if (message->type == MESSAGE_HELLO && signer->refusal) {
		struct error reason;

		error_set(&reason, ERROR_UNAVAILABLE, "%s", signer->refusal);
		if (message_send_failure(fd, &reason, err) == 0)
			error_set(err, ERROR_CLOSED, "told");
		return err->code;
	}
	if (message->type == MESSAGE_HELLO)
		return hello_send(fd, &hello, err);
	if (message->type == MESSAGE_HSM_LAST_SIGNED) {
		if (signer->stored && !signer->forget) {
			state.stored = 1;
			state.tree = signer->tree;
		}
		return hsm_signed_state_send(fd, &state, err);
	}
	if (message->type == MESSAGE_HSM_UNWRAP)
		return signer_unwrap(signer, fd, message, err);
	if (message->type == MESSAGE_HSM_SIGN_MANIFEST)
		return signer_manifest(signer, fd, message, err);
	return signer_checkpoint(signer, fd, message, err);
}

static inline void *signer_serve(void *context)
{
	static struct message message;
	struct signer *signer = context;
	struct error err = {0};
	int listen_fd = channel_listen(signer->socket, 0600, (uid_t)-1, (gid_t)-1, &err), fd = -1;

	assert_ok(listen_fd, &err);
	while (!signer->stopping) {
		struct pollfd poll_fd = {.fd = fd >= 0 ? fd : listen_fd, .events = POLLIN};
		int r = 1;

		if (poll(&poll_fd, 1, 10) <= 0)
			continue;
		if (fd < 0) {
			fd = channel_accept(listen_fd, &err);
			continue;
		}
		r = message_receive(fd, &message, &err);
		if (r > 0) {
			r = signer_answer(signer, fd, &message, &err) < 0 ? -1 : 1;
			message_release(&message);
		}
		if (r <= 0) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	close(listen_fd);
	unlink(signer->socket);
	return NULL;
}

static inline void signer_start(struct signer *signer)
{
	signer->stopping = false;
	assert_int_equal(pthread_create(&signer->thread, NULL, signer_serve, signer), 0);
	signer->running = true;
}

static inline void signer_stop(struct signer *signer)
{
	if (!signer->running)
		return;
	signer->stopping = true;
	pthread_join(signer->thread, NULL);
	signer->running = false;
}

static inline void signer_release(struct signer *signer)
{
	signer_stop(signer);
	EVP_PKEY_free(signer->master);
	EVP_PKEY_free(signer->checkpoint);
	EVP_PKEY_free(signer->manifest);
}
