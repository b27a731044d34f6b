/*
 * `binvault VERB`: one struct command per verb, one file per verb. To add one: write
 * `const struct command command_VERB` in src/command/VERB.c, and its line in commands.h. Options,
 * help, manual page and completion come from it.
 *
 * A verb with verbs of its own (`source test`) has `children` instead of `run`; a child's `verb` is
 * both words, and its file is VERB_CHILD.c.
 *
 * A verb writes data to standard output and words to standard error; its errors are returned, and
 * the program's main prints them. What it read was not normal (status): COMMAND_ATTENTION; what it
 * read has defects or gaps (verify, restore): COMMAND_INCOMPLETE.
 *
 * Owns: a context owns its configuration and borrows argv. Threads: main's only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

#define COMMAND_OPTIONS_MAX   16
#define COMMAND_ARGUMENTS_MAX 32

enum command_status { COMMAND_INCOMPLETE = 3, COMMAND_ATTENTION = 6 };
enum command_output { COMMAND_OUTPUT_TEXT, COMMAND_OUTPUT_JSON };

struct command_option {
	const char *name;  /* without the dashes */
	const char *value; /* what it takes, as help shows it ("FILE"); NULL: nothing */
	const char *help;  /* one line, lower case, no full stop */
};

struct command_context;

struct command {
	const char *verb;      /* of a child both words: "source test" */
	const char *arguments; /* as help shows them: "SOURCE"; "" if it takes none */
	size_t argument_min, argument_max;
	const char *summary;		      /* one line: what it does */
	const char *description;	      /* more lines, or NULL */
	bool reads;			      /* takes --output=text|json */
	const struct command_option *options; /* a NULL name behind the last; NULL if none */
	/* 0, an enum command_status, or a negative ERROR_* with a sentence. */
	int (*run)(struct command_context *context, struct error *err);
	const struct command *const *children; /* instead of run; NULL behind the last */
};

struct command_context {
	const struct command *command;
	const char *config_path;
	enum command_output output;
	bool help; /* --help was given: print it, do not run */
	const char *arguments[COMMAND_ARGUMENTS_MAX];
	size_t argument_count;
	const char *values[COMMAND_OPTIONS_MAX]; /* by index in command->options */
	struct config *config;			 /* NULL until command_config() */
};

/* The table (commands.c); NULL behind the last. */
extern const struct command *const commands[];
const struct command *command_find(const char *verb);

/* The child of @command that @word names, and that word of a child. */
const struct command *command_find_child(const struct command *command, const char *word);
const char *command_child_word(const struct command *command, const struct command *child);

/* Options that every verb has (--config, --help); a NULL name behind the last. The second is for
 * verbs that read (--output). */
extern const struct command_option command_global_options[];
extern const struct command_option command_output_option[];

/* What the command line says. ERROR_USAGE with a sentence that says what to do. */
int command_parse(int argc, char **argv, struct command_context *ret_context,
		  struct error *err) MUST_CHECK;
void command_release(struct command_context *context);

/* The value of --@name: NULL if it was not given, "" if it takes none. ASSERTs that it exists. */
const char *command_value(const struct command_context *context, const char *name);

/* The same of an option that must be given: ERROR_USAGE if it was not, or is empty. */
int command_required(const struct command_context *context, const char *name,
		     const char **ret_value, struct error *err) MUST_CHECK;

/* The configuration, with its hash; loaded at the first call. */
int command_config(struct command_context *context, const struct config **ret_config,
		   struct error *err) MUST_CHECK;
