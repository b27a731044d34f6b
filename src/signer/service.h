/*
 * binvault-hsm's loop: one thread, a few connections, a request at a time and its answer.
 *
 * Only the keeper's user, root and our own may connect (SO_PEERCRED). A peer that does not speak
 * the protocol loses its connection. When the token is away, the peer hears it and service_run()
 * ends: nothing recovers inside the process.
 *
 * Borrows: all of its options. Threads: one.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "signer/signer.h"

struct service_options {
	struct signer *signer;
	int listen_fd;	  /* -1: none */
	int connection;	  /* -1: none; else it is served alone, until it ends */
	int stop_fd;	  /* readable: end; -1: none */
	uid_t keeper_uid; /* -1: nobody but root and us */
	struct hash config_hash;
};

/* 0: it was stopped, or the only connection has ended. Else why the process must end. */
int service_run(const struct service_options *options, struct error *err) MUST_CHECK;

/*
 * The token cannot be used, for this reason, and the process is about to end: tell it to one client
 * that connects within SERVICE_TELL_MSEC, so that `status` names the reason and not its effect.
 */
#define SERVICE_TELL_MSEC 6000 /* the keeper tries every five seconds */
void service_tell(const struct service_options *options, const struct error *reason);
