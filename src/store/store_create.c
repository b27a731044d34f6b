#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <uuid/uuid.h>

#include "store/store_parts.h"

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* A volume holds an archive and nothing else; @ret_identity says whether one was begun. */
static int check_empty(const struct store_volume *volume, bool *ret_identity, struct error *err)
{
	static const char *const expected[] = {".",
					       "..",
					       "lost+found",
					       IDENTITY_FILE,
					       ".archive.id.new",
					       LEDGER_DIRECTORY,
					       SEGMENTS_DIRECTORY};
	CLEANUP(closedirp)
	DIR *directory = NULL;
	const struct dirent *entry;
	bool begun = false, identity = false;
	int fd = directory_open(volume->root_fd, ".", err);

	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	ASSERT(directory);
	while ((entry = readdir(directory))) {
		bool known = false;

		for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
			known = known || strcmp(entry->d_name, expected[i]) == 0;
		if (!known)
			return error_set(err, ERROR_USAGE,
					 "'%s' is not empty (it holds '%.64s'): give the archive a "
					 "volume or directory of its own",
					 volume->path, entry->d_name);
		identity = identity || strcmp(entry->d_name, IDENTITY_FILE) == 0;
		begun = begun || strcmp(entry->d_name, LEDGER_DIRECTORY) == 0;
	}
	if (begun && !identity)
		return error_set(err, ERROR_DEFECT, "'%s' holds a ledger but no %s", volume->path,
				 IDENTITY_FILE);
	*ret_identity = identity;
	return 0;
}

/* One in memory has the flags as well, and forgets them with all the rest. */
static int refuse_memory(const struct store_volume *volume, struct error *err)
{
	struct statfs info;

	if (fstatfs(volume->root_fd, &info) < 0)
		return error_set_errno(err, ERROR_IO, errno, "'%s'", volume->path);
	if (info.f_type != TMPFS_MAGIC && info.f_type != RAMFS_MAGIC)
		return 0;
	return error_set(err, ERROR_USAGE,
			 "'%s' lies in memory and is gone at the next start: use ext4 or XFS, or, "
			 "to try it out, set worm = advisory",
			 volume->path);
}

/* Can this file system be made to refuse changes, by this process? */
static int probe_flags(const struct store_volume *volume, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	int r;

	if (!store_may_protect())
		return error_set(
			err, ERROR_USAGE,
			"worm = required needs CAP_LINUX_IMMUTABLE, which this process has "
			"not: run init as root, or set worm = advisory");
	if (refuse_memory(volume, err) < 0)
		return err->code;
	fd = openat(volume->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, ERROR_USAGE, errno,
				       "'%s' cannot be probed for WORM; use ext4 or XFS, or set "
				       "worm = advisory",
				       volume->path);
	r = file_protect(fd, FILE_PROTECTION_APPEND, err);
	if (r == 0)
		r = file_protect(fd, FILE_PROTECTION_IMMUTABLE, err);
	if (r < 0) {
		error_prefix(err, "'%s' cannot enforce WORM (else set worm = advisory)",
			     volume->path);
		return err->code = ERROR_USAGE;
	}
	return 0;
}

static int write_identity(struct store_volume *volume, struct error *err)
{
	struct identity identity = {0};
	char text[IDENTITY_SIZE];
	int r;

	memcpy(identity.archive_id, volume->store->archive_id, STORE_ID_SIZE);
	uuid_generate_random(identity.volume_id);
	r = identity_encode(&identity, text, err);
	if (r < 0)
		return r;
	/* Whole or not at all, so that a second try finds a UUID or chooses one. */
	return file_replace(volume->root_fd, IDENTITY_FILE, text, (size_t)r, 0600, err);
}

static int make_directory(struct store_volume *volume, const char *name, int *ret_fd,
			  struct error *err)
{
	CLEANUP(close_fdp)
	int fd = directory_make(volume->root_fd, name, STORE_DIRECTORY_MODE, err);
	int r;

