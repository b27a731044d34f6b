/*
 * What `binvault-pull --task` answers about a source, without a keeper and without an archive.
 *
 * "test": the pre-flight of each server of the source (or of @server), every rule with its verdict;
 * a server that cannot be reached has its sentence instead.
 * "grants": the SQL that makes the account on the first server (or @server), with its flavour and
 * our address as it sees us; "grants:mysql" and "grants:mariadb": without connecting.
 *
 * Owns: nothing. Threads: one. Blocks, with the time-outs of connection.h.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "config/config.h"

struct task_options {
	const struct config_source *source;
	const char *task;
	int runner_fd;	    /* of credential_runner_start(), or -1; ours */
	const char *server; /* "HOST:PORT", one of the source's; NULL: see above */
};

/* ERROR_USAGE for what is no task or no server of the source. */
int task_run(const struct task_options *options, json_t **ret_answer, struct error *err) MUST_CHECK;
