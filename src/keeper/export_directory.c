#include "keeper/export_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "io/file.h"
#include "keeper/export_manifest.h"
#include "keeper/export_tar.h"
#include "protocol/manifest.h"

#define PARTIAL_SIZE (SOURCE_NAME_MAX + 1 + EXPORT_FILE_NAME_SIZE + sizeof(".partial"))

#define REMOVE_ATTEMPTS 10

/* While it is written, and when it is done: the group may read, nobody adds to it. */
#define MODE_WRITING 02770
#define MODE_ALONE   0750
#define MODE_DONE    02750

static bool is_tar(const struct request_record *request)
{
	return request->form == REQUEST_TAR;
}

void export_directory_name(const struct request_record *request,
			   char name[static EXPORT_FILE_NAME_SIZE])
{
	snprintf(name, EXPORT_FILE_NAME_SIZE, "%.*s%s", EXPORT_NAME_MAX, request->to,
		 is_tar(request) ? ".tar" : "");
}

static void partial_name(const struct request_record *request, char partial[static PARTIAL_SIZE])
{
	char name[EXPORT_FILE_NAME_SIZE];

	export_directory_name(request, name);
	/* No name holds a colon. */
	snprintf(partial, PARTIAL_SIZE, "%s%s%s.partial", request->client,
		 request->client[0] ? ":" : "", name);
}

void export_directory_path(const struct config *config, const struct request_record *request,
			   char path[static EXPORT_PATH_SIZE])
{
	snprintf(path, EXPORT_PATH_SIZE, "%s%s%s", config->export_path,
		 request->client[0] ? "/" : "", request->client);
}

static int open_share(const struct config *config, struct error *err)
{
	int fd;

	if (!config->export_path)
		return error_set(err, ERROR_USAGE,
				 "nothing can be restored: %s has no [export] path", config->path);
	fd = directory_open(AT_FDCWD, config->export_path, err);
	return fd < 0 ? error_prefix(err, "[export] path") : fd;
}

/* Where NAME stands or will stand: the share itself, or its client's directory. */
static int open_place(const struct config *config, const struct request_record *request,
		      struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	int fd;

	if (share < 0 || !request->client[0])
		return TAKE_FD(share);
	fd = openat(share, request->client, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_set_errno(err, ERROR_FAILED, errno,
					"'%s/%s', the directory of the client", config->export_path,
					request->client)
		      : fd;
}

int export_directory_make_client(const struct config *config, const char *client, gid_t gid,
				 struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	CLEANUP(close_fdp)
	int fd = -1;

	if (share < 0)
		return share;
	if (mkdirat(share, client, MODE_ALONE) < 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FAILED, errno, "making '%s/%s'",
				       config->export_path, client);
	fd = openat(share, client, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) < 0) ||
	    fchmod(fd, MODE_DONE) < 0)
		return error_set_errno(
			err, ERROR_FAILED, errno,
			"'%s/%s', the directory of a client: it must be the keeper's",
			config->export_path, client);
	return file_sync(share, err);
}

static bool exists(int fd, const char *name)
{
	struct stat status;

	return fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

int export_directory_check(const struct config *config, const struct request_record *request,
			   struct error *err)
{
	CLEANUP(close_fdp)
	int share = -1;
	CLEANUP(close_fdp)
	int place = -1;
	char path[EXPORT_PATH_SIZE], name[EXPORT_FILE_NAME_SIZE], partial[PARTIAL_SIZE];
	size_t length = strlen(request->to), ending = strlen(".partial");

	if (name_check_export(request->to, err) < 0)
		return err->code;
	if (length >= ending && strcmp(request->to + length - ending, ".partial") == 0)
		return error_set(err, ERROR_USAGE,
				 "'%s': a name that ends in .partial means an unfinished restore",
				 request->to);
	export_directory_name(request, name);
	partial_name(request, partial);
	share = open_share(config, err);
	if (share < 0)
		return share;
	place = open_place(config, request, err);
	if (place < 0)
		return place;
	export_directory_path(config, request, path);
	if (exists(place, name))
		return error_set(err, ERROR_EXISTS,
				 "'%s/%s' is there already: choose another name, or move it away",
				 path, name);
	if (exists(share, partial))
		return error_set(err, ERROR_EXISTS,
				 "'%s/%s' is there already, and no running restore writes to it: "
				 "choose another name, or remove it",
				 config->export_path, partial);
	return 0;
}

int export_directory_make(const struct config *config, const struct request_record *request,
			  gid_t gid, struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	CLEANUP(close_fdp)
	int fd = -1;
	char partial[PARTIAL_SIZE];
	bool shared = gid != (gid_t)-1;

	if (share < 0)
		return share;
	partial_name(request, partial);
	if (mkdirat(share, partial, MODE_ALONE) < 0)
		return error_set_errno(err, errno == EEXIST ? ERROR_EXISTS : ERROR_FAILED, errno,
				       "making '%s/%s' (the directory [export] path must be "
				       "writable for the keeper's user)",
				       config->export_path, partial);
	fd = directory_open(share, partial, err);
	if (fd >= 0 && shared && fchown(fd, (uid_t)-1, gid) < 0)
		error_set_errno(err, ERROR_FAILED, errno,
				"giving '%s/%s' to the group of binvault-export (the keeper's user "
				"must be a member: tools/create_users)",
				config->export_path, partial);
	else if (fd >= 0 && fchmod(fd, shared ? MODE_WRITING : MODE_ALONE) < 0)
		error_set_errno(err, ERROR_FAILED, errno, "mode of '%s/%s'", config->export_path,
				partial);
	else if (fd >= 0)
		return TAKE_FD(fd);
	unlinkat(share, partial, AT_REMOVEDIR);
	return err->code;
}

/* Its files; there are no directories in it. */
static int empty(int fd, struct error *err)
{
	const struct dirent *entry;
	DIR *directory;
	int copy = dup(fd);

	directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory)
		return error_set_errno(err, ERROR_FAILED, errno, "reading it");
	rewinddir(directory);
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0) {
			error_set_errno(err, ERROR_FAILED, errno, "'%.128s'", entry->d_name);
			closedir(directory);
			return err->code;
		}
	}
	closedir(directory);
	return 0;
}

