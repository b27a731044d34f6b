/*
 * A binvault-hsm of `init`'s own: started with --provision for one connection, asked, ended.
 *
 * When it ends before its time, the error is its own last sentence, with the code that its exit
 * status stands for.
 *
 * Owns: the process, and the socket to it. It ends with us, whatever ends us. Threads: one.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "protocol/hsm_messages.h"

struct provisioner_options {
	const char *directory; /* of the programs */
	const char *config_path;
	const char *user; /* NULL: ours */
};

struct provisioner;

/* When it returns, the token is logged in. */
int provisioner_start(const struct provisioner_options *options,
		      struct provisioner **ret_provisioner, struct error *err) MUST_CHECK;
void provisioner_free(struct provisioner *provisioner);
DEFINE_CLEANUP(provisioner_free, struct provisioner *);

/* Before the others: the three keys, made if missing. */
int provisioner_keys(struct provisioner *provisioner, const struct hsm_provision *request,
		     struct hsm_keys *ret, struct error *err) MUST_CHECK;
int provisioner_last_signed(struct provisioner *provisioner, struct hsm_signed_state *ret,
			    struct error *err) MUST_CHECK;
int provisioner_sign(struct provisioner *provisioner, const struct hsm_sign_checkpoint *request,
		     struct hsm_signature *ret, struct error *err) MUST_CHECK;
