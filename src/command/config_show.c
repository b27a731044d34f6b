#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/sealed.h"

static const struct command_option options[] = {
	{"owner", "CERT", "the certificate of who must have signed it"},
	{"key", "KEY", "the vault's private key, in PEM; without it only the signature is checked"},
	{"file", "NAME", "print this file of the bundle, which may be a secret, and nothing else"},
	{NULL, NULL, NULL},
};

static void hash_of(const struct bundle_file *file, char digits[static HEX_SIZE(HASH_SIZE)])
{
	struct hash hash;

	hash_bytes(file->bytes, file->size, &hash);
	hex_encode(hash.bytes, sizeof(hash.bytes), digits);
}

static void print_text(const char *path, const char *owner, const struct sealed *sealed)
{
	const struct bundle *bundle = &sealed->bundle;
	char digits[HEX_SIZE(HASH_SIZE)], time[TIME_TEXT_SIZE];

	hex_encode(sealed->hash.bytes, sizeof(sealed->hash.bytes), digits);
	printf("bundle    %s\nSHA-256   %s\nsigned    by %s\n", path, digits, owner);
	if (bundle->version == 0) {
		printf("content   encrypted; --key KEY of the vault shows it\n");
		return;
	}
	time_format(bundle->created_usec, time);
	printf("vault     %s\nversion   %" PRIu64 "\ncreated   %s\n", bundle->vault,
	       bundle->version, time);
	for (size_t i = 0; i < bundle->file_count; i++) {
		hash_of(&bundle->files[i], digits);
		printf("file      %s  %zu bytes  %s\n", bundle->files[i].name,
		       bundle->files[i].size, digits);
	}
}

static void print_json(const struct sealed *sealed)
{
	const struct bundle *bundle = &sealed->bundle;
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	json_t *files = json_array();

	json_put(object, "schema", json_integer(1));
	json_put_hex(object, "hash", sealed->hash.bytes, HASH_SIZE);
	if (bundle->version > 0) {
		json_put_string(object, "vault", bundle->vault);
		json_put_u64(object, "version", bundle->version);
		json_put_u64(object, "created", bundle->created_usec);
	}
	for (size_t i = 0; i < bundle->file_count; i++) {
		char digits[HEX_SIZE(HASH_SIZE)];
		json_t *file = json_object();

		hash_of(&bundle->files[i], digits);
		json_put_string(file, "name", bundle->files[i].name);
		json_put_u64(file, "size", bundle->files[i].size);
		json_put_string(file, "hash", digits);
		json_array_append_new(files, file);
	}
	json_put(object, "files", files);
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
}

static int print_file(const struct bundle *bundle, const char *name, struct error *err)
{
	const struct bundle_file *file = bundle_find(bundle, name);

	if (!file)
		return error_set(err, ERROR_NOT_FOUND, "there is no file '%s' in the bundle", name);
	fwrite(file->bytes, 1, file->size, stdout);
	return 0;
}

static int show(const struct command_context *context, const char *owner, const char *key,
		struct sealed *sealed, struct error *err)
{
	CLEANUP(cms_opener_freep)
	struct cms_opener *opener = NULL;
	const char *path = context->arguments[0], *name = command_value(context, "file");
	int r = cms_opener_new(owner, key, &opener, err);

	if (r < 0)
		return r;
	if (name && !key)
		return error_set(err, ERROR_USAGE, "--file needs --key KEY, the vault's");
	r = sealed_read(sealed, path, opener, key != NULL, err);
	if (r == ERROR_REFUSED)
		return error_prefix(err, "bundle '%s' would be refused", path);
	if (r < 0)
		return r;
	if (name)
		return print_file(&sealed->bundle, name, err);
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(sealed);
	else
		print_text(path, owner, sealed);
	return 0;
}

static int run(struct command_context *context, struct error *err)
{
	struct sealed sealed = {.hashed = false};
	const char *owner;
	int r;

	sealed_prepare();
	if (command_required(context, "owner", &owner, err) < 0)
		return err->code;
	r = show(context, owner, command_value(context, "key"), &sealed, err);
	sealed_release(&sealed);
	return r;
}

const struct command command_config_show = {
	.verb = "config show",
	.arguments = "BUNDLE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "say what is in a bundle, and whether its owner has made it",
	.description = "Files are named with size and SHA-256; what is in them only --file shows.",
	.reads = true,
	.options = options,
	.run = run,
};
