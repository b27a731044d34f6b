#include "updater/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "crypto/public_key.h"
#include "rollback/release.h"

#define FORMAT		   "binvault-update-1"
#define KEYS_FILE_SIZE_MAX 32768
#define FILE_SIZE_MAX	   (UINT64_C(1) << 32)

const char *const manifest_file_names[MANIFEST_FILE_COUNT] = {"vault.unsigned.efi", "root.hash",
							      "root.img"};

struct release_keys {
	struct public_key *keys[RELEASE_KEYS_MAX];
	size_t count, threshold;
};

static int parse_file(const json_t *files, enum manifest_file file, struct manifest *manifest,
		      struct error *err)
{
	const json_t *object;

	if (json_get_object(files, manifest_file_names[file], &object, err) < 0)
		return err->code;
	if (json_get_u64(object, "size", &manifest->files[file].size, err) < 0 ||
	    json_get_hex(object, "sha256", manifest->files[file].hash.bytes, HASH_SIZE, err) < 0)
		return error_prefix(err, "%s", manifest_file_names[file]);
	if (manifest->files[file].size == 0 || manifest->files[file].size > FILE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "%s of %llu bytes", manifest_file_names[file],
				 (unsigned long long)manifest->files[file].size);
	return 0;
}

static int parse_object(const json_t *object, struct manifest *manifest, struct error *err)
{
	const json_t *files;
	const char *format;
	uint64_t version;

	if (json_get_string(object, "format", &format, err) < 0 ||
	    json_get_u64(object, "version", &version, err) < 0 ||
	    json_get_object(object, "files", &files, err) < 0)
		return err->code;
	if (strcmp(format, FORMAT) != 0)
		return error_set(err, ERROR_DEFECT,
				 "the format is '%.40s', and this vault reads " FORMAT, format);
	if (version == 0 || version > RELEASE_VERSION_MAX)
		return error_set(err, ERROR_DEFECT, "version %llu is not between 1 and %u",
				 (unsigned long long)version, RELEASE_VERSION_MAX);
	if (json_object_size(object) != 3 || json_object_size(files) != MANIFEST_FILE_COUNT)
		return error_set(err, ERROR_DEFECT, "it holds what this vault does not know");
	manifest->version = (uint32_t)version;
	for (int i = 0; i < MANIFEST_FILE_COUNT; i++) {
		if (parse_file(files, (enum manifest_file)i, manifest, err) < 0)
			return err->code;
	}
	return 0;
}

int manifest_parse(const char *text, size_t size, struct manifest *ret_manifest, struct error *err)
{
	struct manifest manifest = {0};
	CLEANUP(json_decrefp)
	json_t *object = NULL;

	if (size > MANIFEST_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "the manifest: %zu bytes, more than %d", size,
				 MANIFEST_SIZE_MAX);
	if (json_parse_canonical(text, size, &object, err) < 0 ||
	    parse_object(object, &manifest, err) < 0)
		return error_prefix(err, "the manifest");
	*ret_manifest = manifest;
	return 0;
}

static int add_key(struct release_keys *keys, const json_t *text, struct error *err)
{
	uint8_t der[PUBLIC_KEY_DER_MAX];
	int size;

	if (!json_is_string(text))
		return error_set(err, ERROR_DEFECT, "it is no text");
	size = base64_decode(json_string_value(text), json_string_length(text), der, sizeof(der),
			     err);
	if (size < 0 || public_key_decode(der, (size_t)size, &keys->keys[keys->count], err) < 0)
		return err->code;
	if (public_key_kind(keys->keys[keys->count++]) != PUBLIC_KEY_EC)
		return error_set(err, ERROR_DEFECT, "a release key is P-256 or P-384");
	return 0;
}

/* A key that stood there twice would count twice. */
static int check_distinct(const struct release_keys *keys, struct error *err)
{
	struct hash a, b;

	for (size_t i = 0; i < keys->count; i++) {
		public_key_fingerprint(keys->keys[i], &a);
		for (size_t j = 0; j < i; j++) {
			public_key_fingerprint(keys->keys[j], &b);
			if (memcmp(&a, &b, sizeof(a)) == 0)
				return error_set(err, ERROR_DEFECT, "keys %zu and %zu are the same",
						 j + 1, i + 1);
		}
	}
	return 0;
}

static int parse_keys(const json_t *object, struct release_keys *keys, struct error *err)
{
	const json_t *list;
	uint64_t threshold;

	if (json_get_array(object, "keys", &list, err) < 0 ||
	    json_get_u64(object, "threshold", &threshold, err) < 0)
		return err->code;
	if (json_array_size(list) > RELEASE_KEYS_MAX || threshold == 0 ||
	    threshold > json_array_size(list))
		return error_set(err, ERROR_DEFECT, "%llu of %zu keys",
				 (unsigned long long)threshold, json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (add_key(keys, json_array_get(list, i), err) < 0)
			return error_prefix(err, "key %zu", i + 1);
	}
	keys->threshold = (size_t)threshold;
	return check_distinct(keys, err);
}

int release_keys_parse(const char *text, size_t size, struct release_keys **ret_keys,
		       struct error *err)
{
	CLEANUP(release_keys_freep)
	struct release_keys *keys = calloc(1, sizeof(*keys));
	CLEANUP(json_decrefp)
	json_t *object = NULL;

	ASSERT(keys);
	if (json_parse(text, size, &object, err) < 0 || parse_keys(object, keys, err) < 0)
		return error_prefix(err, "the release keys");
	*ret_keys = TAKE(keys);
	return 0;
}

int release_keys_read(const char *path, struct release_keys **ret_keys, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[KEYS_FILE_SIZE_MAX];
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (size < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	return release_keys_parse(text, (size_t)size, ret_keys, err);
}

void release_keys_free(struct release_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++)
		public_key_free(keys->keys[i]);
	free(keys);
}

int release_keys_verify(const struct release_keys *keys, const void *manifest, size_t size,
			const struct manifest_signature *signatures, size_t signature_count,
			struct error *err)
{
	size_t signed_count = 0;
	struct error ignored;

	for (size_t i = 0; i < keys->count; i++) {
		for (size_t j = 0; j < signature_count; j++) {
			if (public_key_verify(keys->keys[i], manifest, size, signatures[j].bytes,
					      signatures[j].size, &ignored) == 0) {
				signed_count++;
				break;
			}
		}
	}
	if (signed_count < keys->threshold)
		return error_set(err, ERROR_REFUSED,
				 "the manifest is signed by %zu of the %zu release keys that this "
				 "vault knows, and %zu have to",
				 signed_count, keys->count, keys->threshold);
	return 0;
}
