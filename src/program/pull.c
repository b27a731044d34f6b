/* binvault-pull SOURCE: follow one source's binlog into segments that the keeper opens. */
#include "program/program.h"
#include "pull/credential.h"
#include "pull/credential_runner.h"
#include "pull/puller.h"

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

	if (program_drop_privileges(program, err) < 0 ||
	    start_runner(program, &options.runner_fd, err) < 0 || ring_new(&options.ring, err) < 0)
		return err->code;
	r = sandbox_seal(SANDBOX_PULL, err);
	if (r == 0)
		r = puller_new(&options, &puller, err);
	if (r == 0)
		r = puller_run(puller, err);
	puller_free(TAKE(puller));
	ring_free(options.ring);
	return r;
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-pull",
		.role = SANDBOX_PULL,
		.takes_source = true,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
