/* binvault-pull SOURCE: follow one source's binlog into segments that the keeper opens. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/watchdog.h"
#include "program/program.h"
#include "pull/credential.h"
#include "pull/credential_runner.h"
#include "pull/puller.h"
#include "pull/task.h"

/* As long as we may still fork, and before there is a secret or a ring. */
static int start_runner(const struct program *program, int *ret_fd, struct error *err)
{
	const struct credential_runner_options options = {
		.command = credential_command_path(program->source),
		.source = program->source->name,
		.confine = sandbox_confine_command,
	};

	return options.command ? credential_runner_start(&options, ret_fd, err) : 0;
}

/* One question, asked by `binvault source`: no ring, no keeper, the same user and sandbox. */
static int run_task(struct program *program, struct error *err)
{
	struct task_options options = {
		.source = program->source,
		.task = program->task,
		.runner_fd = -1,
		.server = program->server,
	};
	CLEANUP(json_decrefp)
	json_t *answer = NULL;

	if (program_drop_privileges(program, err) < 0 ||
	    start_runner(program, &options.runner_fd, err) < 0 ||
	    sandbox_seal(SANDBOX_PULL, err) < 0 || task_run(&options, &answer, err) < 0)
		return err->code;
	if (json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS) < 0 || fflush(stdout) != 0)
		return error_set(err, ERROR_IO, "standard output could not be written");
	return 0;
}

static int run(struct program *program, struct error *err)
{
	struct puller_options options = {
		.config = program->config,
		.source = program->source,
		.stopping = program_stopping,
		.stop_fd = program_stop_fd(),
		.runner_fd = -1,
	};
	CLEANUP(puller_freep)
	struct puller *puller = NULL;
	int r;

	program_bound_name_service();
	if (program->task)
		return run_task(program, err);
	if (program_drop_privileges(program, err) < 0 ||
	    start_runner(program, &options.runner_fd, err) < 0 || ring_new(&options.ring, err) < 0)
		return err->code;
	/* The only thread; none can be started once the sandbox is sealed. */
	r = observer_new(program->source, &options.observer, err);
	if (r == 0)
		r = sandbox_seal(SANDBOX_PULL, err);
	if (r == 0)
		r = puller_new(&options, &puller, err);
	if (r == 0) {
		watchdog_ready();
		r = puller_run(puller, err);
	}
	puller_free(TAKE(puller));
	observer_free(options.observer);
	ring_free(options.ring);
	return r;
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-pull",
		.role = SANDBOX_PULL,
		.takes_source = true,
		.takes_task = true,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
