#include "config/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/checked.h"
#include "base/json.h"
#include "base/secret.h"

#define SCHEMA 1

void bundle_release(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->file_count; i++) {
		if (bundle->files[i].bytes)
			secret_wipe(bundle->files[i].bytes, bundle->files[i].size);
		free(bundle->files[i].bytes);
	}
	memset(bundle, 0, sizeof(*bundle));
}

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name)
{
	for (size_t i = 0; i < bundle->file_count; i++) {
		if (strcmp(bundle->files[i].name, name) == 0)
			return &bundle->files[i];
	}
	return NULL;
}

int bundle_add(struct bundle *bundle, const char *name, const void *bytes, size_t size,
	       struct error *err)
{
	struct bundle_file *file = &bundle->files[bundle->file_count];

	if (name_check_bundled(name, err) < 0)
		return error_prefix(err, "file '%.80s'", name);
	if (strcmp(name, BUNDLE_MARK) == 0)
		return error_set(err, ERROR_USAGE,
				 "file '%s': this name is for what `config apply` writes", name);
	if (bundle_find(bundle, name))
		return error_set(err, ERROR_USAGE, "file '%s' comes twice", name);
	if (size > BUNDLE_FILE_SIZE_MAX)
		return error_set(err, ERROR_USAGE, "file '%s' has more than %u bytes", name,
				 BUNDLE_FILE_SIZE_MAX);
	if (bundle->file_count == BUNDLE_FILES_MAX)
		return error_set(err, ERROR_USAGE, "more than %d files in a bundle",
				 BUNDLE_FILES_MAX);
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->bytes = malloc(size + 1);
	ASSERT(file->bytes);
	memcpy(file->bytes, bytes, size);
	file->size = size;
	bundle->file_count++;
	return 0;
}

int bundle_config(const struct bundle *bundle, struct config **ret_config, struct error *err)
{
	CLEANUP(config_freep)
	struct config *config = NULL;
	const struct bundle_file *file = bundle_find(bundle, BUNDLE_CONFIG);

	if (!file)
		return error_set(err, ERROR_USAGE, "there is no file '" BUNDLE_CONFIG "' in it");
	if (config_parse(BUNDLE_CONFIG, (const char *)file->bytes, file->size, &config, err) < 0)
		return err->code;
	if (strcmp(config->name, bundle->vault) != 0)
		return error_set(err, ERROR_USAGE,
				 "it is for vault '%s', and " BUNDLE_CONFIG " in it for '%s'",
				 bundle->vault, config->name);
	*ret_config = TAKE(config);
	return 0;
}

/* --- text ------------------------------------------------------------------------------------- */

static json_t *encode_files(const struct bundle *bundle)
{
	json_t *files = json_object();

	for (size_t i = 0; i < bundle->file_count; i++) {
		const struct bundle_file *file = &bundle->files[i];
		char *text = malloc(BASE64_SIZE(file->size));

		ASSERT(text);
		base64_encode(file->bytes, file->size, text);
		json_put_string(files, file->name, text);
		secret_wipe(text, BASE64_SIZE(file->size));
		free(text);
	}
	return files;
}

int bundle_encode(const struct bundle *bundle, char **ret_text, size_t *ret_size, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	char *text = malloc(BUNDLE_TEXT_SIZE_MAX + 1);
	int length;

	ASSERT(object && text);
	json_put(object, "schema", json_integer(SCHEMA));
	json_put_string(object, "vault", bundle->vault);
	json_put_u64(object, "version", bundle->version);
	json_put_u64(object, "created_usec", bundle->created_usec);
	json_put(object, "files", encode_files(bundle));
	length = json_text_canonical(object, text, BUNDLE_TEXT_SIZE_MAX + 1, err);
	if (length < 0) {
		secret_wipe(text, BUNDLE_TEXT_SIZE_MAX + 1);
		free(text);
		return error_prefix(err, "the files together");
	}
	*ret_text = text;
	*ret_size = (size_t)length;
	return 0;
}

