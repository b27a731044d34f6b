/*
 * binvault-configure: from an open data volume to a vault that can start, without a login.
 *
 * 1. The vault's key for bundles, once for each TPM; its certificate goes to the partition
 *    `binvault_out`.
 * 2. The bundle of `binvault_in`, if there is one, through `binvault config apply`, which has the
 *    TPM seal its secrets.
 * 3. Of the configuration in force: addresses and links to systemd-networkd, names to /etc/hosts,
 *    to the packet filter the way to each database server, each time server and the SIEM, to
 *    chronyd its settings, to each unit the secrets that are its own.
 * 4. With SoftHSM2 the token, once; then `binvault init`, until the archive is complete.
 * 5. Pullers and forwarder are queued; they, keeper and HSM service start when this has ended well.
 *
 * Each step finds what an earlier start has done. Without a configuration it ends well after step
 * 2, says so, and nothing of the vault starts.
 */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "provision/credential.h"
#include "provision/letterbox.h"
#include "provision/places.h"
#include "provision/secrets.h"
#include "provision/text.h"
#include "provision/tool.h"
#include "provision/unit.h"
#include "provision/ways.h"

#define BEGINNING  PLACE_IDENTITY "/beginning" /* what `init` said: keys, the first checkpoint */
#define SHARES	   PLACE_IDENTITY "/shares"
#define NEW_SHARES "/run/binvault-volume/shares"
#define CONFIG	   PLACE_CURRENT "binvault.conf"
#define TOKENS	   PLACE_VOLUME "/softhsm"
#define OWNER	   "/usr/lib/binvault/owner.pem"
#define BUNDLE	   PLACE_WORKSHOP "/bundle"
#define BINVAULT   "/usr/sbin/binvault"
#define SOFTHSM	   "/usr/lib/softhsm/libsofthsm2.so"
#define PARTITIONS "/dev/disk/by-partlabel/"
#define TOKEN	   "/usr/libexec/binvault/binvault-token"

/* --- the owner's letters --------------------------------------------------------------------- */

/* The shares of the recovery key were made before there was a volume to keep them on. They are
 * durable before the letter, which holds them until then, is written anew. */
static int keep_shares(struct error *err)
{
	static char text[PLACE_FILE_MAX];

	if (access(NEW_SHARES, F_OK) < 0)
		return 0;
	if (text_read_if_there(NEW_SHARES, text, PLACE_FILE_MAX, err) < 0)
		return err->code;
	if (text_write(SHARES, text, 0400, err) < 0)
		return err->code;
	sync();
	return 0;
}

/* Who the vault is, for its owner: what bundles are encrypted for, what `init` said, and the
 * custodians' shares. */
static int write_out(struct error *err)
{
	static char certificate[PLACE_FILE_MAX], beginning[PLACE_FILE_MAX], shares[PLACE_FILE_MAX];
	static char text[3 * PLACE_FILE_MAX + 64];

	if (text_read_if_there(PLACE_CERTIFICATE, certificate, PLACE_FILE_MAX, err) < 0 ||
	    text_read_if_there(BEGINNING, beginning, PLACE_FILE_MAX, err) < 0 ||
	    text_read_if_there(SHARES, shares, PLACE_FILE_MAX, err) < 0)
		return err->code;
	snprintf(text, sizeof(text), "%s\n%s\n%s", certificate, beginning, shares);
	return letter_put(PARTITIONS "binvault_out", text, err);
}

/* What is wrong with a bundle, `config apply` says itself; the configuration in force goes on. */
static void take_bundle(void)
{
	static const char *const arguments[] = {BINVAULT,
						"config",
						"apply",
						BUNDLE,
						"--owner",
						OWNER,
						"--key",
						PLACE_KEY,
						"--directory",
						PLACE_APPLIED,
						"--credential-key",
						CREDENTIAL_KEY,
						"--credential-pcrs",
						CREDENTIAL_PCRS,
						"--credentials",
						CREDENTIAL_OTHERS,
						NULL};
	struct error refused = {0};
	int r = letter_take(PARTITIONS "binvault_in", BUNDLE, &refused);

	if (r > 0 && access(OWNER, R_OK) < 0)
		r = error_set(&refused, ERROR_REFUSED,
			      "this image was built without --owner: it obeys nobody");
	else if (r > 0)
		r = tool_run(&(struct tool){.arguments = arguments}, &refused);
	unlink(BUNDLE);
	if (r < 0)
		printf("CONFIGURATION-REFUSED the bundle of binvault_in: %s\n", refused.message);
}

/* --- the archive ----------------------------------------------------------------------------- */

