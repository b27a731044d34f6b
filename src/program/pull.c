/* binvault-pull SOURCE: follow one source's binlog into segments that the keeper opens. */
#include "program/program.h"
#include "pull/puller.h"

static int run(struct program *program, struct error *err)
{
	struct puller_options options = {
		.config = program->config,
		.source = program->source,
		.stopping = program_stopping,
		.stop_fd = program_stop_fd(),
	};
	CLEANUP(puller_freep)
	struct puller *puller = NULL;
	int r;

	if (program_drop_privileges(program, err) < 0 || ring_new(&options.ring, err) < 0)
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
