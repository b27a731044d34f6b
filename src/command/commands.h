/*
 * The lists of verbs, in the order in which help shows them. A verb is `const struct command
 * command_VERB` in VERB.c, and one line here; `binvault source WORD` is command_source_WORD in
 * source_WORD.c, and so with `share`. (`config` itself is command_config_verbs: command_config() is
 * a function.)
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
	VERB(config_verbs) \
	VERB(restore) \
	VERB(share) \
	VERB(version) \
	VERB(help)

#define SOURCE_COMMANDS(VERB) \
	VERB(source_test) \
	VERB(source_grants) \
	VERB(source_pause) \
	VERB(source_resume) \
	VERB(source_accept_gap) \
	VERB(source_purge_advice)

#define CONFIG_COMMANDS(VERB) \
	VERB(config_check) \
	VERB(config_seal) \
	VERB(config_show) \
	VERB(config_apply)

#define SHARE_COMMANDS(VERB) \
	VERB(share_list) \
	VERB(share_withdraw) \
	VERB(share_config)
/* clang-format on */

#define COMMAND_DECLARE(verb) extern const struct command command_##verb;
COMMANDS(COMMAND_DECLARE)
SOURCE_COMMANDS(COMMAND_DECLARE)
CONFIG_COMMANDS(COMMAND_DECLARE)
SHARE_COMMANDS(COMMAND_DECLARE)
