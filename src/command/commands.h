/*
 * The list of verbs, in the order in which help shows them. A verb is `const struct command
 * command_VERB` in VERB.c, and one line here.
 */
#pragma once

#include "command/command.h"

/* clang-format off */
#define COMMANDS(VERB) \
	VERB(init) \
	VERB(run) \
	VERB(status) \
	VERB(list) \
	VERB(verify) \
	VERB(restore) \
	VERB(version) \
	VERB(help)
/* clang-format on */

#define COMMAND_DECLARE(verb) extern const struct command command_##verb;
COMMANDS(COMMAND_DECLARE)