/* The units can write to these places and no others. */
static int check_places(const struct config *config, struct error *err)
{
	const struct {
		const char *option, *value, *place;
	} places[] = {
		{"[archive] volume", config->volumes[0], PLACE_VOLUME "/archive"},
		{"[hsm] state", config->hsm_state, PLACE_VOLUME "/hsm"},
		{"[export] path", config->export_path, PLACE_VOLUME "/export"},
		{"[archive] runtime", config->runtime, "/run/binvault"},
		{"[siem] state", config->siem.host ? config->siem.state : PLACE_FORWARD_STATE,
		 PLACE_FORWARD_STATE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if (!places[i].value || strcmp(places[i].value, places[i].place) != 0)
			return error_set(err, ERROR_USAGE, "%s must be %s in an appliance",
					 places[i].option, places[i].place);
	}
	return 0;
}

static bool is_empty(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	while (folder && empty && (entry = readdir(folder)))
		empty = entry->d_name[0] == '.';
	if (folder)
		closedir(folder);
	return empty;
}

/* A token in software, for trying out. One in hardware is initialised by its maker's ceremony. */
static int make_token(const struct config *config, struct error *err)
{
	const struct passwd *user = getpwnam(UNIT_HSM_USER);
	const char *const arguments[] = {TOKEN, config->hsm_module, config->hsm_token_label,
					 config->hsm_pin_source, NULL};
	const struct tool tool = {
		.arguments = arguments, .user = UNIT_HSM_USER, .credentials = PLACE_SECRETS};

	if (strcmp(config->hsm_module, SOFTHSM) != 0 || !is_empty(TOKENS))
		return 0;
	if (!user || !config->hsm_token_label)
		return error_set(err, ERROR_USAGE, "[hsm] token-label is missing");
	if (folder_make(TOKENS, 0700, err) < 0)
		return err->code;
	if (chown(TOKENS, user->pw_uid, user->pw_gid) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, TOKENS);
	return tool_run(&tool, err);
}

/* The first checkpoint is the last thing that `init` makes. */
static bool is_complete(const struct config *config)
{
	char path[4096];
	struct stat status;

	snprintf(path, sizeof(path), "%s/ledger/checkpoints", config->volumes[0]);
	return stat(path, &status) == 0 && status.st_size > 0;
}

static int make_archive(const struct config *config, struct error *err)
{
	static const char *const arguments[] = {BINVAULT, "init", "--config", CONFIG, NULL};
	const struct tool tool = {
		.arguments = arguments, .output = BEGINNING, .credentials = PLACE_SECRETS};

	if (is_complete(config))
		return 0;
	printf("CONFIGURATION making the archive of vault '%s'\n", config->name);
	if (folder_make(config->volumes[0], 0755, err) < 0 || tool_run(&tool, err) < 0)
		return err->code;
	sync();
	return write_out(err);
}

static int queue_daemons(const struct config *config, struct error *err)
{
	char unit[UNIT_NAME_SIZE];

	for (size_t i = 0; i < config->source_count; i++) {
		unit_puller(config->sources[i].name, unit);
		if (unit_queue(unit, err) < 0)
			return err->code;
	}
	return config->siem.host ? unit_queue(UNIT_FORWARD, err) : 0;
}

static int begin(struct error *err)
{
	int r;

	if (folder_make(PLACE_IDENTITY, 0755, err) < 0 ||
	    folder_make(PLACE_VOLUME "/restores", 0700, err) < 0)
		return err->code;
	r = secrets_open_key(err);
	if (r == 0)
		r = keep_shares(err);
	if (r == 0)
		r = write_out(err);
	if (r == 0)
		take_bundle();
	secrets_close_key();
	return r;
}

static int put_into_force(const struct config *config, struct error *err)
{
	int r;

	if (check_places(config, err) < 0 || secrets_check(config, err) < 0 ||
	    secrets_give(config, err) < 0 || ways_open(config, err) < 0)
		return err->code;
	r = secrets_open_pin(config, err);
	if (r == 0)
		r = make_token(config, err);
	if (r == 0)
		r = make_archive(config, err);
	secrets_close_pin(config);
	return r < 0 ? r : queue_daemons(config, err);
}

static int configure(struct error *err)
{
	CLEANUP(config_freep)
	struct config *config = NULL;

	if (begin(err) < 0)
		return err->code;
	if (access(CONFIG, F_OK) < 0) {
		printf("CONFIGURATION there is none yet: seal a bundle for the certificate in the "
		       "partition binvault_out, and write it to binvault_in\n");
		return 0;
	}
	if (config_load(CONFIG, &config, err) < 0 || put_into_force(config, err) < 0)
		return err->code;
	printf("CONFIGURATION vault '%s' has %zu source%s\n", config->name, config->source_count,
	       config->source_count == 1 ? "" : "s");
	return 0;
}

int main(void)
{
	struct error err = {0};

	setvbuf(stdout, NULL, _IONBF, 0);
	umask(0022);
	if (configure(&err) < 0) {
		printf("CONFIGURATION-FAILED %s\n", err.message);
		return 1;
	}
	return 0;
}
