#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "store/field.h"
#include "store/store_parts.h"

/* A reader has no lock. Leaves and their checkpoint that are appended between its reading the ones
 * and the other look like a rollback, but not again. */
#define READ_ATTEMPTS 3

#define NOT_COMPLETED                                                                              \
	"the archive was never completed: run binvault init again, it goes on where it stopped"

struct store *store_new(enum store_access access)
{
	struct store *store = calloc(1, sizeof(*store));

	ASSERT(store);
	store->access = access;
	store->owner = (uid_t)-1;
	store->group = (gid_t)-1;
	store->worm = WORM_ADVISORY;
	store->state = state_new();
	for (size_t i = 0; i < CONFIG_VOLUMES_MAX; i++) {
		store->volumes[i].store = store;
		store->volumes[i].number = i;
		store->volumes[i].root_fd = -1;
		store->volumes[i].ledger_fd = -1;
		store->volumes[i].identity_fd = -1;
	}
	return store;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < CONFIG_VOLUMES_MAX; i++) {
		struct store_volume *volume = &store->volumes[i];

		log_reader_free(volume->reader);
		log_free(volume->log);
		checkpoint_file_free(volume->checkpoints);
		close_if_open(volume->ledger_fd);
		close_if_open(volume->root_fd);
		close_if_open(volume->identity_fd);
		free(volume->path);
	}
	state_free(store->state);
	free(store->tail);
	free(store);
}

/* --- archive.id ------------------------------------------------------------------------------ */

int identity_encode(const struct identity *identity, char text[static IDENTITY_SIZE],
		    struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	int r;

	json_put_u64(object, "format", STORE_FORMAT);
	field_put_uuid(object, "archive", identity->archive_id);
	field_put_uuid(object, "volume", identity->volume_id);
	r = json_text_canonical(object, text, IDENTITY_SIZE - 1, err);
	if (r < 0)
		return r;
	text[r++] = '\n';
	text[r] = '\0';
	return r;
}

static int identity_decode(const char *text, size_t size, struct identity *ret, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct identity identity;
	uint64_t format;
	int r;

	if (size == 0 || text[size - 1] != '\n')
		return error_set(err, ERROR_DEFECT, "byte %zu: the line does not end", size);
	r = json_parse_canonical(text, size - 1, &object, err);
	if (r == 0)
		r = json_get_u64(object, "format", &format, err);
	if (r < 0)
		return r;
	if (format != STORE_FORMAT)
		return error_set(err, ERROR_REFUSED,
				 "archive format %" PRIu64 ", this program knows %d", format,
				 STORE_FORMAT);
	r = field_get_uuid(object, "archive", identity.archive_id, err);
	if (r == 0)
		r = field_get_uuid(object, "volume", identity.volume_id, err);
	if (r == 0 && json_object_size(object) != 3)
		r = error_set(err, ERROR_DEFECT, "a field that has no place there");
	if (r < 0)
		return r;
	hash_bytes(text, size, &identity.hash);
	*ret = identity;
	return 0;
}

int identity_read(int root_fd, struct identity *ret, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(root_fd, IDENTITY_FILE, err);
	char text[IDENTITY_SIZE];
	ssize_t size;
	int r;

	if (fd < 0)
		return fd;
	size = file_read(fd, text, sizeof(text), 0, err);
	if (size < 0)
		return (int)size;
	r = identity_decode(text, (size_t)size, ret, err);
	return r < 0 ? error_prefix(err, "%s: offset 0", IDENTITY_FILE) : 0;
}

/* --- the lock -------------------------------------------------------------------------------- */

/* The process that holds a flock on the file, as far as /proc/locks tells; 0 if it does not. */
static int lock_holder(int fd)
{
	CLEANUP(close_fdp)
	int list_fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	char text[16384], wanted[64];
	struct stat status;
	ssize_t size = list_fd < 0 ? -1 : read(list_fd, text, sizeof(text) - 1);
	int pid;

	if (size < 0 || fstat(fd, &status) < 0)
		return 0;
	text[size] = '\0';
	snprintf(wanted, sizeof(wanted), "%02x:%02x:%ju ", major(status.st_dev),
		 minor(status.st_dev), (uintmax_t)status.st_ino);
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strstr(line, wanted) && !strstr(line, "->") &&
		    sscanf(line, "%*s FLOCK %*s %*s %d", &pid) == 1)
			return pid;
	}
	return 0;
}

