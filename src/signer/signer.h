/*
 * Requests and their answers, without sockets: what binvault-hsm does and what it refuses.
 *
 * A checkpoint is signed only if it extends the tree that was signed last, for the one archive that
 * the state names; its body is built here. Without state nothing is signed, except with @provision,
 * which `binvault init` asks for: there, signing begins with the empty tree.
 *
 * Owns: the locked state directory and the keys. Threads: one.
 * Durable: the new (size, root) before the token is asked to sign it.
 * Crash: see signer/last_signed.h and signer/login_record.h.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "protocol/hsm_messages.h"

struct signer;

/* Take the state, log in, load the keys. Errors as keys_open(); ERROR_BUSY: another binvault-hsm
 * has this state. The configuration is borrowed. */
int signer_open(const struct config *config, bool provision, struct signer **ret_signer,
		struct error *err) MUST_CHECK;
void signer_free(struct signer *signer);
DEFINE_CLEANUP(signer_free, struct signer *);

/*
 * Only with @provision, and there before anything else: the three pairs of this archive, made if
 * missing and wanted, and proved. ERROR_REFUSED if the state belongs to another archive.
 */
int signer_provision(struct signer *signer, const struct hsm_provision *request,
		     struct hsm_keys *ret, struct error *err) MUST_CHECK;

/* ERROR_REFUSED: "hsm state lost". */
int signer_keys(const struct signer *signer, struct hsm_keys *ret, struct error *err) MUST_CHECK;
void signer_last_signed(const struct signer *signer, struct hsm_signed_state *ret);

/* ERROR_REFUSED: another archive, another tree, state lost. ERROR_DEFECT: not a wrap for the key.
 * ERROR_UNAVAILABLE, and signer_failed(): the process must end. */
int signer_unwrap(struct signer *signer, const struct hsm_unwrap *request,
		  struct hsm_unwrapped *ret, struct error *err) MUST_CHECK;
int signer_sign_checkpoint(struct signer *signer, const struct hsm_sign_checkpoint *request,
			   struct hsm_signature *ret, struct error *err) MUST_CHECK;
int signer_sign_manifest(struct signer *signer, const struct hsm_sign_manifest *request,
			 struct hsm_signature *ret, struct error *err) MUST_CHECK;

/* The error that ends the process, or NULL. */
const struct error *signer_failed(const struct signer *signer);
