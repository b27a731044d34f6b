/*
 * Secrets that only this machine's TPM opens: systemd's encrypted credentials, sealed to the PCRs
 * that the data volume is sealed to (7 and 12). So none lies on the volume as it is, for whoever
 * opens that by the custodians' key, and each unit gets its own and no other.
 *
 * Owns: nothing. Durable: what credential_seal() returned 0 for; a cut leaves the old one.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define CREDENTIAL_KEY	     "tpm2"
#define CREDENTIAL_PCRS	     "7+12"
#define CREDENTIAL_OTHERS    "share.key,share.smbpasswd" /* of a bundle, for the share's server */
#define CREDENTIAL_TEXT_SIZE 1024

/* The file @from, sealed under @name, replaces the file @to. */
int credential_seal(const char *name, const char *from, const char *to,
		    struct error *err) MUST_CHECK;

/* Into the file @to, 0600, which is gone if it failed. ERROR_FAILED: this TPM does not open it. */
int credential_open(const char *name, const char *from, const char *to,
		    struct error *err) MUST_CHECK;

/* A drop-in that gives a unit what of @values is a credential, out of @directory, with its slash.
 * Pure. */
void credential_drop_in(const char *const *values, size_t count, const char *directory,
			char ret_text[CREDENTIAL_TEXT_SIZE]);
