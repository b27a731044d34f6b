/*
 * The lists of verbs, in the order in which help shows them. A verb is `const struct command
 * command_VERB` in VERB.c, and one line here; `binvault source WORD` is command_source_WORD in
 * source_WORD.c.
 */
#pragma once

#include "command/command.h"

/* clang-format off */
#define COMMANDS(VERB) \
	VERB(init) \
	VERB(run) \
	VERB(status) \
	VERB(check) \
	VERB(list) \
	VERB(verify) \
	VERB(source) \
	VERB(restore) \
	VERB(version) \
	VERB(help)

#define SOURCE_COMMANDS(VERB) \
	VERB(source_test) \
	VERB(source_grants) \
	VERB(source_pause) \
	VERB(source_resume) \
	VERB(source_accept_gap) \
	VERB(source_purge_advice)
/* clang-format on */

#define COMMAND_DECLARE(verb) extern const struct command command_##verb;
COMMANDS(COMMAND_DECLARE)
SOURCE_COMMANDS(COMMAND_DECLARE)
