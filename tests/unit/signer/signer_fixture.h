/*
 * binvault-hsm's service as a process of its own, with a SoftHSM2 token, a PIN file and a state
 * directory, and the other end of its one connection. Include after unit/cmocka_prelude.h.
 *
 * A process, because OpenSSL keeps an engine for as long as the process lives, and because its end
 * and its restart are what the tests are about.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/log.h"
#include "config/config.h"
#include "crypto/public_key.h"
#include "ledger/checkpoint.h"
#include "signer/service.h"
#include "signer/signer.h"
#include "unit/hsm/token_fixture.h"

#define ORIGIN	     "binvault/000102ff-0405-0607-0809-0a0b0c0d0e0f"
#define OTHER_ORIGIN "binvault/100102ff-0405-0607-0809-0a0b0c0d0e0f"

static const uint8_t archive_id[16] = {0, 1, 2, 255, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

struct lab {
	struct fixture *fixture;
	struct config config;
	char state[128], pin_file[128], pin_source[160], reason_file[128];
	pid_t pid;
	int fd; /* our end; -1: not started */
	char reason[ERROR_MESSAGE_SIZE];
	struct message message;
	struct hsm_sign_checkpoint request;
	struct hsm_keys keys;
	struct tree tree; /* as far as it was signed */
};

static inline void lab_pin(struct lab *lab, const char *pin)
{
	int fd = open(lab->pin_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, pin, strlen(pin)), (ssize_t)strlen(pin));
	close(fd);
}

static inline int lab_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	lab->fixture = fixture_new();
	fixture_add_token(TOKEN_LABEL);
	lab->fd = -1;
	fixture_path(lab->fixture, "state", lab->state, sizeof(lab->state));
	fixture_path(lab->fixture, "pin", lab->pin_file, sizeof(lab->pin_file));
	fixture_path(lab->fixture, "reason", lab->reason_file, sizeof(lab->reason_file));
	snprintf(lab->pin_source, sizeof(lab->pin_source), "file:%s", lab->pin_file);
	assert_int_equal(mkdir(lab->state, 0700), 0);
	lab_pin(lab, PIN);
	lab->config.hsm_module = (char *)MODULE;
	lab->config.hsm_token_label = (char *)TOKEN_LABEL;
	lab->config.hsm_state = lab->state;
	lab->config.hsm_pin_source = lab->pin_source;
	signal(SIGPIPE, SIG_IGN);
	*state = lab;
	return 0;
}

/* --- the process ----------------------------------------------------------------------------- */

_Noreturn static inline void lab_child(struct lab *lab, bool provision, int connection)
{
	struct service_options options = {
		.listen_fd = -1,
		.connection = connection,
		.stop_fd = -1,
		.keeper_uid = (uid_t)-1,
	};
	struct signer *signer = NULL;
	struct error err = {0};
	FILE *file;
	int r;

	log_init("hsm", LOG_LEVEL_ERROR);
	r = signer_open(&lab->config, provision, &signer, &err);
	options.signer = signer;
	if (r == 0)
		r = service_run(&options, &err);
	file = fopen(lab->reason_file, "w");
	if (file) {
		fputs(err.message, file);
		fclose(file);
	}
	signer_free(signer);
	_exit(error_exit_status(r));
}

