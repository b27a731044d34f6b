#include "command/commands.h"

#include <stddef.h>

#define COMMAND_ROW(verb) &command_##verb,

static const struct command *const children[] = {SHARE_COMMANDS(COMMAND_ROW) NULL};

const struct command command_share = {
	.verb = "share",
	.arguments = "VERB",
	.summary = "what clients read over the network, until when, and through which server",
	.children = children,
};
