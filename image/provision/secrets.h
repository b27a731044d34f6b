/*
 * The secrets of a vault, each sealed to this machine's TPM (credential.h) and open for as long as
 * somebody needs it: its own key, for which bundles are encrypted, and those of a configuration.
 *
 * Owns: files in memory, between an open and its close. Durable: the key, when secrets_open_key()
 * returns 0; its certificate is the last that is written, so that one that is there has its key.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

/*
 * PLACE_KEY, and PLACE_CERTIFICATE for it. Made at the first start; where a TPM that seals does not
 * open it, twice, it is another TPM than the one that it was made with, and another key is made,
 * which the console says. ERROR_FAILED: the TPM does not even seal; nothing was changed.
 */
int secrets_open_key(struct error *err) MUST_CHECK;
void secrets_close_key(void);

/* ERROR_USAGE: one of them would lie on the data volume as it is. */
int secrets_check(const struct config *config, struct error *err) MUST_CHECK;

/* To each unit its own, from unit_reload() on. */
int secrets_give(const struct config *config, struct error *err) MUST_CHECK;

/* For those who ask the HSM before its service does: the PIN in PLACE_SECRETS, as a credential of
 * its user. ERROR_FAILED: this TPM does not open it; secrets_close_pin() in any case. */
int secrets_open_pin(const struct config *config, struct error *err) MUST_CHECK;
void secrets_close_pin(const struct config *config);
