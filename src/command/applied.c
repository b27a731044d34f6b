#include "command/applied.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "config/place.h"
#include "io/file.h"

#define CURRENT	     "current"
#define NEW_CURRENT  ".current" /* becomes it by rename */
#define NEW	     ".new"	/* becomes the version by rename */
#define VERSION_SIZE 24

struct applied {
	char *path;
	int fd;
	struct stat status;				/* of the directory */
	const struct credential_encryption *encryption; /* NULL: secrets are written as they are */
	bool has_mark;
	struct bundle_mark mark;
};

/* --- what is in force ------------------------------------------------------------------------- */

static int damaged(const struct applied *applied, struct error *err)
{
	err->code = ERROR_DEFECT;
	return error_prefix(err,
			    "the configuration in force is damaged (to begin anew with a bundle of "
			    "any version, remove '%s/" CURRENT "'; the keeper still refuses an "
			    "older one): '%s/" CURRENT "'",
			    applied->path, applied->path);
}

static int read_mark(struct applied *applied, struct error *err)
{
	char version[VERSION_SIZE] = "", text[BUNDLE_MARK_SIZE_MAX], expected[VERSION_SIZE];
	CLEANUP(close_fdp)
	int fd = -1;
	ssize_t size = readlinkat(applied->fd, CURRENT, version, sizeof(version) - 1);
	int r;

	if (size < 0 && errno == ENOENT)
		return 0;
	if (size < 0)
		return error_set_errno(err, ERROR_DEFECT, errno, "'%s/" CURRENT "'", applied->path);
	fd = file_open_read(applied->fd, CURRENT "/" BUNDLE_MARK, err);
	if (fd < 0)
		return damaged(applied, err);
	size = file_read(fd, text, sizeof(text), 0, err);
	if (size < 0)
		return damaged(applied, err);
	r = bundle_mark_decode(text, (size_t)size, &applied->mark, err);
	if (r < 0)
		return damaged(applied, err);
	snprintf(expected, sizeof(expected), "%" PRIu64, applied->mark.version);
	if (strcmp(expected, version) != 0) {
		error_set(err, ERROR_DEFECT, "it leads to '%s', which is version %s", version,
			  expected);
		return damaged(applied, err);
	}
	applied->has_mark = true;
	return 0;
}

int applied_open(const char *path, const struct credential_encryption *encryption,
		 struct applied **ret_applied, struct error *err)
{
	CLEANUP(applied_freep)
	struct applied *applied = calloc(1, sizeof(*applied));
	int r;

