#include <inttypes.h>
#include <stdio.h>

#include "command/commands.h"

static int run(struct command_context *context, struct error *err)
{
	const struct config *config;

	if (context->argument_count > 0)
		context->config_path = context->arguments[0];
	if (command_config(context, &config, err) < 0)
		return err->code;
	printf("%s: in order: vault '%s', %zu source%s", config->path, config->name,
	       config->source_count, config->source_count == 1 ? "" : "s");
	if (config->bundle_version > 0)
		printf(", applied as version %" PRIu64 " of its bundle", config->bundle_version);
	putchar('\n');
	return 0;
}

const struct command command_config_check = {
	.verb = "config check",
	.arguments = "[FILE]",
	.argument_max = 1,
	.summary = "say whether a configuration is in order, or FILE:LINE: what is wrong with it",
	.description = "FILE is the configuration; default: that of --config. Files that it names "
		       "are not looked at.",
	.run = run,
};
