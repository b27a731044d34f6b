#include "updater/update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "crypto/public_key.h"
#include "updater/portable_executable.h"

#define MANIFEST_NAME	 "manifest.json"
#define SIGNATURES	 "signatures/"
#define SIGNATURE_NAME	 "vault.efi.signature"
#define READ_SIZE	 65536
#define TAR_MAGIC_OFFSET 257

struct update {
	struct archive *archive;
	struct archive_entry *next; /* the member whose header was read and that nobody took yet */
	uint8_t *kernel;
};

bool update_begins(const uint8_t sector[static UPDATE_SECTOR_SIZE])
{
	return memcmp(sector, MANIFEST_NAME, sizeof(MANIFEST_NAME)) == 0 &&
	       memcmp(sector + TAR_MAGIC_OFFSET, "ustar", 5) == 0;
}

static int archive_failed(const struct update *update, struct error *err)
{
	const char *reason = archive_error_string(update->archive);

	return error_set(err, ERROR_DEFECT, "the update is no whole tar archive: %s",
			 reason ? reason : "it ends too early");
}

static struct update *update_new(void)
{
	struct update *update = calloc(1, sizeof(*update));

	ASSERT(update);
	update->archive = archive_read_new();
	ASSERT(update->archive);
	ASSERT(archive_read_support_format_tar(update->archive) == ARCHIVE_OK);
	return update;
}

int update_open(int fd, struct update **ret_update, struct error *err)
{
	CLEANUP(update_freep)
	struct update *update = update_new();

	if (archive_read_open_fd(update->archive, fd, READ_SIZE) != ARCHIVE_OK)
		return archive_failed(update, err);
	*ret_update = TAKE(update);
	return 0;
}

int update_open_memory(const void *bytes, size_t size, struct update **ret_update,
		       struct error *err)
{
	CLEANUP(update_freep)
	struct update *update = update_new();

	if (archive_read_open_memory(update->archive, bytes, size) != ARCHIVE_OK)
		return archive_failed(update, err);
	*ret_update = TAKE(update);
	return 0;
}

void update_free(struct update *update)
{
	if (!update)
		return;
	archive_read_free(update->archive);
	free(update->kernel);
	free(update);
}

/* The name of the next member, which stays the next until take_member(). */
static int peek_member(struct update *update, const char **ret_name, struct error *err)
{
	if (!update->next &&
	    archive_read_next_header(update->archive, &update->next) != ARCHIVE_OK) {
		update->next = NULL;
		return archive_failed(update, err);
	}
	*ret_name = archive_entry_pathname(update->next);
	if (!*ret_name || archive_entry_filetype(update->next) != AE_IFREG ||
	    archive_entry_hardlink(update->next))
		return error_set(err, ERROR_DEFECT, "the update holds something that is no file");
	return 0;
}

/* The next member must be this one, and not longer than @size_max. */
static int take_member(struct update *update, const char *name, uint64_t size_max,
		       uint64_t *ret_size, struct error *err)
{
	const char *found;
	int64_t size;

	if (peek_member(update, &found, err) < 0)
		return err->code;
	size = archive_entry_size(update->next);
	if (strcmp(found, name) != 0)
		return error_set(err, ERROR_DEFECT, "the update holds '%.60s' where %s has to be",
				 found, name);
	if (size <= 0 || (uint64_t)size > size_max)
		return error_set(err, ERROR_DEFECT, "%s of %lld bytes, and at most %llu may be",
				 name, (long long)size, (unsigned long long)size_max);
	update->next = NULL;
	*ret_size = (uint64_t)size;
	return 0;
}

static int read_whole(struct update *update, void *bytes, uint64_t size, struct error *err)
{
	uint8_t *to = bytes;

	while (size > 0) {
		la_ssize_t count = archive_read_data(update->archive, to, (size_t)size);

		if (count <= 0)
			return archive_failed(update, err);
		to += count;
		size -= (uint64_t)count;
	}
	return 0;
}

/* One signature more, if the next member is one. Returns whether it was. */
static int read_signature(struct update *update, uint8_t bytes[SIGNATURE_SIZE_MAX],
			  struct manifest_signature *ret_signature, struct error *err)
{
	const char *name;
	char expected[64];
	uint64_t size;

