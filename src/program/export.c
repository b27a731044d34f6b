/* binvault-export: decrypts and checks one approved request, over one connection of the keeper. */
#include "program/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "restore/exporter.h"

/*
 * Nothing is to be put in order here: the keeper sees the end of the connection and removes what
 * was written. So a signal ends the process at once, also while it waits for the keeper.
 */
static int end_on_signals(struct error *err)
{
	struct sigaction end = {.sa_handler = SIG_DFL};

	if (sigaction(SIGTERM, &end, NULL) < 0 || sigaction(SIGINT, &end, NULL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "signal handlers");
	return 0;
}

static int run(struct program *program, struct error *err)
{
	struct hello hello = {.program = "binvault-export", .version = BINVAULT_VERSION};

	if (program->connection < 0)
		return error_set(err, ERROR_USAGE,
				 "--connection is missing: `binvault run` or the socket's unit "
				 "starts this program");
	memcpy(hello.config.bytes, program->config->hash, sizeof(hello.config.bytes));
	if (end_on_signals(err) < 0 || program_drop_privileges(program, err) < 0 ||
	    sandbox_seal(program->role, err) < 0)
		return err->code;
	return exporter_run(program->connection, &hello, err);
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-export",
		.role = SANDBOX_EXPORT,
		.takes_connection = true,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
