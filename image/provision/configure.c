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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "config/place.h"
#include "provision/credential.h"
#include "provision/identity.h"
#include "provision/letterbox.h"
#include "provision/network.h"
#include "provision/text.h"
#include "provision/timekeeping.h"
#include "provision/tool.h"

#define VOLUME	   "/var/lib/binvault"
#define IDENTITY   VOLUME "/identity"
#define SEALED_KEY IDENTITY "/config.key.credential"
#define CERT	   IDENTITY "/config.pem"
#define BEGINNING  IDENTITY "/beginning" /* what `init` said: keys and the first checkpoint */
#define SHARES	   IDENTITY "/shares"
#define NEW_SHARES "/run/binvault-volume/shares"
#define APPLIED	   VOLUME "/config"
#define CURRENT	   APPLIED "/current/"
#define CONFIG	   CURRENT "binvault.conf"
#define TOKENS	   VOLUME "/softhsm"

#define OWNER		"/usr/lib/binvault/owner.pem"
#define BUNDLE		"/run/binvault-configure/bundle"
#define KEY_NAME	"config.key"
#define KEY		"/run/binvault-configure/" KEY_NAME
#define NEW_CERT	"/run/binvault-configure/config.pem"
#define SECRETS		"/run/binvault-secrets" /* the PIN, while the archive is made */
#define HOSTS		"/run/binvault-hosts"
#define NETWORK		"/run/systemd/network"
#define UNITS		"/run/systemd/system"
#define TIME		"/run/binvault-time.conf"
#define TIME_CA		CURRENT "time-ca.pem"
#define TIME_CREDENTIAL "/run/credentials/binvault-time.service/time-ca.pem"
#define SYSTEMCTL	"/usr/bin/systemctl"
#define BINVAULT	"/usr/sbin/binvault"
#define SOFTHSM		"/usr/lib/softhsm/libsofthsm2.so"
#define PARTITIONS	"/dev/disk/by-partlabel/"
#define HSM_USER	"binvault-hsm"
#define HSM_UNIT	"binvault-hsm.service"
#define FORWARD_USER	"binvault-forward"
#define FORWARD_UNIT	"binvault-forward.service"
#define FORWARD_STATE	VOLUME "/forward"
#define TOKEN		"/usr/libexec/binvault/binvault-token"
#define FILE_MAX	65536

/* --- files ----------------------------------------------------------------------------------- */

static int make_folder(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	return 0;
}

static int run(const char *const *arguments, struct error *err)
{
	return tool_run(&(struct tool){.arguments = arguments}, err);
}

/* --- the vault's key ------------------------------------------------------------------------- */

/* The certificate is the last thing: one that is there has its key. */
static int make_key(struct error *err)
{
	static char certificate[FILE_MAX];

	if (unlink(CERT) < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FAILED, errno, CERT);
	if (identity_make(KEY, NEW_CERT, err) < 0 ||
	    credential_seal(KEY_NAME, KEY, SEALED_KEY, err) < 0 ||
	    text_read(NEW_CERT, certificate, FILE_MAX, err) < 0)
		return err->code;
	unlink(NEW_CERT);
	return text_replace(CERT, certificate, 0444, err);
}

/* Behind another TPM than the one that it was made with it does not open; then there is another. */
static int find_key(struct error *err)
{
	struct error reason;

	if (access(CERT, F_OK) == 0) {
		if (credential_open(KEY_NAME, SEALED_KEY, KEY, &reason) == 0)
			return 0;
		printf("CONFIGURATION this machine's TPM does not open the vault's key for bundles "
		       "(%s): there is a new one, and its certificate in binvault_out\n",
		       reason.message);
	}
	return make_key(err);
}

/* --- the owner's letters --------------------------------------------------------------------- */

/* The shares of the recovery key were made before there was a volume to keep them on. They are
 * durable before the letter, which holds them until then, is written anew. */
