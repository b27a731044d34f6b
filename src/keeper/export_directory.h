/*
 * Where a restore goes: `[export] path`/NAME.partial, which becomes NAME when all is done.
 *
 * Owns: nothing; descriptors belong to the caller. Threads: the loop's.
 * Durable: as each function says. Crash: a NAME.partial stays, export_directory_remove() ends it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
#include "store/record.h"
#include "store/request_record.h"

/* ERROR_USAGE without [export] path, ERROR_EXISTS if NAME or NAME.partial is there. */
int export_directory_check(const struct config *config, const char *name,
			   struct error *err) MUST_CHECK;

/* Make NAME.partial, for @gid to write to unless that is -1; returns its descriptor. */
int export_directory_make(const struct config *config, const char *name, gid_t gid,
			  struct error *err) MUST_CHECK;

/* Remove NAME.partial with all that is in it; nothing to do if it is not there. */
int export_directory_remove(const struct config *config, const char *name,
			    struct error *err) MUST_CHECK;

/* Write the public key of the manifest, end all writing by the group, give the final name; all of
 * it durable. */
int export_directory_publish(const struct config *config, const char *name, int directory_fd,
			     const struct signing_key_record *key, struct error *err) MUST_CHECK;

/*
 * NAME stands, and the result of @request is not in the ledger: is it what that request made? 1:
 * yes, and *ret_record is its leaf; 0: it is somebody else's. What @key did not sign is no manifest
 * of ours.
 */
int export_directory_find(const struct config *config, const struct request_record *request,
			  const struct signing_key_record *key, struct exported_record *ret_record,
			  struct error *err) MUST_CHECK;
