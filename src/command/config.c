#include "command/commands.h"

#include <stddef.h>

#define COMMAND_ROW(verb) &command_##verb,

static const struct command *const children[] = {CONFIG_COMMANDS(COMMAND_ROW) NULL};

const struct command command_config_verbs = {
	.verb = "config",
	.arguments = "VERB",
	.summary = "check a configuration; seal it for a vault, and apply it there without a login",
	.children = children,
};
