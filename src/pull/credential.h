/*
 * The password of a source's account: `file:PATH` (its first line), `systemd:NAME` (below
 * $CREDENTIALS_DIRECTORY) or `none` (an account that a client certificate alone opens).
 *
 * Owns: the returned secret is the caller's, who releases it as soon as the login is over.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"

#define PASSWORD_SIZE_MAX 256

/* @ret_password->bytes is a NUL-terminated text; "" for `none`. ERROR_USAGE with a sentence that
 * names the file, never its content. */
int credential_read(const char *credential, struct secret *ret_password,
		    struct error *err) MUST_CHECK;
