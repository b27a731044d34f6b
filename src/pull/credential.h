/*
 * What a source logs in with: its versions, where the freshest one comes from, and which of them
 * may be tried at which server. Every login of a source goes through one of these objects.
 *
 *   none          an account that a client certificate alone opens
 *   file:PATH     its first line is the password; read again before each login
 *   systemd:NAME  the same, below $CREDENTIALS_DIRECTORY
 *   command:PATH  a program prints it (credential_command.h, run by credential_runner.h): run again
 *                 before a login if it said no expiry, at two thirds of its life if it did, and
 *                 after its login was refused
 *
 * A stream that runs is not touched by any of this: servers judge a password at the login and never
 * later. (Seen with MariaDB 10.11 and MySQL 9.7: a dump goes on while its account's password is
 * changed or expires, while the account is locked, and even when it is dropped.)
 *
 * A version is told from another by a salted hash of user, password and TLS certificate, which a
 * server judges together. A version that a server has refused is not tried there again until
 * another is there, credential_forgive() is called or `retry-refused-login-after` has passed:
 * a pipeline that fails must not lock the account. A file written anew with the same content is
 * the same version: its agents do that every few minutes. When the newest version is refused, the
 * one before is tried in its place, once, if it had worked: a rotation may have come half way. And
 * when a version that worked at a server is refused there, its account has been changed since, so
 * that what it refused before is tried anew.
 *
 * Owns: the versions, each in a locked page; the runner's descriptor. Threads: one. Blocks: never,
 * but for reading files. A restart forgets what was refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "config/config.h"
#include "crypto/hash.h"

struct credential;

/* @runner_fd: of credential_runner_start(), ours from now on; -1 unless it is a command. */
struct credential *credential_new(const struct config_source *source, int runner_fd);
void credential_free(struct credential *credential);
DEFINE_CLEANUP(credential_free, struct credential *);

/* The path of the command, NULL if it is none. */
const char *credential_command_path(const struct config_source *source);

/* --- the freshest ---------------------------------------------------------------------------- */

/*
 * A login is wanted. 1: what is held is as fresh as can be. 0: the command runs: call again when
 * credential_fd() is readable or at credential_deadline(). Errors: there is nothing to log in with;
 * ERROR_USAGE: a person must act; ERROR_UNAVAILABLE: later; ERROR_CLOSED: only in another process.
 */
int credential_want(struct credential *credential, struct error *err) MUST_CHECK;

/* What is due: take the command's answer, run it again before what is held expires. At any time. */
void credential_step(struct credential *credential);

/* While an answer is awaited, what is readable when it is there; else -1. */
int credential_fd(const struct credential *credential);

/* When credential_step() is to be called at the latest, monotonic; UINT64_MAX: no such time. */
uint64_t credential_deadline(const struct credential *credential);

/* As credential_want(), and waits for the command. For who has nothing else to do. */
int credential_wait(struct credential *credential, struct error *err) MUST_CHECK;

/* --- a login --------------------------------------------------------------------------------- */

/* One version as it is tried. It may be kept longer than its texts, which are borrowed until the
 * next call of this header. */
struct login {
	const char *user, *password;
	uint64_t since_usec;		  /* realtime: when it was written or given */
	struct hash secret_id, judged_id; /* for the two below */
};

/* What to log in with at this server of the source. ERROR_REFUSED, with the sentence of then: what
 * there is has been refused by it. */
int credential_login(struct credential *credential, size_t server_index, struct login *ret_login,
		     struct error *err) MUST_CHECK;

/* How it went, now or when another thread has tried it. The refusal's sentence in @err gets its
 * end: what is done about it. */
void credential_accepted(struct credential *credential, size_t server_index,
			 const struct login *login);
int credential_refused(struct credential *credential, size_t server_index,
		       const struct login *login, struct error *err);

/* When the password of @login came, as "2026-08-22"; "" if there is none. */
#define CREDENTIAL_DATE_SIZE 11
void credential_date(const struct login *login, char date[static CREDENTIAL_DATE_SIZE]);

/* A person says that it is to be tried again. */
void credential_forgive(struct credential *credential);