	ASSERT(applied);
	applied->path = strdup(path);
	ASSERT(applied->path);
	applied->encryption = encryption;
	applied->fd = directory_make(AT_FDCWD, path, 0755, err);
	if (applied->fd < 0)
		return applied->fd;
	if (fstat(applied->fd, &applied->status) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "'%s'", path);
	if (applied->status.st_uid != geteuid() || (applied->status.st_mode & 0022) != 0)
		return error_set(err, ERROR_USAGE,
				 "'%s' must belong to the user who applies, and nobody else may "
				 "write to it",
				 path);
	if (flock(applied->fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERROR_BUSY, "another `config apply` works in '%s'", path);
	r = read_mark(applied, err);
	if (r < 0)
		return r;
	*ret_applied = TAKE(applied);
	return 0;
}

void applied_free(struct applied *applied)
{
	if (!applied)
		return;
	close_fdp(&applied->fd);
	free(applied->path);
	free(applied);
}

int applied_fd(const struct applied *applied)
{
	return applied->fd;
}

const struct bundle_mark *applied_mark(const struct applied *applied)
{
	return applied->has_mark ? &applied->mark : NULL;
}

/* --- whose file is it? ------------------------------------------------------------------------ */

enum role { ROLE_NONE, ROLE_PUBLIC, ROLE_PULL, ROLE_FORWARD, ROLE_HSM, ROLE_CREDENTIAL };

/* The NAME of a @path like DIR/current/NAME in this directory; NULL if it lies elsewhere. */
static const char *name_in_force(const struct applied *applied, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0, end = sizeof("/" CURRENT) - 1;
	char directory[4096];
	struct stat status;

	if (length < end || length - end >= sizeof(directory) ||
	    memcmp(slash - end, "/" CURRENT, end) != 0)
		return NULL;
	snprintf(directory, sizeof(directory), "%.*s/", (int)(length - end), path);
	if (stat(directory, &status) < 0 || status.st_dev != applied->status.st_dev ||
	    status.st_ino != applied->status.st_ino)
		return NULL;
	return slash + 1;
}

/* Called for each path that the configuration names; a negative return ends it. */
typedef int name_visit(void *context, const char *name, enum role role, struct error *err);

/* Of a place as the configuration names it, which may be NULL. Without encryption a credential is
 * none of ours: a unit has it from elsewhere. */
static int visit(const struct applied *applied, const char *place, enum role role,
		 name_visit *visitor, void *context, struct error *err)
{
	static const char file[] = "file:";
	const char *name = place_credential(place);

	if (name)
		return applied->encryption ? visitor(context, name, ROLE_CREDENTIAL, err) : 0;
	if (place && strncmp(place, file, sizeof(file) - 1) == 0)
		place += sizeof(file) - 1;
	name = place ? name_in_force(applied, place) : NULL;
	return name ? visitor(context, name, role, err) : 0;
}

struct named {
	const char *place;
	enum role role;
};

static int visit_all(const struct applied *applied, const struct named *named, size_t count,
		     name_visit *visitor, void *context, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = visit(applied, named[i].place, named[i].role, visitor, context, err);
	return r;
}

static int visit_names(const struct applied *applied, const struct config *config,
		       name_visit *visitor, void *context, struct error *err)
{
	const struct named named[] = {
		{config->hsm_pin_source, ROLE_HSM},
		{config->siem.tls_key, ROLE_FORWARD},
		{config->siem.tls_ca, ROLE_PUBLIC},
		{config->siem.tls_certificate, ROLE_PUBLIC},
	};
	int r = visit_all(applied, named, ARRAY_LENGTH(named), visitor, context, err);

	for (size_t i = 0; i < config->source_count && r == 0; i++) {
		const struct config_source *source = &config->sources[i];
		const struct named of_source[] = {
			{source->credential, ROLE_PULL},
			{source->tls_key, ROLE_PULL},
			{source->tls_ca, ROLE_PUBLIC},
			{source->tls_certificate, ROLE_PUBLIC},
		};

		r = visit_all(applied, of_source, ARRAY_LENGTH(of_source), visitor, context, err);
	}
	return r;
}

struct role_search {
	const char *name;
	enum role role;
};

/* A file that is named twice is as secret as the more secret of both. */
static int find_role(void *context, const char *name, enum role role, struct error *err)
{
	struct role_search *search = context;

	(void)err;
	if (strcmp(name, search->name) == 0)
		search->role = MAX(search->role, role);
	return 0;
}

static enum role role_of(const struct applied *applied, const struct config *config,
			 const char *name)
{
	struct role_search search = {name, ROLE_NONE};
	struct error ignored;

	if (strcmp(name, BUNDLE_CONFIG) == 0)
		return ROLE_PUBLIC;
	if (encrypted_credential_listed(applied->encryption, name))
		return ROLE_CREDENTIAL;
	(void)!visit_names(applied, config, find_role, &search, &ignored);
	return search.role;
}

struct named_check {
	const struct applied *applied;
	const struct bundle *bundle;
	const struct config *config;
};

static int check_name(void *context, const char *name, enum role role, struct error *err)
{
	const struct named_check *check = context;
	enum role found = role_of(check->applied, check->config, name);

	if (!bundle_find(check->bundle, name))
		return error_set(err, ERROR_USAGE,
				 BUNDLE_CONFIG " names %s%s', and there is no file '%s' in it",
				 role == ROLE_CREDENTIAL ? "the credential '" : "'" CURRENT "/",
				 name, name);
	if (role != ROLE_CREDENTIAL &&
	    (found == ROLE_CREDENTIAL || (check->applied->encryption && role > ROLE_PUBLIC)))
		return error_set(err, ERROR_USAGE,
				 "'%s' is named by a path, and secrets are to lie encrypted here: "
				 "name it credential:%s (the PIN) or systemd:%s",
				 name, name, name);
	if (role > ROLE_PUBLIC && role != found)
		return error_set(
			err, ERROR_USAGE,
			"'%s' is named for two daemons, and a file has one owner: bring it "
			"under two names",
			name);
	return 0;
}

int applied_check_named(const struct applied *applied, const struct bundle *bundle,
			const struct config *config, struct error *err)
{
	struct named_check check = {applied, bundle, config};

	return visit_names(applied, config, check_name, &check, err);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* A flat directory of ours, or a link; that it is not there is fine. */
static int remove_entry(int dir_fd, const char *name, struct error *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!entries) {
		close_fdp(&fd);
		return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT
			       ? 0
			       : error_set_errno(err, ERROR_IO, errno, "removing '%s'", name);
	}
	while ((entry = readdir(entries)))
		(void)!unlinkat(dirfd(entries), entry->d_name, 0); /* rmdir() tells */
	closedir(entries);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
		return error_set_errno(err, ERROR_IO, errno, "removing the directory '%s'", name);
	return 0;
}

static bool is_version(const char *name)
{
	return name[0] && strspn(name, "0123456789") == strlen(name);
}

/* What an interrupted try left, and every version that is not in force. */
static int remove_rest(const struct applied *applied, struct error *err)
{
	char kept[VERSION_SIZE] = "";
	int fd = openat(applied->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!entries) {
		close_fdp(&fd);
		return error_set_errno(err, ERROR_IO, errno, "reading '%s'", applied->path);
	}
	if (applied->has_mark)
		snprintf(kept, sizeof(kept), "%" PRIu64, applied->mark.version);
	while (r == 0 && (entry = readdir(entries))) {
		if (strcmp(entry->d_name, NEW) == 0 || strcmp(entry->d_name, NEW_CURRENT) == 0 ||
		    (is_version(entry->d_name) && strcmp(entry->d_name, kept) != 0))
			r = remove_entry(applied->fd, entry->d_name, err);
	}
	closedir(entries);
	return r;
}

static int write_bytes(int fd, const char *name, const void *bytes, size_t size, struct error *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)bytes + done, size - done);

		if (n < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_IO, errno, "writing '%s'", name);
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

