/* binvault-keeper: opens, seals and recovers segments; ledger, periods, requests. */
#include "program/program.h"

#include <stdlib.h>
#include <sys/types.h>

#include "io/watchdog.h"
#include "keeper/keeper.h"

static void stop(void *context, int fd)
{
	struct keeper *keeper = context;

	/* It stays readable. */
	loop_unwatch(keeper->loop, fd);
	keeper_stop(keeper);
}

/* How far our processes are kept apart, as `status` and the ledger say it. */
static const char *isolation(const struct program *program)
{
	if (program->user)
		return "users";
	/* Set by systemd for what it starts as a unit. */
	return getenv("INVOCATION_ID") && getppid() == 1 ? "units" : "seccomp";
}

static int peers(const struct program *program, struct keeper_options *options, struct error *err)
{
	gid_t gid;
	int r = program_peer(program, PROGRAM_USER_PULL, &options->pull_uid, &gid, err);

	if (r == 0)
		r = program_peer(program, PROGRAM_USER_HSM, &options->hsm_uid, &gid, err);
	if (r == 0)
		r = program_peer(program, PROGRAM_USER_EXPORT, &options->export_uid,
				 &options->export_gid, err);
	return r;
}

static int run(struct program *program, struct error *err)
{
	CLEANUP(keeper_freep)
	struct keeper *keeper = NULL;
	struct keeper_options options = {
		.config = program->config,
		.isolation = isolation(program),
	};
	int r = peers(program, &options, err);

	if (r == 0)
		r = keeper_new(&options, &keeper, err);
	if (r == 0)
		r = program_drop_privileges(program, err);
	if (r == 0)
		r = sandbox_seal(SANDBOX_KEEPER, err);
	if (r == 0)
		r = keeper_start(keeper, err);
	if (r == 0)
		r = loop_watch(keeper->loop, program_stop_fd(), stop, keeper, err);
	if (r < 0)
		return r;
	watchdog_ready();
	return keeper_run(keeper, err);
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-keeper",
		.role = SANDBOX_KEEPER,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
