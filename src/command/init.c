#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"
#include "command/child.h"
#include "command/commands.h"
#include "command/programs.h"
#include "command/provisioner.h"
#include "io/file.h"
#include "ledger/checkpoint.h"
#include "store/store.h"

/*
 * The order: token logged in → directories → archive.id → keys in the token → first leaves →
 * (size, root) in [hsm] state → checkpoint 1. Each step finds what an earlier try has done, so a
 * crash anywhere is followed by the same command.
 */
struct init {
	const struct config *config;
	char programs[PATH_MAX];
	bool switch_users;
	struct provisioner *hsm;
	struct hsm_keys keys;
	struct store *store;
	struct hsm_sign_checkpoint request; /* large */
	struct hsm_signature signature;	    /* the last one */
};

static void init_free(struct init *init)
{
	if (!init)
		return;
	provisioner_free(init->hsm);
	store_free(init->store);
	free(init);
}
DEFINE_CLEANUP(init_free, struct init *);

/* --- directories ----------------------------------------------------------------------------- */

struct place {
	const char *option; /* for sentences */
	const char *path;
	mode_t mode;
	enum child_role owner, group;
};

/* Made if missing. As root: one that still belongs to root is given to its user. */
static int prepare(const struct place *place, bool switch_users, struct error *err)
{
	const struct passwd *user;
	CLEANUP(close_fdp)
	int fd = -1;
	struct stat status;
	uid_t uid;

	fd = directory_make(AT_FDCWD, place->path, place->mode & 0777, err);
	if (fd < 0 || fstat(fd, &status) < 0)
		return error_prefix(err, "%s", place->option);
	if (!switch_users || status.st_uid != 0)
		return 0;
	user = getpwnam(child_user(place->owner));
	ASSERT(user);
	uid = user->pw_uid;
	user = getpwnam(child_user(place->group));
	ASSERT(user);
	/* Owner before mode: chown() clears setgid. */
	if (fchown(fd, uid, user->pw_gid) < 0 || fchmod(fd, place->mode) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s '%s'", place->option,
				       place->path);
	return 0;
}

static int prepare_all(const struct init *init, struct error *err)
{
	const struct place places[] = {
		{"[hsm] state", init->config->hsm_state, 0700, CHILD_HSM, CHILD_HSM},
		/* What the keeper makes there belongs to the exporter's group. */
		{"[export] path", init->config->export_path, 02775, CHILD_KEEPER, CHILD_EXPORT},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if (places[i].path && prepare(&places[i], init->switch_users, err) < 0)
			return err->code;
	}
	return 0;
}

/* --- archive --------------------------------------------------------------------------------- */

/* ERROR_EXISTS if there is one already. What else is wrong, store_create() says better. */
static int check_absent(const struct config *config, struct error *err)
{
	CLEANUP(store_freep)
	struct store *store = NULL;
	struct error ignored;
	char id[UUID_SIZE];

	if (store_open((const char *const *)config->volumes, config->volume_count, STORE_READ,
		       &store, &ignored) < 0)
		return 0;
	uuid_text(store_archive_id(store), id);
	return error_set(err, ERROR_EXISTS,
			 "'%s' holds archive %s already, complete: nothing was changed. Do: "
			 "binvault run",
			 config->volumes[0], id);
}

static int create(struct init *init, struct error *err)
{
	const struct config *config = init->config;
	struct store_create_options options = {
		.name = config->name,
		.volumes = (const char *const *)config->volumes,
		.volume_count = config->volume_count,
		.worm = config->worm,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
	};
	const struct group *audit = getgrnam(STORE_GROUP);
	const struct passwd *keeper;

	/* Only root can give files to a group that it is not in. */
	if (!init->switch_users && audit && !group_member(audit->gr_gid))
		options.group = getegid();
	if (init->switch_users) {
		keeper = getpwnam(child_user(CHILD_KEEPER));
		ASSERT(keeper);
		options.owner = keeper->pw_uid;
	}
	return store_create(&options, &init->store, err);
}

/* --- signing --------------------------------------------------------------------------------- */

