#include "signer/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "io/file.h"
#include "ledger/checkpoint.h"
#include "signer/keys.h"
#include "signer/last_signed.h"

struct signer {
	const struct config *config;
	bool provision;
	int state_fd;
	struct keys *keys;
	bool known;  /* @last names an archive, and @public holds its keys */
	bool stored; /* @last is on disk */
	bool started;
	struct last_signed last;
	struct hsm_keys public;
	struct error failure;
};

/* --- state directory ------------------------------------------------------------------------- */

static int open_state(struct signer *signer, struct error *err)
{
	const char *path = signer->config->hsm_state;
	struct stat status;
	int r = signer->state_fd = directory_open(AT_FDCWD, path, err);

	if (r == ERROR_NOT_FOUND)
		return error_set(err, ERROR_USAGE,
				 "[hsm] state '%s' does not exist; binvault init makes it, and if "
				 "it was lost, binvault init --accept-state",
				 path);
	if (r < 0)
		return error_prefix(err, "[hsm] state");
	if (fstat(signer->state_fd, &status) < 0)
		return error_set_errno(err, ERROR_IO, errno, "[hsm] state '%s'", path);
	if (status.st_uid != geteuid() || (status.st_mode & 0022) != 0)
		return error_set(err, ERROR_USAGE,
				 "[hsm] state '%s' must belong to the user of binvault-hsm (id "
				 "%u), and nobody else may write to it",
				 path, (unsigned)geteuid());
	/* Two signers with one memory could sign two histories. */
	if (flock(signer->state_fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, errno == EWOULDBLOCK ? ERROR_BUSY : ERROR_IO,
				 "[hsm] state '%s' is in use by another binvault-hsm; stop the "
				 "vault first",
				 path);
	return 0;
}

static int read_state(struct signer *signer, struct error *err)
{
	int r = last_signed_read(signer->state_fd, &signer->last, err);

	if (r == ERROR_NOT_FOUND)
		return 0;
	if (r < 0)
		return error_prefix(err,
				    "[hsm] state '%s' (restore it from a backup, or remove "
				    "the file and follow `binvault init --help`)",
				    signer->config->hsm_state);
	signer->known = true;
	signer->stored = true;
	return 0;
}

static int state_lost(const struct signer *signer, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "hsm state lost: '%s' does not say what was signed last, so nothing is "
			 "signed. Restore it from a backup; or stop the vault, compare the archive "
			 "with a checkpoint that was kept elsewhere, and run: binvault init "
			 "--accept-state SIZE:ROOT (the second and third line of that checkpoint)",
			 signer->config->hsm_state);
}

/* --- keys ------------------------------------------------------------------------------------ */

static int check_pinned(const struct hsm_key *key, const struct hash *pinned, struct error *err)
{
	struct hash fingerprint;

	hash_bytes(key->der, key->der_size, &fingerprint);
	if (memcmp(&fingerprint, pinned, sizeof(fingerprint)) == 0)
		return 0;
	return error_set(err, ERROR_DEFECT,
			 "the token's key '%s' is not the one that this archive began with: is it "
			 "the right token?",
			 key->label);
}

/* The three keys; those of a state that is stored must be the same. */
static int find_keys(struct signer *signer, const uint8_t archive_id[static 16], bool make,
		     struct error *err)
{
	const struct last_signed *last = &signer->last;
	int r = keys_find(signer->keys, archive_id, make, &signer->public, err);

	if (r < 0 || !signer->stored)
		return r;
	r = check_pinned(&signer->public.master, &last->master, err);
	if (r == 0)
		r = check_pinned(&signer->public.checkpoint, &last->checkpoint, err);
	if (r == 0)
		r = check_pinned(&signer->public.manifest, &last->manifest, err);
	return r;
}

static int start(struct signer *signer, struct error *err)
{
	const struct last_signed *last = &signer->last;
	int r = signer->known ? find_keys(signer, last->archive_id, false, err) : 0;

	if (r == 0)
		r = keys_start(signer->keys, signer->known ? last->archive_id : NULL,
			       signer->known ? &signer->public : NULL, false, err);
	signer->started = r == 0;
	return r;
}

