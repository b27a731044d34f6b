/*
 * One question that `binvault-pull --task` answers about a source, and ends: only that program
 * speaks to database servers, as the user and in the sandbox that it has under `binvault run`.
 *
 * When it fails, the error is its own last sentence, with the code that its exit status stands for.
 *
 * Owns: the process, until the call returns. It ends with us, whatever ends us. Threads: one.
 */
#pragma once

#include "base/json.h"
#include "command/command.h"

struct pull_task {
	const char *task; /* "test", "grants", "grants:mysql", "grants:mariadb" */
	const char *source;
	const char *server; /* "HOST:PORT" of the source's servers, NULL: all or the first */
};

/* *@ret_answer: the JSON object that it printed. */
int pull_task_run(struct command_context *context, const struct pull_task *task,
		  json_t **ret_answer, struct error *err) MUST_CHECK;