/* The next leaves, as many as a request holds, are signed. */
static int sign_leaves(void *context, const struct hash *hashes, size_t count, struct error *err)
{
	struct init *init = context;
	struct hsm_sign_checkpoint *request = &init->request;
	int r;

	ASSERT(count <= HSM_LEAVES_MAX);
	memcpy(request->leaves, hashes, count * sizeof(hashes[0]));
	request->leaf_count = (uint16_t)count;
	r = provisioner_sign(init->hsm, request, &init->signature, err);
	if (r < 0)
		return r;
	request->from_size = init->signature.size;
	request->from_root = init->signature.root;
	return 0;
}

/* Have @size leaves signed, from wherever binvault-hsm stands. */
static int sign_up_to(struct init *init, struct store *store, uint64_t size, struct error *err)
{
	struct hsm_sign_checkpoint *request = &init->request;
	struct hsm_signed_state state;
	int r = provisioner_last_signed(init->hsm, &state, err);

	if (r == 0 && state.stored)
		r = store_check_signed(store, &state.tree, err);
	if (r < 0)
		return r;
	if (state.tree.size > size)
		return error_set(err, ERROR_DEFECT,
				 "rolled back: binvault-hsm has signed %" PRIu64
				 " leaves and the ledger has %" PRIu64,
				 state.tree.size, size);
	memset(request, 0, sizeof(*request));
	snprintf(request->origin, sizeof(request->origin), "%s", store_origin(store));
	request->from_size = state.tree.size;
	tree_root(&state.tree, &request->from_root);
	if (state.tree.size == size)
		return sign_leaves(init, NULL, 0, err);
	return store_leaf_hashes(store, state.tree.size, size, HSM_LEAVES_MAX, sign_leaves, init,
				 err);
}

static int sign(void *context, struct store *store, uint64_t size, const struct hash *root,
		uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
		struct error *err)
{
	struct init *init = context;
	int r = sign_up_to(init, store, size, err);

	if (r < 0)
		return r;
	if (init->signature.size != size || memcmp(&init->signature.root, root, sizeof(*root)) != 0)
		return error_set(err, ERROR_DEFECT,
				 "binvault-hsm has signed another size or root than asked for");
	memcpy(signature, init->signature.signature, init->signature.signature_size);
	*ret_signature_size = init->signature.signature_size;
	return 0;
}

static void fill_key(struct signing_key_record *record, enum signing_role role,
		     const struct hsm_key *key)
{
	record->role = role;
	snprintf(record->label, sizeof(record->label), "%s", key->label);
	record->der_size = key->der_size;
	memcpy(record->der, key->der, key->der_size);
}

static void fill_beginning(const struct init *init, struct store_beginning *beginning)
{
	const struct config *config = init->config;
	const struct hsm_key *master = &init->keys.master;

	memset(beginning, 0, sizeof(*beginning));
	beginning->master.sequence = 1;
	snprintf(beginning->master.label, sizeof(beginning->master.label), "%s", master->label);
	beginning->master.der_size = master->der_size;
	memcpy(beginning->master.der, master->der, master->der_size);
	fill_key(&beginning->checkpoint, SIGNING_CHECKPOINT, &init->keys.checkpoint);
	fill_key(&beginning->manifest, SIGNING_MANIFEST, &init->keys.manifest);
	beginning->policy.worm = config->worm;
	beginning->policy.class_count = config->class_count;
	memcpy(beginning->policy.classes, config->classes, sizeof(beginning->policy.classes));
}

/* --- what it says ---------------------------------------------------------------------------- */

static void print_key(const char *what, const struct hsm_key *key)
{
	char digits[HEX_SIZE(HASH_SIZE)];
	struct hash fingerprint;

	hash_bytes(key->der, key->der_size, &fingerprint);
	hex_encode(fingerprint.bytes, sizeof(fingerprint.bytes), digits);
	printf("%-10s %s\n           SHA-256 %s\n", what, key->label, digits);
}

static int print_checkpoint(const struct init *init, struct error *err)
{
	const struct hsm_signature *signature = &init->signature;
	const struct hsm_key *key = &init->keys.checkpoint;
	char body[CHECKPOINT_BODY_SIZE];
	char note[CHECKPOINT_NOTE_SIZE + 1];
	struct hash fingerprint;
	int r = checkpoint_body(store_origin(init->store), signature->size, &signature->root, body,
				err);

	hash_bytes(key->der, key->der_size, &fingerprint);
	if (r >= 0)
		r = checkpoint_compose(body, &fingerprint, signature->signature,
				       signature->signature_size, note, err);
	if (r < 0)
		return r;
	printf("\n%s\n", note);
	return 0;
}

