/*
 * Where a restore goes: the directory `[export] path`/NAME.partial, which becomes NAME when all is
 * done; for a client CLIENT:NAME.partial, which becomes CLIENT/NAME, so that he sees nothing
 * before. Of a tar NAME is TO.tar, a file: it is moved out of the directory, which then goes.
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

#define EXPORT_FILE_NAME_SIZE (EXPORT_NAME_MAX + sizeof(".tar"))

/* NAME of this request. */
void export_directory_name(const struct request_record *request,
			   char name[static EXPORT_FILE_NAME_SIZE]);

/* The directory that NAME stands in. */
#define EXPORT_PATH_SIZE 4096
void export_directory_path(const struct config *config, const struct request_record *request,
			   char path[static EXPORT_PATH_SIZE]);

/* Make `[export] path`/CLIENT, for @gid to read unless that is -1; it may be there. */
int export_directory_make_client(const struct config *config, const char *client, gid_t gid,
				 struct error *err) MUST_CHECK;

/* Take NAME away, first from sight; nothing to do if it is not there. */
int export_directory_withdraw(const struct config *config, const struct request_record *request,
			      struct error *err) MUST_CHECK;

/* ERROR_USAGE without [export] path, ERROR_EXISTS if NAME or NAME.partial is there. */
int export_directory_check(const struct config *config, const struct request_record *request,
			   struct error *err) MUST_CHECK;

/* Make NAME.partial, for @gid to write to unless that is -1; returns its descriptor. */
int export_directory_make(const struct config *config, const struct request_record *request,
			  gid_t gid, struct error *err) MUST_CHECK;

/* Remove NAME.partial with all that is in it; nothing to do if it is not there. */
int export_directory_remove(const struct config *config, const struct request_record *request,
			    struct error *err) MUST_CHECK;

/* Write the public key of the manifest: of a tar before its signature is handed out, otherwise
 * export_directory_publish() does. */
int export_directory_write_key(int directory_fd, const struct signing_key_record *key,
			       struct error *err) MUST_CHECK;

/* Write the key, end all writing by the group, give the final name; all of it durable. Of a tar,
 * NAME.partial is still to be removed. */
int export_directory_publish(const struct config *config, const struct request_record *request,
			     int directory_fd, const struct signing_key_record *key,
			     struct error *err) MUST_CHECK;

/*
 * NAME stands, and the result of @request is not in the ledger: is it what that request made? 1:
 * yes, and *ret_record is its leaf; 0: it is somebody else's. What @key did not sign is no manifest
 * of ours.
 */
int export_directory_find(const struct config *config, const struct request_record *request,
			  const struct signing_key_record *key, struct exported_record *ret_record,
			  struct error *err) MUST_CHECK;