static int keep_shares(struct error *err)
{
	static char text[FILE_MAX];

	if (access(NEW_SHARES, F_OK) < 0)
		return 0;
	if (text_read_if_there(NEW_SHARES, text, FILE_MAX, err) < 0)
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
	static char certificate[FILE_MAX], beginning[FILE_MAX], shares[FILE_MAX];
	static char text[3 * FILE_MAX + 64];

	if (text_read_if_there(CERT, certificate, FILE_MAX, err) < 0 ||
	    text_read_if_there(BEGINNING, beginning, FILE_MAX, err) < 0 ||
	    text_read_if_there(SHARES, shares, FILE_MAX, err) < 0)
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
						KEY,
						"--directory",
						APPLIED,
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
		r = run(arguments, &refused);
	unlink(BUNDLE);
	if (r < 0)
		printf("CONFIGURATION-REFUSED the bundle of binvault_in: %s\n", refused.message);
}

/* --- the network ----------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);

	return length > end_length && strcmp(name + length - end_length, end) == 0;
}

static bool is_of_networkd(const char *name)
{
	return ends_with(name, ".network") || ends_with(name, ".netdev") ||
	       ends_with(name, ".link");
}

static int copy_network_file(const char *name, struct error *err)
{
	static char text[FILE_MAX];
	char from[512], to[512];

	snprintf(from, sizeof(from), CURRENT "%s", name);
	snprintf(to, sizeof(to), NETWORK "/%s", name);
	if (text_read_if_there(from, text, FILE_MAX, err) < 0)
		return err->code;
	return text_write(to, text, 0644, err);
}

static int copy_network_files(struct error *err)
{
	DIR *files = opendir(CURRENT);
	const struct dirent *file;
	int r = make_folder(NETWORK, 0755, err);

	while (r == 0 && files && (file = readdir(files))) {
		if (is_of_networkd(file->d_name))
			r = copy_network_file(file->d_name, err);
	}
	if (files)
		closedir(files);
	return r;
}

/* A drop-in for a unit, which the next `daemon-reload` finds. */
static int write_drop_in(const char *unit, const char *name, const char *text, struct error *err)
{
	char folder[256], path[320];

	snprintf(folder, sizeof(folder), UNITS "/%s.d", unit);
	snprintf(path, sizeof(path), "%s/%s.conf", folder, name);
	if (make_folder(UNITS, 0755, err) < 0 || make_folder(folder, 0755, err) < 0)
		return err->code;
	return text_write(path, text, 0644, err);
}

static int write_fence(const char *unit, const char *const *names, size_t count, const char *hosts,
		       struct error *err)
{
	static char text[NETWORK_TEXT_SIZE];

	if (network_fence(names, count, hosts, text, err) < 0)
		return err->code;
	return write_drop_in(unit, "10-servers", text, err);
}

static int fence_puller(const struct config_source *source, const char *hosts, struct error *err)
{
	const char *names[CONFIG_SERVERS_MAX];
	char unit[128];

	for (size_t i = 0; i < source->server_count; i++)
		names[i] = source->servers[i].host;
	snprintf(unit, sizeof(unit), "binvault-pull@%s.service", source->name);
	return write_fence(unit, names, source->server_count, hosts, err);
}

/* It knows how far the SIEM has the ledger in a directory of its own. */
static int set_forwarder(const struct config_siem *siem, const char *hosts, struct error *err)
{
	const struct passwd *user = getpwnam(FORWARD_USER);
	const char *const names[] = {siem->host};

	if (!siem->host)
		return 0;
	if (make_folder(FORWARD_STATE, 0755, err) < 0)
		return err->code;
	if (!user || chown(FORWARD_STATE, user->pw_uid, user->pw_gid) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, FORWARD_STATE);
	return write_fence(FORWARD_UNIT, names, ARRAY_LENGTH(names), hosts, err);
}

/* Without a time server the unit that asks them does not start. */
static int set_clock(const struct time_servers *clocks, const char *hosts, struct error *err)
{
	char text[TIME_SETTINGS_SIZE];
	const char *names[TIME_SERVERS_MAX];

	if (clocks->count == 0)
		return 0;
	if (access(TIME_CA, R_OK) < 0)
		return error_set(err, ERROR_USAGE,
				 "`time` names servers, and the bundle has no `time-ca.pem` that "
				 "proves them");
	for (size_t i = 0; i < clocks->count; i++)
		names[i] = clocks->names[i];
	if (write_fence("binvault-time.service", names, clocks->count, hosts, err) < 0)
		return err->code;
	time_settings(clocks, TIME_CREDENTIAL, text);
	return text_write(TIME, text, 0444, err);
}

