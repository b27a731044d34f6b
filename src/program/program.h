/*
 * The start that the daemons share: command line, configuration, log, signals, last words.
 *
 *     static int run(struct program *program, struct error *err)
 *     {
 *             … listen (as root: the socket belongs to the one user who may connect) …
 *             if (program_drop_privileges(program, err) < 0) return err->code;
 *             … open what the filter forbids to open: the ring …
 *             if (sandbox_seal(SANDBOX_PULL, err) < 0) return err->code;
 *             while (!program_stopping()) …
 *             return 0;
 *     }
 *     int main(int argc, char **argv)
 *     {
 *             static const struct program_kind kind = {.name = "binvault-pull", …, .run = run};
 *             return program_main(&kind, argc, argv);
 *     }
 *
 * The process ends with the status of interface.md for run()'s code. A sentence is logged as
 * `program.failed` and, under `binvault run`, handed to it. With --task it is no daemon: it answers
 * one question on standard output and ends; then only errors are logged.
 *
 * Owns: the signal flag and its descriptor, for the life of the process.
 * Threads: program_stopping() from any; the rest from main's.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"
#include "program/sandbox.h"

/* The users that `binvault run` starts the daemons as when it is root. */
#define PROGRAM_USER_PULL    "binvault-pull"
#define PROGRAM_USER_KEEPER  "binvault-keeper"
#define PROGRAM_USER_HSM     "binvault-hsm"
#define PROGRAM_USER_EXPORT  "binvault-export"
#define PROGRAM_USER_FORWARD "binvault-forward"

struct program {
	struct config *config;		    /* with its hash */
	const struct config_source *source; /* of SOURCE, if the kind takes one */
	const char *user;		    /* --user, or NULL */
	int connection;			    /* --connection, or -1 */
	bool provision;			    /* --provision */
	const char *task, *server;	    /* --task and --server, or NULL */
	enum sandbox_role role;
};

struct program_kind {
	const char *name; /* "binvault-pull": for --version and HELLO */
	enum sandbox_role role;
	bool takes_source, takes_connection, takes_provision, takes_task;
	int (*run)(struct program *program, struct error *err);
};

/* Returns the exit status. */
int program_main(const struct program_kind *kind, int argc, char **argv);

/* sandbox_drop_privileges() for this role and --user. */
int program_drop_privileges(const struct program *program, struct error *err) MUST_CHECK;

/*
 * getaddrinfo() cannot be interrupted, and by itself waits for half a minute for name servers that
 * say nothing (resolv.conf(5): 5 s, twice, for each of up to three). Who asks again anyhow needs no
 * long questions. The administrator's word holds.
 */
void program_bound_name_service(void);

/*
 * The ids of another daemon's user, which alone may connect: known where each daemon has a user of
 * its own, by --user or because its unit started it as that. Otherwise -1 and -1: nobody else.
 * For channel_listen_for().
 */
int program_peer(const struct program *program, const char *user, uid_t *ret_uid, gid_t *ret_gid,
		 struct error *err) MUST_CHECK;

/* Has SIGTERM or SIGINT come? The descriptor is readable from then on and never read. */
bool program_stopping(void);
int program_stop_fd(void);
