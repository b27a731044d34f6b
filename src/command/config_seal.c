#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/sealed.h"
#include "io/clock.h"
#include "io/file.h"

static const struct command_option options[] = {
	{"owner-key", "KEY", "the owner's private key, in PEM; a passphrase is asked for"},
	{"owner-certificate", "CERT", "the certificate that the vault knows its owner by"},
	{"recipient", "CERT", "the certificate of the vault's key: it alone can read the bundle"},
	{"version", "N", "greater than that of every bundle that the vault has had"},
	{"output", "BUNDLE", "where to write it; must not exist"},
	{NULL, NULL, NULL},
};

static int parse_version(const char *text, uint64_t *ret_version, struct error *err)
{
	char *end;
	unsigned long long version;

	errno = 0;
	version = strtoull(text, &end, 10);
	if (errno || text[0] < '1' || text[0] > '9' || *end)
		return error_set(err, ERROR_USAGE,
				 "--version takes a number from 1 on, without leading zeros, not "
				 "'%s'",
				 text);
	*ret_version = version;
	return 0;
}

static int add_file(struct bundle *bundle, const char *path, const char *name, struct error *err)
{
	uint8_t *bytes;
	size_t size;
	int r = sealed_read_file(path, BUNDLE_FILE_SIZE_MAX, &bytes, &size, err);

	if (r < 0)
		return r;
	r = bundle_add(bundle, name, bytes, size, err);
	secret_wipe(bytes, size);
	free(bytes);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}

/* The first is the configuration, whatever it is called; the vault is the one that it names. */
static int take_files(const struct command_context *context, struct bundle *bundle,
		      struct error *err)
{
	CLEANUP(config_freep)
	struct config *config = NULL;
	const struct bundle_file *file;
	int r = add_file(bundle, context->arguments[0], BUNDLE_CONFIG, err);

	for (size_t i = 1; i < context->argument_count && r == 0; i++) {
		const char *path = context->arguments[i], *slash = strrchr(path, '/');

		r = add_file(bundle, path, slash ? slash + 1 : path, err);
	}
	if (r < 0)
		return r;
	file = bundle_find(bundle, BUNDLE_CONFIG);
	r = config_parse(context->arguments[0], (const char *)file->bytes, file->size, &config,
			 err);
	if (r == 0)
		snprintf(bundle->vault, sizeof(bundle->vault), "%s", config->name);
	return r;
}

static int write_bundle(const char *path, const uint8_t *bytes, size_t size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "--output '%s'", path);
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR) {
			error_set_errno(err, ERROR_IO, errno, "writing '%s'", path);
			unlink(path);
			return err->code;
		}
		bytes += MAX(n, 0);
		size -= (size_t)MAX(n, 0);
	}
	return file_sync(fd, err);
}

static int seal(const struct bundle *bundle, const struct cms_sealing *sealing, const char *path,
		struct error *err)
{
	CLEANUP(freep)
	uint8_t *message = NULL;
	char *text, digits[HEX_SIZE(HASH_SIZE)];
	struct hash hash;
	size_t text_size, size;
	int r = bundle_encode(bundle, &text, &text_size, err);

	if (r < 0)
		return r;
	r = cms_seal(sealing, text, text_size, &message, &size, err);
	secret_wipe(text, text_size);
	free(text);
	if (r == 0)
		r = write_bundle(path, message, size, err);
	if (r < 0)
		return r;
	hash_bytes(message, size, &hash);
	hex_encode(hash.bytes, sizeof(hash.bytes), digits);
	printf("%s: version %" PRIu64 " for vault '%s', %zu file%s\nSHA-256 %s\n", path,
	       bundle->version, bundle->vault, bundle->file_count,
	       bundle->file_count == 1 ? "" : "s", digits);
	return 0;
}

static int run(struct command_context *context, struct error *err)
{
	struct bundle bundle = {.created_usec = clock_realtime_usec()};
	struct cms_sealing sealing;
	const char *version, *output;
	int r;

	sealed_prepare();
	if (command_required(context, "owner-key", &sealing.owner_key, err) < 0 ||
	    command_required(context, "owner-certificate", &sealing.owner_certificate, err) < 0 ||
	    command_required(context, "recipient", &sealing.recipient, err) < 0 ||
	    command_required(context, "version", &version, err) < 0 ||
	    command_required(context, "output", &output, err) < 0 ||
	    parse_version(version, &bundle.version, err) < 0)
		return err->code;
	r = take_files(context, &bundle, err);
	if (r == 0)
		r = seal(&bundle, &sealing, output, err);
	bundle_release(&bundle);
	return r;
}

const struct command command_config_seal = {
	.verb = "config seal",
	.arguments = "CONFIGURATION [FILE...]",
	.argument_min = 1,
	.argument_max = BUNDLE_FILES_MAX,
	.summary = "make a bundle of a configuration and the files that it names, for one vault",
	.description =
		"On the owner's side; needs no vault. The bundle is signed with the owner's key "
		"and "
		"encrypted for the vault's, and may travel by any way. The configuration is "
		"checked "
		"as `config check` does, and names its files as they will lie in the vault: "
		"DIR/current/NAME, with the DIR of `config apply`. Keys are RSA of 3072 bits and "
		"more, P-256 or P-384.",
	.options = options,
	.run = run,
};
