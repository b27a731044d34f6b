/* binvault-export: decrypts and checks one approved request, over one connection of the keeper. */
#include "program/program.h"

#include <stdio.h>
#include <string.h>

#include "restore/exporter.h"

static int run(struct program *program, struct error *err)
{
	struct hello hello = {.program = "binvault-export", .version = BINVAULT_VERSION};

	if (program->connection < 0)
		return error_set(err, ERROR_USAGE,
				 "--connection is missing: `binvault run` or the socket's unit "
				 "starts this program");
	memcpy(hello.config.bytes, program->config->hash, sizeof(hello.config.bytes));
	if (program_drop_privileges(program, err) < 0 || sandbox_seal(program->role, err) < 0)
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