static int print_all(const struct init *init, struct error *err)
{
	const struct config *config = init->config;
	char id[UUID_SIZE];

	uuid_text(store_archive_id(init->store), id);
	printf("archive    %s  '%s'\n", id, config->name);
	for (size_t i = 0; i < config->volume_count; i++)
		printf("volume     %s\n", config->volumes[i]);
	printf("worm       %s\n",
	       config->worm == WORM_REQUIRED
		       ? "required: the kernel refuses any change of what is archived"
		       : "advisory: nothing keeps root, or the keeper's user, from changing files");
	print_key("master key", &init->keys.master);
	print_key("checkpoint", &init->keys.checkpoint);
	print_key("manifest", &init->keys.manifest);
	if (print_checkpoint(init, err) < 0)
		return err->code;
	printf("Next: keep the checkpoint above off this host: who has it can prove any later\n"
	       "change of what came before. Back up '%s' and the HSM.\n"
	       "Then: binvault run --config %s\n",
	       config->hsm_state, config->path);
	return 0;
}

/* --- a new archive --------------------------------------------------------------------------- */

static int start_hsm(struct init *init, struct error *err)
{
	const struct provisioner_options options = {
		.directory = init->programs,
		.config_path = init->config->path,
		.user = init->switch_users ? child_user(CHILD_HSM) : NULL,
	};

	return provisioner_start(&options, &init->hsm, err);
}

static int make_archive(struct init *init, struct error *err)
{
	CLEANUP(freep)
	struct store_beginning *beginning = malloc(sizeof(*beginning));
	struct hsm_provision request;
	int r = create(init, err);

	ASSERT(beginning);
	if (r < 0)
		return r;
	request.make_keys = 1;
	memcpy(request.archive_id, store_archive_id(init->store), sizeof(request.archive_id));
	r = provisioner_keys(init->hsm, &request, &init->keys, err);
	if (r < 0)
		return r;
	fill_beginning(init, beginning);
	return store_begin(init->store, beginning, sign, init, err);
}

static int begin(struct init *init, struct error *err)
{
	int r = check_absent(init->config, err);

	if (r == 0)
		r = prepare_all(init, err);
	if (r == 0)
		r = start_hsm(init, err);
	if (r == 0)
		r = make_archive(init, err);
	if (r == 0)
		r = print_all(init, err);
	return r;
}

/* --- a lost state ---------------------------------------------------------------------------- */

/* "SIZE:ROOT", as the second and third line of a checkpoint say them. */
static int parse_state(const char *text, uint64_t *ret_size, struct hash *ret_root,
		       struct error *err)
{
	char *end;
	unsigned long long size;

	errno = 0;
	size = strtoull(text, &end, 10);
	if (errno || text[0] < '1' || text[0] > '9' || *end != ':' ||
	    base64_decode(end + 1, strlen(end + 1), ret_root->bytes, HASH_SIZE, err) != HASH_SIZE)
		return error_set(err, ERROR_USAGE,
				 "--accept-state takes SIZE:ROOT, the second and third line of a "
				 "checkpoint, not '%s'",
				 text);
	*ret_size = size;
	return 0;
}

/* Does the archive still contain what the operator's checkpoint says? */
static int check_contained(const struct init *init, uint64_t size, const struct hash *root,
			   struct error *err)
{
	const struct store *store = init->store;
	struct tree tree;
	struct hash found;

	if (size > store_tree(store)->size)
		return error_set(err, ERROR_DEFECT,
				 "rolled back: the ledger has %" PRIu64
				 " leaves, the checkpoint %" PRIu64 ". Nothing was changed",
				 store_tree(store)->size, size);
	if (store_tree_at(store, size, &tree, err) < 0)
		return err->code;
	tree_root(&tree, &found);
	if (memcmp(&found, root, sizeof(found)) != 0)
		return error_set(err, ERROR_DEFECT,
				 "fork: at size %" PRIu64 " the ledger has another root than the "
				 "checkpoint. Nothing was changed",
				 size);
	return 0;
}

