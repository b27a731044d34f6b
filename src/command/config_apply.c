#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "command/applied.h"
#include "command/child.h"
#include "command/commands.h"
#include "command/programs.h"
#include "command/refusals.h"
#include "command/sealed.h"

/* What is given up comes back as ERROR_REFUSED, is said on the console by the program's main, and
 * is told to the keeper here. */
struct apply {
	struct command_context *context;
	const char *directory;
	struct credential_encryption encryption; /* key NULL: none */
	struct applied *applied;
	struct sealed sealed;
};

static const struct command_option options[] = {
	{"owner", "CERT", "the certificate of who must have signed it"},
	{"key", "KEY", "the vault's private key, in PEM; may be a systemd credential's file"},
	{"directory", "DIR", "where versions lie, and current, the link to the one in force"},
	{"credential-key", "KEY", "write credentials encrypted, with host, tpm2 or host+tpm2"},
	{"credential-pcrs", "PCRS", "to which a credential of the TPM is sealed: 7+12"},
	{"credentials", "NAMES", "further files that are credentials, with commas between them"},
	{NULL, NULL, NULL},
};

/* --- refused ---------------------------------------------------------------------------------- */

/* The keeper is where the configuration in force says, or before there is one, that of --config. */
static void find_keeper(const struct apply *apply, struct config **ret_config)
{
	char path[PATH_MAX];
	struct error ignored;

	*ret_config = NULL;
	snprintf(path, sizeof(path), "%s/current/" BUNDLE_CONFIG, apply->directory);
	if (config_load(path, ret_config, &ignored) < 0 &&
	    config_load(apply->context->config_path, ret_config, &ignored) < 0)
		*ret_config = NULL;
}

static int tell(const struct apply *apply, const struct error *reason,
		struct refusals_told *ret_told, struct error *err)
{
	CLEANUP(config_freep)
	struct config *config = NULL;
	json_t *refusal = reason ? refusal_new(&apply->sealed, reason) : NULL;

	find_keeper(apply, &config);
	return refusals_tell(applied_fd(apply->applied), config, refusal, ret_told, err);
}

static int refuse(const struct apply *apply, const char *path, struct error *err)
{
	const struct bundle_mark *mark = applied_mark(apply->applied);
	struct refusals_told told;
	struct error failure;

	if (tell(apply, err, &told, &failure) < 0)
		fprintf(stderr, "binvault: the refusal could not be kept for the ledger: %s\n",
			failure.message);
	else if (told.waiting > 0)
		fprintf(stderr,
			"binvault: %zu refusal%s in '%s/refused.json' for the ledger (%s). "
			"Do, when the vault runs: binvault config apply --directory %s\n",
			told.waiting, told.waiting == 1 ? " waits" : "s wait", apply->directory,
			told.reason, apply->directory);
	if (mark)
		return error_prefix(
			err, "bundle '%s' is refused, and version %" PRIu64 " stays in force", path,
			mark->version);
	return error_prefix(err, "bundle '%s' is refused, and nothing is in force", path);
}

/* What waits is told, if it can be. Alone, the verb says what came of it. */
static int tell_waiting(const struct apply *apply, bool alone, struct error *err)
{
	struct refusals_told told;
	int r = tell(apply, NULL, &told, err);

	if (r < 0 || !alone)
		return r;
	printf("%zu refusal%s told to the keeper, %zu wait%s\n", told.told,
	       told.told == 1 ? "" : "s", told.waiting, told.waiting == 1 ? "s" : "");
	return told.waiting == 0 ? 0 : error_set(err, ERROR_UNAVAILABLE, "%s", told.reason);
}

/* --- applied ---------------------------------------------------------------------------------- */

/* 1: it is the bundle in force. */
static int check_version(const struct apply *apply, struct error *err)
{
	const struct bundle_mark *mark = applied_mark(apply->applied);
	const struct bundle *bundle = &apply->sealed.bundle;

	if (!mark)
		return 0;
	if (strcmp(bundle->vault, mark->vault) != 0)
		return error_set(err, ERROR_REFUSED, "it is for vault '%s', and this is '%s'",
				 bundle->vault, mark->vault);
	if (memcmp(apply->sealed.hash.bytes, mark->bundle, HASH_SIZE) == 0)
		return 1;
	if (bundle->version <= mark->version)
		return error_set(err, ERROR_REFUSED,
				 "its version %" PRIu64 " is not greater than %" PRIu64
				 ", which is in force: seal it as version %" PRIu64 " or later",
				 bundle->version, mark->version, mark->version + 1);
	return 0;
}

static int check(struct apply *apply, const char *path, const struct cms_opener *opener,
		 struct error *err)
{
	struct sealed *sealed = &apply->sealed;
	int r = sealed_read(sealed, path, opener, true, err);

	if (r == 0)
		r = check_version(apply, err);
	if (r == 0 && applied_check_named(apply->applied, &sealed->bundle, sealed->config, err) < 0)
		r = err->code = ERROR_REFUSED;
	return r;
}

