#include "provision/secrets.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "config/place.h"
#include "provision/credential.h"
#include "provision/identity.h"
#include "provision/places.h"
#include "provision/text.h"
#include "provision/unit.h"

#define KEY_NAME   "config.key"
#define SEALED_KEY PLACE_IDENTITY "/config.key.credential"
#define NEXT_KEY   PLACE_IDENTITY "/config.key.next" /* becomes it by rename */
#define NEW_KEY	   PLACE_WORKSHOP "/new.key"
#define NEW_CERT   PLACE_WORKSHOP "/new.pem"

/* --- the vault's key ------------------------------------------------------------------------- */

static bool opens(struct error *reason)
{
	return access(PLACE_CERTIFICATE, F_OK) == 0 &&
	       credential_open(KEY_NAME, SEALED_KEY, PLACE_KEY, reason) == 0;
}

static int make_key(struct error *err)
{
	unlink(NEW_KEY);
	unlink(NEW_CERT);
	if (identity_make(NEW_KEY, NEW_CERT, err) < 0)
		return err->code;
	return credential_seal(KEY_NAME, NEW_KEY, NEXT_KEY, err);
}

/* The certificate goes first, and is written last. */
static int take_key(struct error *err)
{
	static char certificate[PLACE_FILE_MAX];

	if (text_read(NEW_CERT, certificate, PLACE_FILE_MAX, err) < 0)
		return err->code;
	if ((unlink(PLACE_CERTIFICATE) < 0 && errno != ENOENT) ||
	    rename(NEXT_KEY, SEALED_KEY) < 0 || rename(NEW_KEY, PLACE_KEY) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, PLACE_IDENTITY);
	sync();
	return text_replace(PLACE_CERTIFICATE, certificate, 0444, err);
}

int secrets_open_key(struct error *err)
{
	struct error reason = {0};

	if (opens(&reason))
		return 0;
	if (make_key(err) < 0)
		return err->code;
	/* The TPM works: it has sealed another one. If it only stumbled, it opens the old one now.
	 */
	if (opens(&reason)) {
		unlink(NEXT_KEY);
		unlink(NEW_KEY);
		return 0;
	}
	if (reason.code)
		printf("CONFIGURATION this machine's TPM does not open the vault's key for bundles "
		       "(%s): there is a new one, and its certificate in binvault_out\n",
		       reason.message);
	return take_key(err);
}

void secrets_close_key(void)
{
	unlink(PLACE_KEY);
}

/* --- those of a configuration ---------------------------------------------------------------- */

int secrets_check(const struct config *config, struct error *err)
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

static int give(const char *unit, const char *const *values, size_t count, struct error *err)
{
	char text[CREDENTIAL_TEXT_SIZE];

	credential_drop_in(values, count, PLACE_CURRENT, text);
	return unit_drop_in(unit, "20-secrets", text, err);
}

int secrets_give(const struct config *config, struct error *err)
{
	const struct config_siem *siem = &config->siem;
	const char *const of_hsm[] = {config->hsm_pin_source};
	const char *const of_forwarder[] = {siem->tls_key, siem->tls_ca, siem->tls_certificate};
	char unit[UNIT_NAME_SIZE];

	if (give(UNIT_HSM, of_hsm, ARRAY_LENGTH(of_hsm), err) < 0 ||
	    give(UNIT_FORWARD, of_forwarder, ARRAY_LENGTH(of_forwarder), err) < 0)
		return err->code;
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];
		const char *const values[] = {source->credential, source->tls_key, source->tls_ca,
					      source->tls_certificate};

		unit_puller(source->name, unit);
		if (give(unit, values, ARRAY_LENGTH(values), err) < 0)
			return err->code;
	}
	return 0;
}

int secrets_open_pin(const struct config *config, struct error *err)
{
	const char *name = place_credential(config->hsm_pin_source);
	const struct passwd *user = getpwnam(UNIT_HSM_USER);
	char from[512], to[512];

	snprintf(from, sizeof(from), PLACE_CURRENT "%s", name);
	snprintf(to, sizeof(to), PLACE_SECRETS "/%s", name);
	if (folder_make(PLACE_SECRETS, 0700, err) < 0)
		return err->code;
	if (credential_open(name, from, to, err) < 0)
		return error_prefix(err, "this machine's TPM does not open the secrets of the "
					 "configuration: seal the bundle once more, with a higher "
					 "version, for the certificate in binvault_out");
	if (!user || chown(to, user->pw_uid, user->pw_gid) < 0 ||
	    chown(PLACE_SECRETS, user->pw_uid, user->pw_gid) < 0)
		return error_set_errno(err, ERROR_FAILED, errno,
				       "giving the PIN to " UNIT_HSM_USER);
	return 0;
}

void secrets_close_pin(const struct config *config)
{
	const char *name = place_credential(config->hsm_pin_source);
	char path[512];

	snprintf(path, sizeof(path), PLACE_SECRETS "/%s", name);
	unlink(path);
	rmdir(PLACE_SECRETS);
}