int signer_open(const struct config *config, bool provision, struct signer **ret_signer,
		struct error *err)
{
	CLEANUP(signer_freep)
	struct signer *signer = calloc(1, sizeof(*signer));
	int r;

	ASSERT(signer);
	signer->config = config;
	signer->provision = provision;
	signer->state_fd = -1;
	r = open_state(signer, err);
	if (r == 0)
		r = read_state(signer, err);
	if (r == 0)
		r = keys_open(config, signer->state_fd, &signer->keys, err);
	if (r == 0 && !provision)
		r = start(signer, err);
	if (r < 0)
		return r;
	*ret_signer = TAKE(signer);
	return 0;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	keys_free(signer->keys);
	close_fdp(&signer->state_fd);
	free(signer);
}

const struct error *signer_failed(const struct signer *signer)
{
	return signer->failure.code ? &signer->failure : NULL;
}

/* No way back inside this process: the peer hears that we are away, and we end. */
static int fail(struct signer *signer, struct error *err)
{
	/* A refused PIN or a wrong token stays what it is: exit status 4 or 2, not 5. */
	signer->failure = *err;
	return err->code = ERROR_UNAVAILABLE;
}

int signer_provision(struct signer *signer, const struct hsm_provision *request,
		     struct hsm_keys *ret, struct error *err)
{
	struct last_signed *last = &signer->last;
	char uuid[KEY_UUID_SIZE];
	int r;

	if (!signer->provision)
		return error_set(err, ERROR_REFUSED,
				 "keys are made only for `binvault init`, which starts a "
				 "binvault-hsm of its own");
	key_uuid(last->archive_id, uuid);
	if (signer->known && memcmp(last->archive_id, request->archive_id, 16) != 0)
		return error_set(err, ERROR_REFUSED,
				 "[hsm] state '%s' belongs to archive %s: give this archive a "
				 "state directory of its own",
				 signer->config->hsm_state, uuid);
	if (!signer->started) {
		r = find_keys(signer, request->archive_id, request->make_keys, err);
		if (r == 0)
			r = keys_start(signer->keys, request->archive_id, &signer->public, true,
				       err);
		if (r < 0) {
			signer->failure = *err;
			return r;
		}
		signer->started = true;
	}
	signer->known = true;
	memcpy(last->archive_id, request->archive_id, 16);
	hash_bytes(signer->public.master.der, signer->public.master.der_size, &last->master);
	hash_bytes(signer->public.checkpoint.der, signer->public.checkpoint.der_size,
		   &last->checkpoint);
	hash_bytes(signer->public.manifest.der, signer->public.manifest.der_size, &last->manifest);
	*ret = signer->public;
	return 0;
}

int signer_keys(const struct signer *signer, struct hsm_keys *ret, struct error *err)
{
	if (!signer->known || !signer->started)
		return state_lost(signer, err);
	*ret = signer->public;
	return 0;
}

void signer_last_signed(const struct signer *signer, struct hsm_signed_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!signer->stored)
		return;
	ret->stored = 1;
	ret->tree = signer->last.tree;
}

/* --- requests -------------------------------------------------------------------------------- */

static int check_started(const struct signer *signer, struct error *err)
{
	if (signer->started)
		return 0;
	return error_set(err, ERROR_USAGE, "PROVISION comes before anything else");
}

int signer_unwrap(struct signer *signer, const struct hsm_unwrap *request,
		  struct hsm_unwrapped *ret, struct error *err)
{
	int r = check_started(signer, err);

	if (r < 0)
		return r;
	if (signer->known && memcmp(signer->last.archive_id, request->archive_id, 16) != 0)
		return error_set(err, ERROR_REFUSED,
				 "the period key is of another archive than [hsm] state '%s'",
				 signer->config->hsm_state);
	/* With its state lost it still unwraps: what is pending shall not wait for a person. */
	r = keys_unwrap(signer->keys, request, ret, err);
	return r < 0 && r != ERROR_DEFECT ? fail(signer, err) : r;
}