static int find_owners(const struct config *config, struct applied_owners *ret_owners,
		       struct error *err)
{
	struct applied_owners owners = {(uid_t)-1, (uid_t)-1, (uid_t)-1};
	const struct passwd *user;
	bool switch_users;
	int r = programs_switch_users(&switch_users, err);

	if (r < 0)
		return r;
	if (switch_users) {
		user = getpwnam(child_user(CHILD_HSM));
		ASSERT(user);
		owners.hsm_uid = user->pw_uid;
		user = getpwnam(child_user(CHILD_PULL));
		ASSERT(user);
		owners.pull_uid = user->pw_uid;
		if (programs_check_forwarder(config, err) < 0)
			return err->code;
		user = getpwnam(child_user(CHILD_FORWARD));
		owners.forward_uid = user ? user->pw_uid : (uid_t)-1; /* none, and no [siem] */
	}
	*ret_owners = owners;
	return 0;
}

static int replace(const struct apply *apply, struct error *err)
{
	const struct bundle *bundle = &apply->sealed.bundle;
	const struct bundle_file *file = bundle_find(bundle, BUNDLE_CONFIG);
	struct bundle_mark mark = {.version = bundle->version};
	struct applied_owners owners;
	struct hash hash;
	int r = find_owners(apply->sealed.config, &owners, err);

	if (r < 0)
		return r;
	hash_bytes(file->bytes, file->size, &hash);
	memcpy(mark.vault, bundle->vault, sizeof(mark.vault));
	memcpy(mark.bundle, apply->sealed.hash.bytes, sizeof(mark.bundle));
	memcpy(mark.config, hash.bytes, sizeof(mark.config));
	r = applied_replace(apply->applied, bundle, apply->sealed.config, &mark, &owners, err);
	if (r < 0)
		return r;
	printf("version %" PRIu64 " of vault '%s' is in force: %s/current/" BUNDLE_CONFIG "\n"
	       "The daemons take it when they are started again, passwords and certificates at "
	       "the next login.\n",
	       mark.version, mark.vault, apply->directory);
	return 0;
}

static int apply_bundle(struct apply *apply, struct error *err)
{
	CLEANUP(cms_opener_freep)
	struct cms_opener *opener = NULL;
	struct command_context *context = apply->context;
	const char *path = context->arguments[0], *owner, *key;
	struct error ignored;
	int r;

	if (command_required(context, "owner", &owner, err) < 0 ||
	    command_required(context, "key", &key, err) < 0 ||
	    cms_opener_new(owner, key, &opener, err) < 0)
		return err->code;
	r = check(apply, path, opener, err);
	if (r == ERROR_REFUSED)
		return refuse(apply, path, err);
	if (r < 0)
		return r;
	if (r > 0)
		printf("version %" PRIu64 " is in force already\n", apply->sealed.bundle.version);
	else if (replace(apply, err) < 0)
		return err->code;
	(void)!tell_waiting(apply, false, &ignored); /* what still waits, the next one tells */
	return 0;
}

static int run(struct command_context *context, struct error *err)
{
	struct apply apply = {.context = context};
	int r;

	sealed_prepare();
	apply.encryption = (struct credential_encryption){
		.key = command_value(context, "credential-key"),
		.pcrs = command_value(context, "credential-pcrs"),
		.names = command_value(context, "credentials"),
	};
	if (!apply.encryption.key && (apply.encryption.pcrs || apply.encryption.names))
		return error_set(err, ERROR_USAGE,
				 "--credential-pcrs and --credentials need --credential-key");
	if (command_required(context, "directory", &apply.directory, err) < 0 ||
	    applied_open(apply.directory, apply.encryption.key ? &apply.encryption : NULL,
			 &apply.applied, err) < 0)
		return err->code;
	r = context->argument_count > 0 ? apply_bundle(&apply, err)
					: tell_waiting(&apply, true, err);
	sealed_release(&apply.sealed);
	applied_free(apply.applied);
	return r;
}

const struct command command_config_apply = {
	.verb = "config apply",
	.arguments = "[BUNDLE]",
	.argument_max = 1,
	.summary = "bring a bundle into force, if its owner has sealed a newer one for this vault",
	.description =
		"Needs no login: a unit runs it with a bundle from a disk or a drop folder. A "
		"bundle "
		"with another signer, for another key or vault, of a version that is not greater, "
		"or with anything wrong in its configuration is refused, with a sentence here and "
		"in the ledger (exit status 4); nothing changes then. Where the keeper does not "
		"run, the refusal waits in DIR/refused.json for the next `config apply`, which "
		"needs no BUNDLE. Start the vault with --config DIR/current/binvault.conf. As "
		"root, secrets are given to the users of the daemons that the configuration "
		"names them for; with --credential-key what it names as credentials (`pin-source = "
		"credential:NAME`, `systemd:NAME`) is a file of the bundle too, and lies encrypted "
		"by systemd-creds for LoadCredentialEncrypted=NAME:DIR/current/NAME. After a power "
		"cut the old version or the new one is in force.",
	.options = options,
	.run = run,
};