	if (fd < 0)
		return fd;
	r = store_adopt(volume->store, fd, STORE_DIRECTORY_MODE, FILE_PROTECTION_APPEND, err);
	if (r == 0)
		r = file_sync(fd, err);
	if (r < 0)
		return error_prefix(err, "directory '%s'", name);
	if (ret_fd)
		*ret_fd = TAKE_FD(fd);
	return 0;
}

/* archive.id → fsync directory → segments/, ledger/ */
static int create_volume(struct store_volume *volume, bool identity, struct error *err)
{
	int r = identity ? 0 : write_identity(volume, err);

	if (r == 0)
		r = store_volume_take_identity(volume, err);
	if (r == 0)
		r = store_adopt(volume->store, volume->identity_fd, STORE_FILE_MODE,
				FILE_PROTECTION_IMMUTABLE, err);
	if (r == 0)
		r = file_sync(volume->identity_fd, err);
	if (r == 0)
		r = file_sync(volume->root_fd, err);
	if (r == 0)
		r = make_directory(volume, SEGMENTS_DIRECTORY, NULL, err);
	if (r == 0)
		r = make_directory(volume, LEDGER_DIRECTORY, &volume->ledger_fd, err);
	return r < 0 ? error_prefix(err, "'%s'", volume->path) : 0;
}