static int check_archive(const struct signer *signer, const char *origin, struct error *err)
{
	char expected[HSM_ORIGIN_SIZE];
	char uuid[KEY_UUID_SIZE];

	if (check_started(signer, err) < 0)
		return err->code;
	if (!signer->known || (!signer->stored && !signer->provision))
		return state_lost(signer, err);
	if (!origin)
		return 0;
	key_uuid(signer->last.archive_id, uuid);
	snprintf(expected, sizeof(expected), "binvault/%s", uuid);
	if (strcmp(origin, expected) != 0)
		return error_set(err, ERROR_REFUSED,
				 "[hsm] state '%s' is that of '%s': no checkpoint of '%s' is "
				 "signed",
				 signer->config->hsm_state, expected, origin);
	return 0;
}

/* The tree that the request leads to, if it begins where the last one ended. */
static int extend(const struct signer *signer, const struct hsm_sign_checkpoint *request,
		  struct tree *ret_tree, struct error *err)
{
	const struct tree *last = &signer->last.tree;
	struct hash root;

	tree_root(last, &root);
	if (request->from_size != last->size ||
	    memcmp(&request->from_root, &root, sizeof(root)) != 0)
		return error_set(err, ERROR_REFUSED,
				 "the last checkpoint that was signed has size %" PRIu64
				 ", the request begins at size %" PRIu64
				 " or has another root: the archive was rolled back or forked",
				 last->size, request->from_size);
	if (request->leaf_count > TREE_SIZE_MAX - last->size)
		return error_set(err, ERROR_REFUSED, "the ledger is too long");
	if (request->leaf_count + last->size == 0)
		return error_set(err, ERROR_REFUSED, "an empty ledger is not signed");
	*ret_tree = *last;
	for (size_t i = 0; i < request->leaf_count; i++)
		tree_append(ret_tree, &request->leaves[i]);
	return 0;
}

/* (size, root) durable → sign. */
static int store(struct signer *signer, const struct tree *tree, struct error *err)
{
	struct last_signed next = signer->last;
	int r;

	if (signer->stored && tree_equal(&next.tree, tree))
		return 0;
	next.tree = *tree;
	r = last_signed_write(signer->state_fd, &next, err);
	/* Which of both the disk holds now, the next start finds out. */
	if (r < 0) {
		error_prefix(err, "[hsm] state '%s'", signer->config->hsm_state);
		return fail(signer, err);
	}
	signer->last = next;
	signer->stored = true;
	return 0;
}

int signer_sign_checkpoint(struct signer *signer, const struct hsm_sign_checkpoint *request,
			   struct hsm_signature *ret, struct error *err)
{
	char body[CHECKPOINT_BODY_SIZE];
	struct hsm_signature signature = {.size = 0};
	struct hash digest;
	struct tree tree;
	int r = check_archive(signer, request->origin, err);

	if (r == 0)
		r = extend(signer, request, &tree, err);
	if (r < 0)
		return r;
	signature.size = tree.size;
	tree_root(&tree, &signature.root);
	r = checkpoint_body(request->origin, signature.size, &signature.root, body, err);
	if (r < 0)
		return r;
	hash_bytes(body, (size_t)r, &digest);
	r = store(signer, &tree, err);
	if (r < 0)
		return r;
	r = keys_sign(signer->keys, KEY_CHECKPOINT, &digest, &signature, err);
	if (r < 0)
		return fail(signer, err);
	*ret = signature;
	return 0;
}

int signer_sign_manifest(struct signer *signer, const struct hsm_sign_manifest *request,
			 struct hsm_signature *ret, struct error *err)
{
	struct hsm_signature signature = {.size = 0};
	int r = check_archive(signer, NULL, err);

	if (r < 0)
		return r;
	r = keys_sign(signer->keys, KEY_MANIFEST, &request->pae, &signature, err);
	if (r < 0)
		return fail(signer, err);
	*ret = signature;
	return 0;
}