int export_directory_remove(const struct config *config, const struct request_record *request,
			    struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	CLEANUP(close_fdp)
	int fd = -1;
	char partial[PARTIAL_SIZE];
	int r;

	if (share < 0)
		return share;
	partial_name(request, partial);
	fd = openat(share, partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	r = fd < 0 ? error_set_errno(err, ERROR_FAILED, errno, "opening it") : 0;
	/* An exporter that has not seen yet that we ended may make one more file. */
	for (int i = 0; r == 0 && i < REMOVE_ATTEMPTS; i++) {
		r = empty(fd, err);
		if (r < 0 || unlinkat(share, partial, AT_REMOVEDIR) == 0)
			break;
		if (errno != ENOTEMPTY || i + 1 == REMOVE_ATTEMPTS)
			r = error_set_errno(err, ERROR_FAILED, errno, "the directory");
	}
	if (r == 0)
		r = file_sync(share, err);
	return r < 0 ? error_prefix(err, "removing '%s/%s'", config->export_path, partial) : 0;
}

/* --- the end --------------------------------------------------------------------------------- */

static int write_small(int directory_fd, const char *name, const char *text, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0640);
	size_t size = strlen(text);

	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		return error_set_errno(err, ERROR_IO, errno, "writing '%s'", name);
	return file_sync(fd, err);
}

/* RFC 7468: lines of 64. */
int export_directory_write_key(int directory_fd, const struct signing_key_record *key,
			       struct error *err)
{
	char base64[BASE64_SIZE(PUBLIC_KEY_DER_MAX)];
	char text[2 * sizeof(base64) + 64];
	size_t used = (size_t)snprintf(text, sizeof(text), "-----BEGIN PUBLIC KEY-----\n");

	base64_encode(key->der, key->der_size, base64);
	for (const char *line = base64; *line; line += strnlen(line, 64))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%.64s\n", line);
	snprintf(text + used, sizeof(text) - used, "-----END PUBLIC KEY-----\n");
	return write_small(directory_fd, MANIFEST_KEY_FILE, text, err);
}

/* The directory as it stands gets the name, or the tar that is in it; not over anything that
 * somebody made meanwhile. */
