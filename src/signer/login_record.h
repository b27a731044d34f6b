/*
 * The memory that keeps a wrong PIN from being tried twice: a token locks itself after a few, and a
 * supervisor restarts what fails. `trying n` is written before the token is asked, `refused` only
 * after it said so; success and a token that is away remove the record. The PIN stands in it as
 * scrypt(salt, PIN), to see whether it has changed.
 *
 * Durable: login_record_begin() returns 0 when `trying` is. Crash: `trying` stays. Then the same
 * PIN is tried again only while the token's own counter is clear, and at most LOGIN_TRIES_MAX
 * times in all. Threads: one; the directory is locked by its one user.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "hsm/token.h"

#define LOGIN_RECORD_FILE "login"
#define LOGIN_TRIES_MAX	  3

/* ERROR_REFUSED: this token must not be asked with this PIN. @directory is its path, for sentences.
 */
int login_record_begin(int directory_fd, const char *directory, const struct secret *pin,
		       const char *token_serial, enum token_pin_state token_state,
		       struct error *err) MUST_CHECK;

/* What the token answered to token_login(): its return value. */
int login_record_end(int directory_fd, int result, struct error *err) MUST_CHECK;

/* The token has refused this PIN elsewhere (through the engine). */
int login_record_refused(int directory_fd, const struct secret *pin, const char *token_serial,
			 struct error *err) MUST_CHECK;