	if (peek_member(update, &name, err) < 0)
		return err->code;
	if (strncmp(name, SIGNATURES, strlen(SIGNATURES)) != 0)
		return 0;
	snprintf(expected, sizeof(expected), "%s", name);
	if (take_member(update, expected, SIGNATURE_SIZE_MAX, &size, err) < 0 ||
	    read_whole(update, bytes, size, err) < 0)
		return err->code;
	*ret_signature = (struct manifest_signature){.bytes = bytes, .size = (size_t)size};
	return 1;
}

int update_read_manifest(struct update *update, const struct release_keys *keys,
			 struct manifest *ret_manifest, struct error *err)
{
	uint8_t bytes[RELEASE_KEYS_MAX][SIGNATURE_SIZE_MAX];
	struct manifest_signature signatures[RELEASE_KEYS_MAX];
	char text[MANIFEST_SIZE_MAX];
	uint64_t size;
	size_t count = 0;
	int found = 1;

	if (take_member(update, MANIFEST_NAME, sizeof(text), &size, err) < 0 ||
	    read_whole(update, text, size, err) < 0)
		return err->code;
	while (count < RELEASE_KEYS_MAX &&
	       (found = read_signature(update, bytes[count], &signatures[count], err)) > 0)
		count++;
	if (found < 0 || release_keys_verify(keys, text, (size_t)size, signatures, count, err) < 0)
		return err->code;
	return manifest_parse(text, (size_t)size, ret_manifest, err);
}

static int check_hash(const struct manifest *manifest, enum manifest_file file,
		      const struct hash *hash, struct error *err)
{
	if (memcmp(hash, &manifest->files[file].hash, sizeof(*hash)) != 0)
		return error_set(err, ERROR_DEFECT, "%s is not the one that the manifest names",
				 manifest_file_names[file]);
	return 0;
}

int update_read_kernel(struct update *update, const struct manifest *manifest,
		       const struct secure_boot *secure_boot, const uint8_t **ret_image,
		       size_t *ret_size, struct error *err)
{
	const char *name = manifest_file_names[MANIFEST_KERNEL];
	uint64_t size, signature_size;
	uint8_t *signature;
	struct hash hash;

	if (take_member(update, name, UPDATE_KERNEL_SIZE_MAX, &size, err) < 0)
		return err->code;
	if (size != manifest->files[MANIFEST_KERNEL].size)
		return error_set(err, ERROR_DEFECT, "%s is not as long as the manifest says", name);
	free(update->kernel);
	/* image, what joining adds, and the signature as it is read */
	update->kernel = malloc(size + PE_SIGNED_OVERHEAD + 2 * PE_SIGNATURE_SIZE_MAX);
	if (!update->kernel)
		return error_set(err, ERROR_FAILED, "no memory for a kernel image of %llu bytes",
				 (unsigned long long)size);
	signature = update->kernel + size + PE_SIGNED_OVERHEAD + PE_SIGNATURE_SIZE_MAX;
	if (read_whole(update, update->kernel, size, err) < 0)
		return err->code;
	hash_bytes(update->kernel, size, &hash);
	if (check_hash(manifest, MANIFEST_KERNEL, &hash, err) < 0 ||
	    take_member(update, SIGNATURE_NAME, PE_SIGNATURE_SIZE_MAX, &signature_size, err) < 0 ||
	    read_whole(update, signature, signature_size, err) < 0 ||
	    secure_boot_verify(secure_boot, update->kernel, size, signature, signature_size, err) <
		    0 ||
	    portable_executable_attach(update->kernel, size, signature, signature_size, ret_size,
				       err) < 0)
		return err->code;
	*ret_image = update->kernel;
	return 0;
}

int update_copy(struct update *update, const struct manifest *manifest, enum manifest_file file,
		const struct update_sink *sink, struct error *err)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	CLEANUP(freep)
	uint8_t *piece = malloc(READ_SIZE);
	struct hash hash;
	uint64_t left;

	ASSERT(piece);
	if (take_member(update, manifest_file_names[file], manifest->files[file].size, &left, err) <
	    0)
		return err->code;
	hasher_start(hasher);
	while (left > 0) {
		size_t size = left < READ_SIZE ? (size_t)left : READ_SIZE;

		if (read_whole(update, piece, size, err) < 0 ||
		    sink->write(sink->context, piece, size, err) < 0)
			return err->code;
		hasher_update(hasher, piece, size);
		left -= size;
	}
	hasher_finish(hasher, &hash);
	return check_hash(manifest, file, &hash, err);
}