/* --- secrets --------------------------------------------------------------------------------- */

static int give(const char *unit, const char *const *values, size_t count, struct error *err)
{
	char text[CREDENTIAL_TEXT_SIZE];

	credential_drop_in(values, count, CURRENT, text);
	return write_drop_in(unit, "20-secrets", text, err);
}

static int give_secrets(const struct config *config, struct error *err)
{
	const struct config_siem *siem = &config->siem;
	const char *const of_hsm[] = {config->hsm_pin_source};
	const char *const of_forwarder[] = {siem->tls_key, siem->tls_ca, siem->tls_certificate};
	char unit[128];

	if (give(HSM_UNIT, of_hsm, ARRAY_LENGTH(of_hsm), err) < 0 ||
	    give(FORWARD_UNIT, of_forwarder, ARRAY_LENGTH(of_forwarder), err) < 0)
		return err->code;
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];
		const char *const values[] = {source->credential, source->tls_key, source->tls_ca,
					      source->tls_certificate};

		snprintf(unit, sizeof(unit), "binvault-pull@%s.service", source->name);
		if (give(unit, values, ARRAY_LENGTH(values), err) < 0)
			return err->code;
	}
	return 0;
}

/* For those who ask the HSM before its service does; in memory, and only until close_pin(). */
static int open_pin(const struct config *config, struct error *err)
{
	const char *name = place_credential(config->hsm_pin_source);
	const struct passwd *user = getpwnam(HSM_USER);
	char from[512], to[512];

	snprintf(from, sizeof(from), CURRENT "%s", name);
	snprintf(to, sizeof(to), SECRETS "/%s", name);
	if (make_folder(SECRETS, 0700, err) < 0)
		return err->code;
	if (credential_open(name, from, to, err) < 0)
		return error_prefix(err, "this machine's TPM does not open the secrets of the "
					 "configuration: seal the bundle once more, with a higher "
					 "version, for the certificate in binvault_out");
	if (!user || chown(to, user->pw_uid, user->pw_gid) < 0 ||
	    chown(SECRETS, user->pw_uid, user->pw_gid) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "giving the PIN to " HSM_USER);
	return 0;
}

static void close_pin(const struct config *config)
{
	const char *name = place_credential(config->hsm_pin_source);
	char path[512];

	snprintf(path, sizeof(path), SECRETS "/%s", name);
	unlink(path);
	rmdir(SECRETS);
}

/* --- the way out ----------------------------------------------------------------------------- */

static int open_network(const struct config *config, struct error *err)
{
	static const char *const nft[] = {"/usr/sbin/nft", "-f", "-", NULL};
	static const char *const reload[] = {SYSTEMCTL, "daemon-reload", NULL};
	static const char *const start[] = {SYSTEMCTL, "start", "systemd-networkd.service", NULL};
	static char hosts[FILE_MAX], times[FILE_MAX], rules[NETWORK_TEXT_SIZE];
	struct time_servers clocks;

	if (text_read_if_there(CURRENT "hosts", hosts, FILE_MAX, err) < 0 ||
	    text_read_if_there(CURRENT "time", times, FILE_MAX, err) < 0 ||
	    time_servers_parse(times, &clocks, err) < 0 ||
	    network_rules(config, &clocks, hosts, rules, err) < 0 ||
	    text_write(HOSTS, hosts, 0444, err) < 0 || copy_network_files(err) < 0 ||
	    set_clock(&clocks, hosts, err) < 0 || set_forwarder(&config->siem, hosts, err) < 0)
		return err->code;
	for (size_t i = 0; i < config->source_count; i++) {
		if (fence_puller(&config->sources[i], hosts, err) < 0)
			return err->code;
	}
	if (tool_run(&(struct tool){.arguments = nft, .input = rules}, err) < 0 ||
	    run(reload, err) < 0)
		return err->code;
	return run(start, err);
}