static int give_name(const struct config *config, const struct request_record *request, int share,
		     int place, int directory_fd, struct error *err)
{
	char name[EXPORT_FILE_NAME_SIZE], partial[PARTIAL_SIZE];
	struct stat status;
	int r;

	export_directory_name(request, name);
	partial_name(request, partial);
	if (!is_tar(request))
		r = renameat2(share, partial, place, name, RENAME_NOREPLACE);
	else if (fstatat(directory_fd, MANIFEST_TAR_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		 !S_ISREG(status.st_mode))
		return error_set(err, ERROR_DEFECT, "'%s/" MANIFEST_TAR_FILE "' is no file",
				 partial);
	else
		r = renameat2(directory_fd, MANIFEST_TAR_FILE, place, name, RENAME_NOREPLACE);
	if (r < 0)
		return error_set_errno(err, errno == EEXIST ? ERROR_EXISTS : ERROR_IO, errno,
				       "giving '%s/%s' its final name", config->export_path,
				       partial);
	return 0;
}

int export_directory_publish(const struct config *config, const struct request_record *request,
			     int directory_fd, const struct signing_key_record *key,
			     struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	CLEANUP(close_fdp)
	int place = share < 0 ? -1 : open_place(config, request, err);
	int r = place < 0 ? err->code : 0;

	if (r == 0 && !is_tar(request))
		r = export_directory_write_key(directory_fd, key, err);
	if (r < 0)
		return r;
	if (fchmod(directory_fd, is_tar(request) ? MODE_ALONE : MODE_DONE) < 0)
		return error_set_errno(err, ERROR_IO, errno, "mode of the directory");
	r = file_sync(directory_fd, err);
	if (r == 0)
		r = give_name(config, request, share, place, directory_fd, err);
	if (r == 0)
		r = file_sync(place, err);
	return r < 0 ? r : file_sync(share, err);
}

int export_directory_withdraw(const struct config *config, const struct request_record *request,
			      struct error *err)
{
	CLEANUP(close_fdp)
	int share = open_share(config, err);
	CLEANUP(close_fdp)
	int place = share < 0 ? -1 : open_place(config, request, err);
	char name[EXPORT_FILE_NAME_SIZE], partial[PARTIAL_SIZE];
	int r = place < 0 ? err->code : 0;

	export_directory_name(request, name);
	partial_name(request, partial);
	/* What an interrupted withdrawal left would be in the way. */
	if (r == 0)
		r = export_directory_remove(config, request, err);
	if (r < 0)
		return r;
	if (is_tar(request))
		r = unlinkat(place, name, 0);
	else
		r = renameat2(place, name, share, partial, RENAME_NOREPLACE);
	if (r < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FAILED, errno, "taking away '%s/%s/%s'",
				       config->export_path, request->client, name);
	r = file_sync(place, err);
	return r < 0 ? r : export_directory_remove(config, request, err);
}

/* --- after a crash --------------------------------------------------------------------------- */

static int read_small(int directory_fd, const char *name, size_t size_max, uint8_t **ret_bytes,
		      size_t *ret_size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(directory_fd, name, err);
	CLEANUP(freep)
	uint8_t *bytes = NULL;
	uint64_t size;
	int r = fd < 0 ? fd : file_size(fd, &size, err);

	if (r < 0)
		return r;
	if (size > size_max)
		return error_set(err, ERROR_DEFECT, "'%s' is too large", name);
	bytes = calloc(1, size + 1);
	ASSERT(bytes);
	r = file_read_exact(fd, bytes, size, 0, err);
	if (r < 0)
		return r;
	*ret_bytes = TAKE(bytes);
	*ret_size = size;
	return 0;
}

static int read_signed(int directory_fd, uint8_t **ret_body, size_t *ret_size,
		       uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
		       struct error *err)
{
	CLEANUP(freep)
	uint8_t *bytes = NULL;
	int r = read_small(directory_fd, MANIFEST_SIGNATURE_FILE, SIGNATURE_SIZE_MAX, &bytes,
			   ret_signature_size, err);

	if (r < 0)
		return r;
	memcpy(signature, bytes, *ret_signature_size);
	return read_small(directory_fd, MANIFEST_BODY_FILE, MANIFEST_BODY_SIZE_MAX, ret_body,
			  ret_size, err);
}

/* @fd: of the directory, or of the tar. */
static int read_manifest(int fd, const struct request_record *request,
			 const struct signing_key_record *key, struct exported_record *record,
			 struct error *err)
{
	CLEANUP(freep)
	uint8_t *body = NULL;
	uint8_t signature[SIGNATURE_SIZE_MAX];
	size_t size, signature_size;
	int r = is_tar(request) ? export_tar_manifest(fd, request->to, &body, &size, signature,
						      &signature_size, err)
				: read_signed(fd, &body, &size, signature, &signature_size, err);

	if (r == 0)
		r = export_manifest_read(body, size, request, record, err);
	if (r == 0)
		r = export_manifest_verify(body, size, key, signature, signature_size,
					   &record->key_fingerprint, err);
	if (r < 0)
		return r;
	record->signature_size = signature_size;
	memcpy(record->signature, signature, signature_size);
	return 0;
}

int export_directory_find(const struct config *config, const struct request_record *request,
			  const struct signing_key_record *key, struct exported_record *ret_record,
			  struct error *err)
{
	CLEANUP(close_fdp)
	int place = open_place(config, request, err);
	CLEANUP(close_fdp)
	int fd = -1;
	char name[EXPORT_FILE_NAME_SIZE];
	struct error ignored;

	if (place < 0)
		return place;
	export_directory_name(request, name);
	/* Somebody else's may be a pipe, whose opening waits for a writer. */
	fd = openat(place, name,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
			    (is_tar(request) ? O_NONBLOCK : O_DIRECTORY));
	if (fd < 0)
		return 0;
	return read_manifest(fd, request, key, ret_record, &ignored) == 0;
}