static int open_volumes(struct store *store, const struct store_create_options *options,
			bool identity[static CONFIG_VOLUMES_MAX], struct error *err)
{
	for (size_t i = 0; i < options->volume_count; i++) {
		struct store_volume *volume = &store->volumes[i];
		int r = store_volume_open(store, i, options->volumes[i], err);

		if (r == 0)
			r = check_empty(volume, &identity[i], err);
		if (r == 0 && store->worm == WORM_REQUIRED)
			r = probe_flags(volume, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The UUID of an earlier try, on whichever volume it got to, or a new one. */
static int choose_archive_id(struct store *store, const bool identity[static CONFIG_VOLUMES_MAX],
			     struct error *err)
{
	struct identity found;

	uuid_generate_random(store->archive_id);
	for (size_t i = 0; i < store->volume_count; i++) {
		int r = identity[i] ? identity_read(store->volumes[i].root_fd, &found, err) : 0;

		if (r < 0)
			return error_prefix(err, "'%s'", store->volumes[i].path);
		if (identity[i])
			memcpy(store->archive_id, found.archive_id, STORE_ID_SIZE);
	}
	return 0;
}

static gid_t default_group(void)
{
	const struct group *group = getgrnam(STORE_GROUP);

	return group ? group->gr_gid : (gid_t)-1;
}

static int check_options(const struct store_create_options *options, struct error *err)
{
	if (options->volume_count != 1)
		return error_set(err, ERROR_USAGE,
				 "%zu volumes: this version keeps an archive on one",
				 options->volume_count);
	if (!options->name[0] || strlen(options->name) >= RECORD_TEXT_SIZE)
		return error_set(err, ERROR_USAGE, "an archive's name has 1 to %d characters",
				 RECORD_TEXT_SIZE - 1);
	return 0;
}

static int create_all(struct store *store, const struct store_create_options *options,
		      struct error *err)
{
	bool identity[CONFIG_VOLUMES_MAX] = {false};
	char id[UUID_SIZE];
	int r = check_options(options, err);

	if (r == 0)
		r = open_volumes(store, options, identity, err);
	if (r == 0)
		r = choose_archive_id(store, identity, err);
	for (size_t i = 0; r == 0 && i < store->volume_count; i++)
		r = create_volume(&store->volumes[i], identity[i], err);
	if (r < 0)
		return r;
	uuid_text(store->archive_id, id);
	snprintf(store->origin, sizeof(store->origin), "binvault/%s", id);
	r = store_ledger_read(store, err);
	if (r == 0 && state_policy(store->state) && store->worm != options->worm)
		r = error_set(err, ERROR_REFUSED,
			      "the archive was begun with the other value of "
			      "worm; set it back");
	if (r == 0)
		r = store_ledger_open(store, err);
	if (r == 0)
		r = store_checkpoints_open(store, err);
	if (r == 0 && store->checkpoint_size > 0)
		r = error_set(err, ERROR_EXISTS, "'%s' holds archive %s already",
			      store->volumes[0].path, id);
	return r;
}

int store_create(const struct store_create_options *options, struct store **ret_store,
		 struct error *err)
{
	CLEANUP(store_freep)
	struct store *store = store_new(STORE_WRITE);
	int r;

	store->worm = options->worm;
	store->owner = options->owner;
	store->group = options->group == (gid_t)-1 ? default_group() : options->group;
	store->leaves_per_file =
		options->leaves_per_file ? options->leaves_per_file : LOG_LEAVES_PER_FILE;
	r = create_all(store, options, err);
	if (r < 0)
		return error_prefix(err, "creating the archive");
	snprintf(store->name, sizeof(store->name), "%s", options->name);
	*ret_store = TAKE(store);
	return 0;
}

/* --- the first leaves ------------------------------------------------------------------------ */

static int begin_archive(struct store *store, struct error *err)
{
	struct store_record record = {.leaves_per_file = store->leaves_per_file,
				      .volume_count = store->volume_count};

	if (state_archive(store->state))
		return 0;
	memcpy(record.archive_id, store->archive_id, STORE_ID_SIZE);
	memcpy(record.name, store->name, sizeof(record.name));
	memcpy(record.origin, store->origin, sizeof(record.origin));
	for (size_t i = 0; i < store->volume_count; i++) {
		memcpy(record.volumes[i].id, store->volumes[i].id, STORE_ID_SIZE);
		record.volumes[i].hash = store->volumes[i].identity_hash;
	}
	return store_append(store, store_record_encode(&record), NULL, err);
}

/* Append @fields unless a leaf says the same already; another one is refused. */
static int begin_leaf(struct store *store, json_t *fields, json_t *present, const char *what,
		      struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *wanted = fields;
	CLEANUP(json_decrefp)
	json_t *found = present;

	if (!found)
		return store_append(store, TAKE(wanted), NULL, err);
	if (!json_equal(wanted, found))
		return error_set(err, ERROR_REFUSED,
				 "an earlier try wrote another %s: use the same token and "
				 "configuration, or begin anew on an empty volume",
				 what);
	return 0;
}

static int begin_key(struct store *store, const struct signing_key_record *key, const char *what,
		     struct error *err)
{
	const struct signing_key_record *found = state_signing_key(store->state, key->role);

	return begin_leaf(store, signing_key_record_encode(key),
			  found ? signing_key_record_encode(found) : NULL, what, err);
}

static int begin_checkpoint(struct store *store, store_sign *sign, void *context, struct error *err)
{
	uint8_t signature[SIGNATURE_SIZE_MAX];
	size_t signature_size = 0;
	uint64_t size = store->tree.size;
	struct hash root;
	int r;

	tree_root(&store->tree, &root);
	r = sign(context, store, size, &root, signature, &signature_size, err);
	if (r < 0)
		return error_prefix(err, "signing the first checkpoint");
	return store_checkpoint_append(store, size, &root, signature, signature_size, err);
}

int store_begin(struct store *store, const struct store_beginning *beginning, store_sign *sign,
		void *context, struct error *err)
{
	const struct master_record *master;
	const struct policy_record *policy;
	int r;

	if (beginning->policy.worm != store->worm)
		return error_set(err, ERROR_USAGE,
				 "the policy says another value of worm than the archive");
	r = begin_archive(store, err);
	if (r < 0)
		return r;
	master = state_master(store->state);
	r = begin_leaf(store, master_record_encode(&beginning->master),
		       master ? master_record_encode(master) : NULL, "master key", err);
	if (r == 0)
		r = begin_key(store, &beginning->checkpoint, "checkpoint key", err);
	if (r == 0)
		r = begin_key(store, &beginning->manifest, "manifest key", err);
	if (r < 0)
		return r;
	policy = state_policy(store->state);
	r = begin_leaf(store, policy_record_encode(&beginning->policy),
		       policy ? policy_record_encode(policy) : NULL, "policy", err);
	return r < 0 ? r : begin_checkpoint(store, sign, context, err);
}