static bool is_key(const struct hsm_key *key, const char *label, const uint8_t *der, size_t size)
{
	return strcmp(key->label, label) == 0 && key->der_size == size &&
	       memcmp(key->der, der, size) == 0;
}

/* The token's keys are those that the ledger names. */
static int check_keys(const struct init *init, struct error *err)
{
	const struct state *state = store_state(init->store);
	const struct signing_key_record *checkpoint = state_signing_key(state, SIGNING_CHECKPOINT);
	const struct signing_key_record *manifest = state_signing_key(state, SIGNING_MANIFEST);

	if (checkpoint && manifest &&
	    is_key(&init->keys.checkpoint, checkpoint->label, checkpoint->der,
		   checkpoint->der_size) &&
	    is_key(&init->keys.manifest, manifest->label, manifest->der, manifest->der_size))
		return 0;
	return error_set(err, ERROR_DEFECT,
			 "the token's signing keys are not those that the ledger names: is it the "
			 "right token? Nothing was changed");
}

static int check_lost(struct init *init, struct error *err)
{
	struct hsm_signed_state state;
	int r = provisioner_last_signed(init->hsm, &state, err);

	if (r == 0 && state.stored)
		return error_set(err, ERROR_EXISTS,
				 "[hsm] state '%s' is not lost: the last checkpoint that was "
				 "signed has size %" PRIu64 ". Nothing was changed",
				 init->config->hsm_state, state.tree.size);
	return r;
}

static int accept_state(struct init *init, const char *text, struct error *err)
{
	const struct config *config = init->config;
	struct hsm_provision request = {.make_keys = 0};
	struct hash root;
	uint64_t size = 0;
	int r = parse_state(text, &size, &root, err);

	if (r == 0)
		r = store_open((const char *const *)config->volumes, config->volume_count,
			       STORE_READ, &init->store, err);
	if (r == 0)
		r = check_contained(init, size, &root, err);
	if (r == 0)
		r = prepare_all(init, err);
	if (r == 0)
		r = start_hsm(init, err);
	if (r == 0)
		r = check_lost(init, err);
	if (r < 0)
		return r;
	memcpy(request.archive_id, store_archive_id(init->store), sizeof(request.archive_id));
	r = provisioner_keys(init->hsm, &request, &init->keys, err);
	if (r == 0)
		r = check_keys(init, err);
	if (r == 0)
		r = sign_up_to(init, init->store, size, err);
	if (r == 0)
		printf("[hsm] state '%s' is accepted at size %" PRIu64 ". Do: binvault run\n",
		       config->hsm_state, size);
	return r;
}

/* --- the verb -------------------------------------------------------------------------------- */

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(init_freep)
	struct init *init = calloc(1, sizeof(*init));
	const char *accepted = command_value(context, "accept-state");
	int r;

	ASSERT(init);
	log_init("init", LOG_LEVEL_WARNING);
	r = command_config(context, &init->config, err);
	if (r == 0)
		r = programs_find(init->programs, err);
	if (r == 0)
		r = programs_switch_users(&init->switch_users, err);
	if (r < 0)
		return r;
	return accepted ? accept_state(init, accepted, err) : begin(init, err);
}

static const struct command_option options[] = {
	{"accept-state", "SIZE:ROOT",
	 "replace a lost [hsm] state by that of a checkpoint that was kept elsewhere"},
	{NULL, NULL, NULL},
};

const struct command command_init = {
	.verb = "init",
	.arguments = "",
	.summary = "make the keys in the token, and the archive with its first signed checkpoint",
	.description =
		"Needs an empty volume (a directory or mount of its own) and a token whose PIN is "
		"where pin-source says. Makes [hsm] state and [export] path if they are missing. "
		"Interrupted anywhere, the same command goes on with the same archive and keys. "
		"As root, files are given to the users of the daemons; PIN and token must be "
		"readable for binvault-hsm. "
		"Where [hsm] state is lost nothing is signed any more: compare the archive with a "
		"checkpoint that was kept elsewhere, and give its second and third line to "
		"--accept-state, with the vault stopped.",
	.options = options,
	.run = run,
};