/* --- the archive ----------------------------------------------------------------------------- */

/* The units can write to these places and no others. */
static int check_places(const struct config *config, struct error *err)
{
	const struct {
		const char *option, *value, *place;
	} places[] = {
		{"[archive] volume", config->volumes[0], VOLUME "/archive"},
		{"[hsm] state", config->hsm_state, VOLUME "/hsm"},
		{"[export] path", config->export_path, VOLUME "/export"},
		{"[archive] runtime", config->runtime, "/run/binvault"},
		{"[siem] state", config->siem.host ? config->siem.state : FORWARD_STATE,
		 FORWARD_STATE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if (!places[i].value || strcmp(places[i].value, places[i].place) != 0)
			return error_set(err, ERROR_USAGE, "%s must be %s in an appliance",
					 places[i].option, places[i].place);
	}
	return 0;
}

/* What is not sealed to the TPM is not taken: the data volume alone does not guard a secret. */
static int check_secrets(const struct config *config, struct error *err)
{
	if (!place_credential(config->hsm_pin_source))
		return error_set(err, ERROR_USAGE,
				 "[hsm] pin-source must be credential:NAME in an appliance");
	if (config->siem.host && !place_credential(config->siem.tls_key))
		return error_set(err, ERROR_USAGE,
				 "[siem] tls-key must be systemd:NAME in an appliance");
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];

		if (strncmp(source->credential, "file:", 5) == 0 ||
		    (source->tls_key && !place_credential(source->tls_key)))
			return error_set(
				err, ERROR_USAGE,
				"source %s: credential and tls-key must be systemd:NAME in "
				"an appliance",
				source->name);
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
	const struct passwd *user = getpwnam(HSM_USER);
	const char *const arguments[] = {TOKEN, config->hsm_module, config->hsm_token_label,
					 config->hsm_pin_source, NULL};
	const struct tool tool = {.arguments = arguments, .user = HSM_USER, .credentials = SECRETS};

	if (strcmp(config->hsm_module, SOFTHSM) != 0 || !is_empty(TOKENS))
		return 0;
	if (!user || !config->hsm_token_label)
		return error_set(err, ERROR_USAGE, "[hsm] token-label is missing");
	if (make_folder(TOKENS, 0700, err) < 0)
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
		.arguments = arguments, .output = BEGINNING, .credentials = SECRETS};

	if (is_complete(config))
		return 0;
	printf("CONFIGURATION making the archive of vault '%s'\n", config->name);
	if (make_folder(config->volumes[0], 0755, err) < 0 || tool_run(&tool, err) < 0)
		return err->code;
	sync();
	return write_out(err);
}

static int queue(const char *unit, struct error *err)
{
	const char *const arguments[] = {SYSTEMCTL, "start", "--no-block", unit, NULL};

	return run(arguments, err);
}

static int queue_daemons(const struct config *config, struct error *err)
{
	char unit[128];

	for (size_t i = 0; i < config->source_count; i++) {
		snprintf(unit, sizeof(unit), "binvault-pull@%s.service", config->sources[i].name);
		if (queue(unit, err) < 0)
			return err->code;
	}
	return config->siem.host ? queue(FORWARD_UNIT, err) : 0;
}

static int begin(struct error *err)
{
	int r;

	if (make_folder(IDENTITY, 0755, err) < 0 || make_folder(VOLUME "/restores", 0700, err) < 0)
		return err->code;
	r = find_key(err);
	if (r == 0)
		r = keep_shares(err);
	if (r == 0)
		r = write_out(err);
	if (r == 0)
		take_bundle();
	unlink(KEY);
	return r;
}

static int put_into_force(const struct config *config, struct error *err)
{
	int r;

	if (check_places(config, err) < 0 || check_secrets(config, err) < 0 ||
	    give_secrets(config, err) < 0 || open_network(config, err) < 0)
		return err->code;
	r = open_pin(config, err);
	if (r == 0)
		r = make_token(config, err);
	if (r == 0)
		r = make_archive(config, err);
	close_pin(config);
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
