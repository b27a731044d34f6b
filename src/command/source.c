#include "command/commands.h"

#include <stddef.h>

#define COMMAND_ROW(verb) &command_##verb,

static const struct command *const children[] = {SOURCE_COMMANDS(COMMAND_ROW) NULL};

const struct command command_source = {
	.verb = "source",
	.arguments = "VERB",
	.summary = "test a source's servers, and what else concerns one source alone",
	.children = children,
};
