#include "command/commands.h"

#include <stddef.h>

#define COMMAND_ROW(verb) &command_##verb,

const struct command *const commands[] = {COMMANDS(COMMAND_ROW) NULL};
