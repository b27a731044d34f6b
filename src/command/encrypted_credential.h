/*
 * A secret as systemd's encrypted credential, which only the host or its TPM opens
 * (LoadCredentialEncrypted= of a unit): `systemd-creds encrypt` reads it from memory and writes it
 * encrypted, so that no file ever holds it as it is.
 *
 * Owns: nothing; the program has ended when encrypted_credential_write() returns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct credential_encryption {
	const char *key;   /* --with-key= of systemd-creds: host, tpm2, host+tpm2, … */
	const char *pcrs;  /* --tpm2-pcrs=; NULL: as systemd has it */
	const char *names; /* "NAME,NAME": beside what the configuration names; NULL: none */
};

/* Does @names of @encryption, which may be NULL, have this one? */
bool encrypted_credential_listed(const struct credential_encryption *encryption, const char *name);

/* Into @fd, an empty file, which the caller syncs. What is wrong systemd-creds says itself, on our
 * standard error. ERROR_FAILED, ERROR_NOT_FOUND: there is no such program. */
int encrypted_credential_write(const struct credential_encryption *encryption, const char *name,
			       const void *bytes, size_t size, int fd,
			       struct error *err) MUST_CHECK;
