#include <stdio.h>

#include "command/commands.h"

static int run(struct command_context *context, struct error *err)
{
	(void)err;
	if (context->output == COMMAND_OUTPUT_JSON)
		printf("{\"schema\":1,\"version\":\"%s\"}\n", BINVAULT_VERSION);
	else
		printf("binvault %s\n", BINVAULT_VERSION);
	return 0;
}

const struct command command_version = {
	.verb = "version",
	.arguments = "",
	.summary = "print the version",
	.reads = true,
	.run = run,
};
