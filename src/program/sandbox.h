/*
 * What a daemon gives up before it touches anything from outside: its user and capabilities, and
 * then every system call that its role has no need of.
 *
 * Two steps. sandbox_drop_privileges() comes early: after the sockets are listened on (as root
 * they can be given to the one user who may connect), before any connection is read.
 * sandbox_seal() comes when all is open that the filter forbids to open: the ring (io_uring_setup
 * is in no list; what the ring itself may do is restricted in io/ring.c, since seccomp does not see
 * it), and for the exporter its one connection. A system call outside the role's list ends the
 * process with SIGSYS and a line in the kernel's log (type=1326 … syscall=NUMBER).
 *
 * What the filter cannot say: it sees numbers, not what a pointer points to. So paths are not
 * restricted by it; that is done by the users and modes of files. Keeper and exporter may write
 * only through calls that name a directory descriptor: that ends a mistake of ours, but not one who
 * has taken the process over, since an absolute path makes the kernel ignore the descriptor.
 *
 * With BINVAULT_SANITIZED (address, thread and undefined-behaviour builds) the lists also hold what
 * the sanitizers' run-time needs, and the process stays readable for their leak check. Such builds
 * are for tests only. There is no switch that leaves the filter away.
 *
 * Threads: both steps hold for all threads of the process, also those that run already.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum sandbox_role { SANDBOX_PULL, SANDBOX_KEEPER, SANDBOX_HSM, SANDBOX_EXPORT, SANDBOX_FORWARD };

struct sandbox_options {
	enum sandbox_role role;
	const char *user;    /* switch to this user and its groups; NULL: stay who we are */
	bool keep_immutable; /* CAP_LINUX_IMMUTABLE stays, if it is there (keeper) */
};

/*
 * No core dumps, no ptrace, no new privileges; the user's uid, gid and groups; no capability but
 * the one named. A parent-death signal that was set before is set again (a change of user clears
 * it). ERROR_USAGE if the user does not exist or we are not root, ERROR_FAILED otherwise.
 */
int sandbox_drop_privileges(const struct sandbox_options *options, struct error *err) MUST_CHECK;

/* Is CAP_LINUX_IMMUTABLE effective now? For `worm = required`. */
bool sandbox_has_immutable(void);

/* Install the role's filter, for good. */
int sandbox_seal(enum sandbox_role role, struct error *err) MUST_CHECK;

/*
 * For a process that runs a program of the site's own, and for that program: what nobody who
 * fetches a secret needs, and who wants to get out or at another process does, ends in EPERM. A
 * list of what is forbidden and not of what is allowed, since nobody knows what the program is. It
 * can do nothing that its user may not: what it may reach (the network, the sockets of that user)
 * stays open.
 */
int sandbox_confine_command(struct error *err) MUST_CHECK;