/* Another schema may have other fields, and is named as what it is. */
static int check_fields(const json_t *object, const char *const *known, struct error *err)
{
	const json_t *schema = json_object_get(object, "schema");
	const char *key;
	json_t *value;

	if (!json_is_integer(schema))
		return error_set(err, ERROR_DEFECT, "field 'schema' is missing or not a number");
	if (json_integer_value(schema) != SCHEMA)
		return error_set(err, ERROR_DEFECT,
				 "schema %" JSON_INTEGER_FORMAT
				 ", this program knows %d: use a newer one",
				 json_integer_value(schema), SCHEMA);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const char *const *field = known;

		while (*field && strcmp(*field, key) != 0)
			field++;
		if (!*field)
			return error_set(err, ERROR_DEFECT, "unknown field '%.40s'", key);
	}
	return 0;
}

/* What both texts begin with. */
static int get_identity(const json_t *object, char vault[static SOURCE_NAME_MAX + 1],
			uint64_t *ret_version, struct error *err)
{
	const char *name;
	int r = json_get_string(object, "vault", &name, err);

	if (r == 0 && name_check_source(name, err) < 0) {
		err->code = ERROR_DEFECT;
		r = error_prefix(err, "field 'vault'");
	}
	if (r == 0)
		r = json_get_u64(object, "version", ret_version, err);
	if (r == 0 && *ret_version == 0)
		r = error_set(err, ERROR_DEFECT, "version 0: the first is 1");
	if (r == 0)
		snprintf(vault, SOURCE_NAME_MAX + 1, "%s", name);
	return r;
}

static int decode_file(struct bundle *bundle, const char *name, const json_t *value,
		       struct error *err)
{
	size_t length = json_string_length(value); /* 0 if it is no string */
	size_t room = length / 4 * 3 + 1;
	uint8_t *bytes;
	int r;

	if (!json_is_string(value))
		return error_set(err, ERROR_DEFECT, "file '%.80s' is not a string", name);
	bytes = malloc(room);
	ASSERT(bytes);
	r = base64_decode(json_string_value(value), length, bytes, room, err);
	if (r < 0)
		error_prefix(err, "file '%.80s'", name);
	else
		r = bundle_add(bundle, name, bytes, (size_t)r, err);
	secret_wipe(bytes, room);
	free(bytes);
	return r < 0 ? err->code = ERROR_DEFECT : 0;
}

