/*
 * What a credential command prints: one JSON object, nothing before and nothing behind it but
 * blanks.
 *
 *     {"user":"binvault-x7","password":"…","expires":"2026-11-26T17:00:00Z"}
 *
 * `user` and `expires` (UTC) may be missing; any other key is refused, since it would be one of
 * these misspelled. Read by hand and not by the JSON library, which would leave copies of the
 * password in memory that nobody wipes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CREDENTIAL_USER_MAX	128
#define CREDENTIAL_PASSWORD_MAX 256

/* NUL-terminated texts. Lies in a secret, and nowhere else. */
struct credential_answer {
	char user[CREDENTIAL_USER_MAX + 1]; /* "": as configured */
	char password[CREDENTIAL_PASSWORD_MAX + 1];
	uint64_t expires_usec; /* since 1970, 0: not said */
};

/* @ret_answer is written in any case, and wiped if it fails. ERROR_DEFECT with a sentence that
 * names a place in @text, never what stands there. */
int credential_answer_decode(const char *text, size_t size, struct credential_answer *ret_answer,
			     struct error *err) MUST_CHECK;
