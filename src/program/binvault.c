/* What people type. The verbs are in command/; here is only how their end is told. */
#include <stdio.h>

#include "command/command.h"
#include "command/help.h"

int main(int argc, char **argv)
{
	struct command_context context = {.command = NULL};
	struct error err = {0};
	int result = command_parse(argc, argv, &context, &err);

	if (result == 0 && context.help)
		help_verb(stdout, context.command);
	else if (result == 0)
		result = context.command->run(&context, &err);
	/* A full disk or a closed pipe behind our output must not pass for success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && result >= 0)
		result = error_set(&err, ERROR_IO, "standard output could not be written");
	if (result < 0)
		fprintf(stderr, "binvault: %s\n", err.message);
	command_release(&context);
	return result < 0 ? error_exit_status(result) : result;
}
