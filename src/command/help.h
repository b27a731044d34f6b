/* What help prints; the manual page and the completion are made from the same table. */
#pragma once

#include <stdio.h>

#include "command/command.h"

/* One verb: usage, description, options. */
void help_verb(FILE *out, const struct command *command);

/* binvault(8) in roff, and bash's completion: for the installation. */
void help_man(FILE *out);
void help_completion(FILE *out);
