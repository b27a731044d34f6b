/*
 * The configuration as the servers of the share read it: each client's directory, `[export]
 * path`/CLIENT, for its addresses alone. It changes with [client NAME] and [export], never with a
 * restore: what a client sees comes and goes in its directory (keeper/share.h).
 *
 * Owns: nothing. Threads: one.
 */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

enum share_kind {
	SHARE_NFS,	    /* lines of exports(5); only with RPC-with-TLS of both sides */
	SHARE_SAMBA,	    /* a whole smb.conf(5); only SMB 3.1.1, encrypted */
	SHARE_SAMBA_USERS,  /* passwd(5) of an smbd that has one of its own: the clients */
	SHARE_NFS_FILTER,   /* rules for the table `inet binvault` of nft(8): port 2049 */
	SHARE_SAMBA_FILTER, /* the same for port 445 */
};
const char *share_kind_name(enum share_kind kind); /* "nfs", "nfs-filter"; NULL behind the last */

/* @gid: of what is exported. ERROR_USAGE if no client is configured, or the path of its directory
 * cannot be said to that server. */
int share_config_write(const struct config *config, enum share_kind kind, gid_t gid, FILE *stream,
		       struct error *err) MUST_CHECK;