static int take_lock(struct store_volume *volume, struct error *err)
{
	int pid;

	if (flock(volume->identity_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_set_errno(err, ERROR_IO, errno, "locking '%s/%s'", volume->path,
				       IDENTITY_FILE);
	pid = lock_holder(volume->identity_fd);
	if (pid > 0)
		return error_set(err, ERROR_BUSY, "'%s' is already in use by process %d",
				 volume->path, pid);
	return error_set(err, ERROR_BUSY, "'%s' is already in use by another process",
			 volume->path);
}

int store_volume_take_identity(struct store_volume *volume, struct error *err)
{
	struct store *store = volume->store;
	struct identity identity;
	int r;

	volume->identity_fd = file_open_read(volume->root_fd, IDENTITY_FILE, err);
	if (volume->identity_fd < 0) {
		r = volume->identity_fd;
		volume->identity_fd = -1;
		return r;
	}
	if (store->access == STORE_WRITE) {
		r = take_lock(volume, err);
		if (r < 0)
			return r;
	}
	r = identity_read(volume->root_fd, &identity, err);
	if (r < 0)
		return r;
	if (volume->number > 0 && memcmp(identity.archive_id, store->archive_id, STORE_ID_SIZE))
		return error_set(err, ERROR_DEFECT, "the volumes belong to different archives");
	memcpy(store->archive_id, identity.archive_id, STORE_ID_SIZE);
	memcpy(volume->id, identity.volume_id, STORE_ID_SIZE);
	volume->identity_hash = identity.hash;
	return 0;
}

int store_volume_open(struct store *store, size_t number, const char *path, struct error *err)
{
	struct store_volume *volume = &store->volumes[number];
	uint32_t block_size;
	int r;

	volume->path = strdup(path);
	ASSERT(volume->path);
	r = directory_open(AT_FDCWD, path, err);
	if (r < 0)
		return r;
	volume->root_fd = r;
	r = file_block_size(volume->root_fd, &block_size, err);
	/* A copy on any file system can be read: only appends go past the cache. */
	if (r < 0 && store->access == STORE_WRITE)
		return error_prefix(err, "'%s'", path);
	if (r < 0)
		block_size = BLOCK_SIZE_MIN;
	store->block_size = block_size > store->block_size ? block_size : store->block_size;
	store->volume_count = number + 1;
	return 0;
}

/* --- protection ------------------------------------------------------------------------------ */

bool store_may_protect(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_LINUX_IMMUTABLE / 32].effective & (1U << (CAP_LINUX_IMMUTABLE % 32));
}

int store_adopt(const struct store *store, int fd, mode_t mode, enum file_protection protection,
		struct error *err)
{
	enum file_protection before = FILE_PROTECTION_NONE;
	struct error ignored;

	/* What is protected already was adopted already, before a crash: it refuses a second time.
	 */
	if (file_protection(fd, &before, &ignored) == 0 && before != FILE_PROTECTION_NONE)
		return 0;
	/* Owner before mode: chown() clears setgid. */
	if ((store->owner != (uid_t)-1 || store->group != (gid_t)-1) &&
	    fchown(fd, store->owner, store->group) < 0)
		return error_set_errno(err, ERROR_REFUSED, errno, "giving away a new file");
	if (fchmod(fd, mode) < 0)
		return error_set_errno(err, ERROR_REFUSED, errno, "setting the mode of a new file");
	if (store->worm != WORM_REQUIRED || protection == FILE_PROTECTION_NONE)
		return 0;
	return file_protect(fd, protection, err);
}

static int check_flag(const struct store_volume *volume, int fd, const char *what,
		      enum file_protection wanted, struct error *err)
{
	enum file_protection found;
	int r = file_protection(fd, &found, err);

	if (r < 0)
		return r;
	if (found != wanted)
		return error_set(err, ERROR_DEFECT,
				 "'%s' has lost its flag: somebody with CAP_LINUX_IMMUTABLE "
				 "cleared it. Do: find out who, binvault verify, then chattr %s "
				 "%s/%s",
				 what, wanted == FILE_PROTECTION_APPEND ? "+a" : "+i", volume->path,
				 what);
	return 0;
}

static int check_worm(const struct store *store, struct error *err)
{
	for (size_t i = 0; i < store->volume_count; i++) {
		const struct store_volume *volume = &store->volumes[i];
		CLEANUP(close_fdp)
		int segments_fd = -1;
		int r;

		if (!store_may_protect())
			return error_set(err, ERROR_USAGE,
					 "this archive requires WORM, and this process has no "
					 "CAP_LINUX_IMMUTABLE: start it as the service does; only "
					 "an archive made with worm = advisory runs without");
		segments_fd = directory_open(volume->root_fd, SEGMENTS_DIRECTORY, err);
		if (segments_fd < 0)
			return segments_fd;
		r = check_flag(volume, volume->identity_fd, IDENTITY_FILE,
			       FILE_PROTECTION_IMMUTABLE, err);
		if (r == 0)
			r = check_flag(volume, volume->ledger_fd, LEDGER_DIRECTORY,
				       FILE_PROTECTION_APPEND, err);
		if (r == 0)
			r = check_flag(volume, segments_fd, SEGMENTS_DIRECTORY,
				       FILE_PROTECTION_APPEND, err);
		if (r < 0)
			return error_prefix(err, "'%s'", volume->path);
	}
	return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_volumes(struct store *store, const char *const *paths, size_t count,
			struct error *err)
{
	int r;

	/* The order below is that of several volumes; what a lost one needs is not there yet. */
	if (count != 1)
		return error_set(err, ERROR_USAGE,
				 "%zu volumes: this version keeps an archive on one", count);
	for (size_t i = 0; i < count; i++) {
		struct store_volume *volume = &store->volumes[i];

		r = store_volume_open(store, i, paths[i], err);
		if (r < 0)
			return r;
		r = store_volume_take_identity(volume, err);
		if (r == ERROR_NOT_FOUND)
			return error_set(err, ERROR_NOT_FOUND,
					 "there is no archive in '%s': is the volume mounted? Else "
					 "run: binvault init",
					 paths[i]);
		if (r < 0)
			return error_prefix(err, "'%s'", paths[i]);
		volume->ledger_fd = directory_open(volume->root_fd, LEDGER_DIRECTORY, err);
		if (volume->ledger_fd < 0)
			return error_prefix(err, "'%s'", paths[i]);
	}
	return 0;
}

static int check_archive(struct store *store, struct error *err)
{
	const struct store_record *archive = state_archive(store->state);

	if (!archive || !state_policy(store->state))
		return error_set(err, ERROR_NOT_FOUND, NOT_COMPLETED);
	if (memcmp(archive->archive_id, store->archive_id, STORE_ID_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the ledger is that of another archive than "
				 "%s",
				 IDENTITY_FILE);
	for (size_t i = 0; i < store->volume_count; i++) {
		const struct store_volume *volume = &store->volumes[i];
		bool found = false;

		for (size_t j = 0; j < archive->volume_count; j++)
			found = found ||
				(memcmp(archive->volumes[j].id, volume->id, STORE_ID_SIZE) == 0 &&
				 memcmp(&archive->volumes[j].hash, &volume->identity_hash,
					HASH_SIZE) == 0);
		if (!found)
			return error_set(err, ERROR_DEFECT,
					 "'%s/%s' is not the one that leaf 0 knows", volume->path,
					 IDENTITY_FILE);
	}
	store->worm = state_policy(store->state)->worm;
	return 0;
}

static int open_all(struct store *store, const char *const *paths, size_t count, struct error *err)
{
	bool write = store->access == STORE_WRITE;
	int r = open_volumes(store, paths, count, err);

	if (r == 0)
		r = store_ledger_read(store, err);
	if (r == 0)
		r = check_archive(store, err);
	/* Before the first byte is written. */
	if (r == 0 && write && store->worm == WORM_REQUIRED)
		r = check_worm(store, err);
	if (r == 0 && write)
		r = store_ledger_open(store, err);
	if (r == 0)
		r = store_checkpoints_open(store, err);
	if (r == 0 && store->checkpoint_size == 0)
		r = error_set(err, ERROR_NOT_FOUND, NOT_COMPLETED);
	return r;
}

int store_open(const char *const *volumes, size_t volume_count, enum store_access access,
	       struct store **ret_store, struct error *err)
{
	int attempts = access == STORE_READ ? READ_ATTEMPTS : 1;
	struct store *store = NULL;
	int r;

	do {
		store_free(store);
		store = store_new(access);
		r = open_all(store, volumes, volume_count, err);
	} while (r == ERROR_DEFECT && --attempts > 0);
	if (r < 0) {
		store_free(store);
		return error_prefix(err, "opening the archive");
	}
	*ret_store = store;
	return 0;
}

/* --- what it is ------------------------------------------------------------------------------ */

const uint8_t *store_archive_id(const struct store *store)
{
	return store->archive_id;
}

const char *store_origin(const struct store *store)
{
	return store->origin;
}

enum worm_mode store_worm(const struct store *store)
{
	return store->worm;
}

size_t store_volume_count(const struct store *store)
{
	return store->volume_count;
}

const char *store_volume_path(const struct store *store, size_t volume)
{
	ASSERT(volume < store->volume_count);
	return store->volumes[volume].path;
}

int store_volume_fd(const struct store *store, size_t volume)
{
	ASSERT(volume < store->volume_count);
	return store->volumes[volume].root_fd;
}

uint32_t store_block_size(const struct store *store)
{
	return store->block_size;
}

int store_free_space(const struct store *store, uint64_t *ret_size, struct error *err)
{
	uint64_t smallest = UINT64_MAX;

	for (size_t i = 0; i < store->volume_count; i++) {
		uint64_t size;
		int r = file_free_space(store->volumes[i].root_fd, &size, err);

		if (r < 0)
			return r;
		smallest = size < smallest ? size : smallest;
	}
	*ret_size = smallest;
	return 0;
}

const struct state *store_state(const struct store *store)
{
	return store->state;
}
