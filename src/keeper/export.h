/*
 * Restores and `verify --decrypt`: a request's life from its leaf to `exported` or `export-failed`.
 *
 *   request leaf → approved leaf (policy: the caller is enough) → plan, from the leaves of the
 *   archive as the last checkpoint and its signature say, in a worker → NAME.partial → one
 *   connection to binvault-export → per segment: period key, segment key, descriptor → what was
 *   read is what was planned → manifest, signed by the HSM → NAME.partial becomes NAME
 * (export_directory.h) → leaf
 *
 * Owns: requests that run (EXPORTS_MAX) and what became of the last EXPORTS_REMEMBERED.
 * Threads: the loop's; the plan is made by a job on a store of its own.
 * Durable: no final name before everything in it is, and the manifest is signed.
 * Crash: export_queue_start() removes the NAME.partial of a request without result; one that was
 * renamed already gets the leaf that is missing.
 */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"

#define EXPORTS_MAX	   4 /* as many as `binvault run` starts */
#define EXPORTS_REMEMBERED 64

struct export_queue;
struct keeper;
struct operator_caller;

/* @export_gid: group of what is exported, (gid_t)-1: the keeper's own. */
int export_queue_new(struct keeper *keeper, gid_t export_gid, struct export_queue **ret_queue,
		     struct error *err) MUST_CHECK;
void export_queue_free(struct export_queue *queue);
DEFINE_CLEANUP(export_queue_free, struct export_queue *);

/* The archive is open, and hsm and periods stand: take care of what a crash left. */
int export_queue_start(struct export_queue *queue, struct error *err) MUST_CHECK;

/*
 * Verbs of the operator's socket (operator.h).
 *
 * restore: source, to, [form: "files" | "tar"], [client, [keep_usec]], [from_file], [generation],
 * [until_usec | until_file and until_position], [reason] gives request. verify-decrypt: gives
 * request. request-status: request gives state ("planning", "running", "done", "failed"),
 * byte_count and byte_total, file_count, and once it has ended what came of it.
 */
int export_answer_restore(struct keeper *keeper, const struct operator_caller *caller,
			  const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
int export_answer_verify(struct keeper *keeper, const struct operator_caller *caller,
			 const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
int export_answer_status(struct keeper *keeper, const struct operator_caller *caller,
			 const json_t *request, json_t *reply, struct error *err) MUST_CHECK;