struct content {
	const char *name;
	const void *bytes;
	size_t size;
	mode_t mode;
	uid_t owner;
	const struct credential_encryption *encryption; /* NULL: as it is */
};

static int write_file(int dir_fd, const struct content *content, struct error *err)
{
	const char *name = content->name;
	CLEANUP(close_fdp)
	int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_set_errno(err, ERROR_IO, errno, "making '%s'", name);
	r = content->encryption ? encrypted_credential_write(content->encryption, name,
							     content->bytes, content->size, fd, err)
				: write_bytes(fd, name, content->bytes, content->size, err);
	if (r < 0)
		return r;
	/* Owner before mode; the file is ours alone until then. */
	if (fchown(fd, content->owner, (gid_t)-1) < 0 || fchmod(fd, content->mode) < 0)
		return error_set_errno(err, ERROR_IO, errno, "making '%s'", name);
	return file_sync(fd, err);
}

static uid_t owner_of(enum role role, const struct applied_owners *owners)
{
	return role == ROLE_HSM	      ? owners->hsm_uid
	       : role == ROLE_PULL    ? owners->pull_uid
	       : role == ROLE_FORWARD ? owners->forward_uid
				      : (uid_t)-1;
}

static struct content content_of(const struct applied *applied, const struct bundle_file *file,
				 const struct config *config, const struct applied_owners *owners)
{
	enum role role = role_of(applied, config, file->name);

	return (struct content){
		.name = file->name,
		.bytes = file->bytes,
		.size = file->size,
		.mode = role == ROLE_PUBLIC ? 0444 : 0400,
		.owner = owner_of(role, owners),
		.encryption = role == ROLE_CREDENTIAL ? applied->encryption : NULL,
	};
}

static int write_version(const struct applied *applied, const struct bundle *bundle,
			 const struct config *config, const struct bundle_mark *mark,
			 const struct applied_owners *owners, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char text[BUNDLE_MARK_SIZE_MAX];
	const struct content written = {
		.name = BUNDLE_MARK,
		.bytes = text,
		.size = bundle_mark_encode(mark, text),
		.mode = 0444,
		.owner = (uid_t)-1,
	};
	int r = 0;

	if (mkdirat(applied->fd, NEW, 0700) < 0)
		return error_set_errno(err, ERROR_IO, errno, "making '%s/" NEW "'", applied->path);
	fd = directory_open(applied->fd, NEW, err);
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < bundle->file_count && r == 0; i++) {
		const struct content content =
			content_of(applied, &bundle->files[i], config, owners);

		r = write_file(fd, &content, err);
	}
	if (r == 0)
		r = write_file(fd, &written, err);
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = error_set_errno(err, ERROR_IO, errno, "making '%s/" NEW "'", applied->path);
	return r < 0 ? r : file_sync(fd, err);
}

static int rename_durably(const struct applied *applied, const char *from, const char *to,
			  struct error *err)
{
	if (renameat(applied->fd, from, applied->fd, to) < 0)
		return error_set_errno(err, ERROR_IO, errno, "renaming '%s/%s' to '%s'",
				       applied->path, from, to);
	return file_sync(applied->fd, err);
}

int applied_replace(struct applied *applied, const struct bundle *bundle,
		    const struct config *config, const struct bundle_mark *mark,
		    const struct applied_owners *owners, struct error *err)
{
	char version[VERSION_SIZE];
	struct error ignored;
	int r;

	ASSERT(!applied->has_mark || mark->version > applied->mark.version);
	snprintf(version, sizeof(version), "%" PRIu64, mark->version);
	r = remove_rest(applied, err);
	if (r == 0)
		r = write_version(applied, bundle, config, mark, owners, err);
	if (r == 0)
		r = rename_durably(applied, NEW, version, err);
	if (r == 0 && symlinkat(version, applied->fd, NEW_CURRENT) < 0)
		r = error_set_errno(err, ERROR_IO, errno, "making '%s/" NEW_CURRENT "'",
				    applied->path);
	if (r == 0)
		r = rename_durably(applied, NEW_CURRENT, CURRENT, err);
	if (r < 0)
		return r;
	applied->has_mark = true;
	applied->mark = *mark;
	/* It is in force: what cannot be removed now, the next one removes. */
	(void)!remove_rest(applied, &ignored);
	return 0;
}
