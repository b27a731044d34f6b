/*
 * The directory of `config apply`: one version of the configuration in force, and the link to it.
 * The layout, modes and owners are those of config/BUNDLE.md.
 *
 * Owns: the directory's descriptor and lock; what it knows of the version in force.
 * Durable: when applied_replace() returns 0, the new version is in force and durable.
 * Crash: the link leads to the old version whole or to the new one whole; what else was left is
 * removed by the next applied_replace().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "command/encrypted_credential.h"
#include "config/bundle.h"

struct applied;

/* Made if missing, and locked. With @encryption, which is borrowed and may be NULL, what a
 * configuration names as a credential is in the bundle, and written encrypted. ERROR_BUSY: another
 * `config apply` is at work. ERROR_USAGE: others than the caller may write there. ERROR_DEFECT:
 * what is in force is not what was applied. */
int applied_open(const char *path, const struct credential_encryption *encryption,
		 struct applied **ret_applied, struct error *err) MUST_CHECK;
void applied_free(struct applied *applied);
DEFINE_CLEANUP(applied_free, struct applied *);

int applied_fd(const struct applied *applied);			       /* borrowed */
const struct bundle_mark *applied_mark(const struct applied *applied); /* NULL: nothing yet */

/* Whose files are what: (uid_t)-1: the caller's. */
struct applied_owners {
	uid_t hsm_uid, pull_uid, forward_uid;
};

/* ERROR_USAGE if @config names a file of the directory, or a credential, that the bundle does not
 * have, a secret by its path where credentials are encrypted, or one file for two daemons. */
int applied_check_named(const struct applied *applied, const struct bundle *bundle,
			const struct config *config, struct error *err) MUST_CHECK;

/* Bring the bundle into force. Its version is greater than the one of applied_mark(). */
int applied_replace(struct applied *applied, const struct bundle *bundle,
		    const struct config *config, const struct bundle_mark *mark,
		    const struct applied_owners *owners, struct error *err) MUST_CHECK;