/* Start it and say HELLO. False: it has ended; lab_end() says how. */
static inline bool lab_start(struct lab *lab, bool provision)
{
	struct hello hello = {.program = "test", .version = "0"};
	struct error err = {0};
	int pair[2];
	int r;

	assert_int_equal(lab->fd, -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(stdout);
	lab->pid = fork();
	assert_true(lab->pid >= 0);
	if (lab->pid == 0) {
		close(pair[0]);
		lab_child(lab, provision, pair[1]);
	}
	close(pair[1]);
	lab->fd = pair[0];
	r = hello_send(lab->fd, &hello, &err);
	if (r == 0)
		r = message_receive(lab->fd, &lab->message, &err);
	if (r > 0)
		assert_ok(hello_decode(&lab->message, &hello, &err), &err);
	return r > 0;
}

/* Close the connection (or find it closed); returns the exit status, or minus the signal. */
static inline int lab_end(struct lab *lab)
{
	size_t size = 0;
	FILE *file;
	int status;

	close(lab->fd);
	lab->fd = -1;
	assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
	lab->pid = 0;
	file = fopen(lab->reason_file, "r");
	if (file) {
		size = fread(lab->reason, 1, sizeof(lab->reason) - 1, file);
		fclose(file);
	}
	lab->reason[size] = '\0';
	unlink(lab->reason_file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int lab_teardown(void **state)
{
	struct lab *lab = *state;

	if (lab->fd >= 0)
		lab_end(lab);
	message_release(&lab->message);
	fixture_free(lab->fixture);
	free(lab);
	return 0;
}

#define assert_starts(lab, provision)                                                              \
	do {                                                                                       \
		if (!lab_start(lab, provision)) {                                                  \
			lab_end(lab);                                                              \
			fail_msg("it did not start: %s", (lab)->reason);                           \
		}                                                                                  \
	} while (0)

#define assert_ends(lab, status, words)                                                            \
	do {                                                                                       \
		int ends_status_ = lab_end(lab);                                                   \
		if (!strstr((lab)->reason, (words)))                                               \
			fail_msg("'%s' does not contain '%s'", (lab)->reason, (words));            \
		assert_null(strstr((lab)->reason, PIN));                                           \
		assert_null(strstr((lab)->reason, WRONG_PIN));                                     \
		assert_int_equal(ends_status_, (status));                                          \
	} while (0)

/* --- requests -------------------------------------------------------------------------------- */

/* @sent is the result of sending; the answer is in lab->message. */
static inline int lab_answer(struct lab *lab, int sent, struct error *err)
{
	int r = sent < 0 ? sent : message_receive(lab->fd, &lab->message, err);

	if (r == 0)
		return error_set(err, ERROR_CLOSED, "closed");
	return r < 0 ? r : 0;
}

static inline int lab_provision(struct lab *lab, bool make, struct error *err)
{
	struct hsm_provision request = {.make_keys = make};
	int r;

	memcpy(request.archive_id, archive_id, sizeof(archive_id));
	r = lab_answer(lab, hsm_provision_send(lab->fd, &request, err), err);
	return r < 0 ? r : hsm_keys_decode(&lab->message, &lab->keys, err);
}

static inline int lab_last_signed(struct lab *lab, struct hsm_signed_state *ret, struct error *err)
{
	int r = lab_answer(lab, hsm_last_signed_request_send(lab->fd, err), err);

	return r < 0 ? r : hsm_signed_state_decode(&lab->message, ret, err);
}

static inline int lab_manifest(struct lab *lab, const struct hash *pae, struct hsm_signature *ret,
			       struct error *err)
{
	struct hsm_sign_manifest request = {.pae = *pae};
	int r = lab_answer(lab, hsm_sign_manifest_send(lab->fd, &request, err), err);

	return r < 0 ? r : hsm_signature_decode(&lab->message, ret, err);
}

static inline int lab_unwrap(struct lab *lab, const struct hsm_unwrap *request,
			     struct hsm_unwrapped *ret, struct error *err)
{
	int r = lab_answer(lab, hsm_unwrap_send(lab->fd, request, err), err);

	return r < 0 ? r : hsm_unwrapped_decode(&lab->message, ret, err);
}

/* A leaf as the test numbers them; @history makes another one of the same number. */
static inline struct hash lab_leaf(uint64_t index, const char *history)
{
	struct hash leaf;
	char text[64];

	snprintf(text, sizeof(text), "%s %llu", history, (unsigned long long)index);
	tree_leaf_hash(text, strlen(text), &leaf);
	return leaf;
}

static inline int lab_sign_from(struct lab *lab, const struct tree *from, const char *origin,
				size_t count, const char *history, struct hsm_signature *ret,
				struct error *err)
{
	struct hsm_sign_checkpoint *request = &lab->request;
	int r;

	memset(request, 0, sizeof(*request));
	snprintf(request->origin, sizeof(request->origin), "%s", origin);
	request->from_size = from->size;
	tree_root(from, &request->from_root);
	request->leaf_count = (uint16_t)count;
	for (size_t i = 0; i < count; i++)
		request->leaves[i] = lab_leaf(from->size + i, history);
	r = lab_answer(lab, hsm_sign_checkpoint_send(lab->fd, request, err), err);
	return r < 0 ? r : hsm_signature_decode(&lab->message, ret, err);
}

/* What everybody does with a checkpoint: compose the note, read it, verify it. */
static inline void lab_verify(struct lab *lab, const struct tree *tree,
			      const struct hsm_signature *signature)
{
	struct public_key *key = NULL;
	struct checkpoint_keys keys = {.count = 1};
	struct checkpoint checkpoint;
	char body[CHECKPOINT_BODY_SIZE], note[CHECKPOINT_NOTE_SIZE + 1];
	struct hash fingerprint, root;
	struct error err = {0};
	int length;

	assert_ok(public_key_decode(lab->keys.checkpoint.der, lab->keys.checkpoint.der_size, &key,
				    &err),
		  &err);
	public_key_fingerprint(key, &fingerprint);
	tree_root(tree, &root);
	assert_int_equal(signature->size, tree->size);
	assert_memory_equal(&signature->root, &root, sizeof(root));
	assert_ok(checkpoint_body(ORIGIN, tree->size, &root, body, &err), &err);
	length = checkpoint_compose(body, &fingerprint, signature->signature,
				    signature->signature_size, note, &err);
	assert_ok(length, &err);
	assert_ok(checkpoint_decode(note, (size_t)length, &checkpoint, &err), &err);
	keys.keys[0] = key;
	assert_ok(checkpoint_verify(&checkpoint, ORIGIN, &keys, &err), &err);
	public_key_free(key);
}

/* Extend the archive's own history and have it signed. */
static inline void lab_extend(struct lab *lab, size_t count)
{
	struct hsm_signature signature;
	struct error err = {0};

	assert_ok(lab_sign_from(lab, &lab->tree, ORIGIN, count, "main", &signature, &err), &err);
	for (size_t i = 0; i < count; i++) {
		struct hash leaf = lab_leaf(lab->tree.size, "main");

		tree_append(&lab->tree, &leaf);
	}
	lab_verify(lab, &lab->tree, &signature);
}

/* As `init` does it: keys, first checkpoint, end; then the daemon. */
static inline void lab_begin(struct lab *lab)
{
	struct error err = {0};

	assert_starts(lab, true);
	assert_ok(lab_provision(lab, true, &err), &err);
	lab_extend(lab, 5);
	assert_ends(lab, 0, "");
	assert_starts(lab, false);
}

static inline void lab_state_path(const struct lab *lab, const char *name, char *path, size_t size)
{
	assert_true((size_t)snprintf(path, size, "%s/%s", lab->state, name) < size);
}