static int decode_object(const json_t *object, struct bundle *bundle, struct error *err)
{
	static const char *const fields[] = {"schema",	     "vault", "version",
					     "created_usec", "files", NULL};
	const json_t *files;
	const char *name;
	json_t *value;
	int r = check_fields(object, fields, err);

	if (r == 0)
		r = get_identity(object, bundle->vault, &bundle->version, err);
	if (r == 0)
		r = json_get_u64(object, "created_usec", &bundle->created_usec, err);
	if (r == 0)
		r = json_get_object(object, "files", &files, err);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)files, name, value)
	{
		r = decode_file(bundle, name, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One bundle has one text. */
static int check_canonical(const struct bundle *bundle, const char *text, size_t size,
			   struct error *err)
{
	char *again;
	size_t again_size;
	bool same;

	if (bundle_encode(bundle, &again, &again_size, err) < 0)
		return err->code = ERROR_DEFECT;
	same = again_size == size && memcmp(again, text, size) == 0;
	secret_wipe(again, again_size);
	free(again);
	return same ? 0
		    : error_set(err, ERROR_DEFECT, "JSON, but not in canonical form (RFC 8785)");
}

int bundle_decode(const char *text, size_t size, struct bundle *ret_bundle, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct bundle bundle = {.version = 0};
	int r = json_parse(text, size, &object, err);

	if (r == 0)
		r = decode_object(object, &bundle, err);
	if (r == 0)
		r = check_canonical(&bundle, text, size, err);
	if (r < 0) {
		bundle_release(&bundle);
		return error_prefix(err, "what is in the bundle");
	}
	*ret_bundle = bundle;
	return 0;
}

/* --- the mark --------------------------------------------------------------------------------- */

size_t bundle_mark_encode(const struct bundle_mark *mark, char text[static BUNDLE_MARK_SIZE_MAX])
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	struct error err;
	int length;

	ASSERT(object);
	json_put(object, "schema", json_integer(SCHEMA));
	json_put_string(object, "vault", mark->vault);
	json_put_u64(object, "version", mark->version);
	json_put_hex(object, "bundle", mark->bundle, sizeof(mark->bundle));
	json_put_hex(object, "config", mark->config, sizeof(mark->config));
	length = json_text_canonical(object, text, BUNDLE_MARK_SIZE_MAX - 1, &err);
	ASSERT(length > 0);
	text[length] = '\n';
	text[length + 1] = '\0';
	return (size_t)length + 1;
}

int bundle_mark_decode(const char *text, size_t size, struct bundle_mark *ret_mark,
		       struct error *err)
{
	static const char *const fields[] = {"schema", "vault",	 "version",
					     "bundle", "config", NULL};
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct bundle_mark mark = {.version = 0};
	int r;

	if (size == 0 || size >= BUNDLE_MARK_SIZE_MAX || text[size - 1] != '\n')
		return error_set(err, ERROR_DEFECT, "not one line of at most %d bytes",
				 BUNDLE_MARK_SIZE_MAX - 1);
	r = json_parse_canonical(text, size - 1, &object, err);
	if (r == 0)
		r = check_fields(object, fields, err);
	if (r == 0)
		r = get_identity(object, mark.vault, &mark.version, err);
	if (r == 0)
		r = json_get_hex(object, "bundle", mark.bundle, sizeof(mark.bundle), err);
	if (r == 0)
		r = json_get_hex(object, "config", mark.config, sizeof(mark.config), err);
	if (r == 0)
		*ret_mark = mark;
	return r;
}

/* --- beside a configuration? --------------------------------------------------------------------
 */

/* The mark beside the file at @path. 1: there is one. */
static int read_mark(const char *path, struct bundle_mark *ret_mark, struct error *err)
{
	CLEANUP(freep)
	char *mark_path = NULL;
	CLEANUP(close_fdp)
	int fd = -1;
	const char *slash = strrchr(path, '/');
	char text[BUNDLE_MARK_SIZE_MAX];
	ssize_t size;
	int length =
		asprintf(&mark_path, "%.*s" BUNDLE_MARK, slash ? (int)(slash - path) + 1 : 0, path);

	ASSERT(length > 0);
	fd = open(mark_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 0;
	size = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (size < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "'%s'", mark_path);
	if (bundle_mark_decode(text, (size_t)size, ret_mark, err) < 0) {
		err->code = ERROR_USAGE;
		return error_prefix(err, "'%s'", mark_path);
	}
	return 1;
}

int bundle_identify(struct config *config, const uint8_t hash[static BUNDLE_MARK_HASH_SIZE],
		    struct error *err)
{
	struct bundle_mark mark;
	int r = read_mark(config->path, &mark, err);

	if (r < 0)
		return r;
	memcpy(config->hash, hash, sizeof(config->hash));
	if (r == 0)
		return 0;
	if (memcmp(mark.config, hash, sizeof(mark.config)) != 0 ||
	    strcmp(mark.vault, config->name) != 0)
		return error_set(err, ERROR_USAGE,
				 "'%s' was changed since it was applied as version %" PRIu64
				 " of a bundle: seal what is wanted as a newer version, and apply "
				 "it with: binvault config apply",
				 config->path, mark.version);
	config->bundle_version = mark.version;
	memcpy(config->bundle_hash, mark.bundle, sizeof(config->bundle_hash));
	return 0;
}
