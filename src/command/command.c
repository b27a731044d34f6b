#include "command/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "config/bundle.h"
#include "crypto/hash.h"

const struct command_option command_global_options[] = {
	{"config", "FILE", "the configuration; default " CONFIG_PATH_DEFAULT},
	{"help", NULL, "say what the verb does and which options it has"},
	{NULL, NULL, NULL},
};
const struct command_option command_output_option[] = {
	{"output", "text|json", "for people, or for programs; default text"},
	{NULL, NULL, NULL},
};

/* What getopt_long() returns for an option: its place in one of the three tables. */
enum { PLACE_CONFIG = 256, PLACE_HELP, PLACE_OUTPUT, PLACE_OWN };

const struct command *command_find(const char *verb)
{
	for (const struct command *const *command = commands; *command; command++) {
		if (strcmp((*command)->verb, verb) == 0)
			return *command;
	}
	return NULL;
}

const char *command_child_word(const struct command *command, const struct command *child)
{
	return child->verb + strlen(command->verb) + 1;
}

const struct command *command_find_child(const struct command *command, const char *word)
{
	for (const struct command *const *child = command->children; child && *child; child++) {
		if (strcmp(command_child_word(command, *child), word) == 0)
			return *child;
	}
	return NULL;
}

static size_t add_options(struct option *options, size_t count, const struct command_option *table,
			  int first_place)
{
	for (int i = 0; table && table[i].name; i++) {
		ASSERT(count < COMMAND_OPTIONS_MAX + 3);
		options[count++] = (struct option){table[i].name,
						   table[i].value ? required_argument : no_argument,
						   NULL, first_place + i};
	}
	return count;
}

static int take_output(struct command_context *context, const char *text, struct error *err)
{
	if (strcmp(text, "text") == 0)
		context->output = COMMAND_OUTPUT_TEXT;
	else if (strcmp(text, "json") == 0)
		context->output = COMMAND_OUTPUT_JSON;
	else
		return error_set(err, ERROR_USAGE, "--output=%s: it is text or json", text);
	return 0;
}

static int refuse_option(const struct command_context *context, const char *text, bool known,
			 struct error *err)
{
	return error_set(err, ERROR_USAGE, "%s '%s'. Do: binvault %s --help",
			 known ? "no value, or one that it does not take, with option"
			       : "unknown or ambiguous option",
			 text, context->command->verb);
}

static int parse_options(struct command_context *context, int argc, char **argv, struct error *err)
{
	struct option options[COMMAND_OPTIONS_MAX + 4] = {{NULL, 0, NULL, 0}};
	size_t count = add_options(options, 0, command_global_options, PLACE_CONFIG);
	int place;

	if (context->command->reads)
		count = add_options(options, count, command_output_option, PLACE_OUTPUT);
	add_options(options, count, context->command->options, PLACE_OWN);
	optind = 0; /* glibc: start over */
	opterr = 0;
	while ((place = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
		if (place == '?' || place == ':')
			return refuse_option(context, argv[optind - 1],
					     place == ':' || optopt >= PLACE_CONFIG, err);
		if (place == PLACE_CONFIG)
			context->config_path = optarg;
		else if (place == PLACE_HELP)
			context->help = true;
		else if (place == PLACE_OUTPUT && take_output(context, optarg, err) < 0)
			return err->code;
		else if (place >= PLACE_OWN)
			context->values[place - PLACE_OWN] = optarg ? optarg : "";
	}
	return 0;
}

static int parse_arguments(struct command_context *context, int count, char **arguments,
			   struct error *err)
{
	const struct command *command = context->command;

	ASSERT(command->argument_max <= COMMAND_ARGUMENTS_MAX);
	if (context->help)
		return 0;
	if (command->children)
		return error_set(err, ERROR_USAGE,
				 "'%s' needs a second word. Do: binvault %s --help", command->verb,
				 command->verb);
	if ((size_t)count < command->argument_min || (size_t)count > command->argument_max)
		return error_set(err, ERROR_USAGE, "usage: binvault %s%s%s. Do: binvault %s --help",
				 command->verb, command->arguments[0] ? " " : "",
				 command->arguments, command->verb);
	for (int i = 0; i < count; i++)
		context->arguments[i] = arguments[i];
	context->argument_count = (size_t)count;
	return 0;
}

/* `binvault --config FILE VERB …` as well as `binvault VERB --config FILE …`. */
static int skip_config(struct command_context *context, int argc, char **argv, int index)
{
	for (; index < argc; index++) {
		const char *word = argv[index];

		if (strcmp(word, "--config") == 0 && index + 1 < argc)
			context->config_path = argv[++index];
		else if (strncmp(word, "--config=", strlen("--config=")) == 0)
			context->config_path = word + strlen("--config=");
		else
			break;
	}
	return index;
}

/* The second word of a verb that has children; an option or nothing leaves it at the first. */
static int find_child(struct command_context *context, int argc, char **argv, int *index,
		      struct error *err)
{
	const struct command *parent = context->command;
	int next = skip_config(context, argc, argv, *index + 1);

	if (!parent->children || next >= argc || argv[next][0] == '-')
		return 0;
	context->command = command_find_child(parent, argv[next]);
	if (!context->command)
		return error_set(err, ERROR_USAGE,
				 "there is no verb '%s %s'. Do: binvault %s --help", parent->verb,
				 argv[next], parent->verb);
	*index = next;
	return 0;
}

static int find_verb(struct command_context *context, int argc, char **argv, int *ret_index,
		     struct error *err)
{
	int index = skip_config(context, argc, argv, 1);
	const char *word = index < argc ? argv[index] : "help";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		word = "help";
	else if (strcmp(word, "--version") == 0)
		word = "version";
	context->command = command_find(word);
	if (!context->command)
		return error_set(err, ERROR_USAGE, "there is no verb '%s'. Do: binvault help",
				 word);
	*ret_index = MIN(index, argc - 1);
	return find_child(context, argc, argv, ret_index, err);
}

int command_parse(int argc, char **argv, struct command_context *ret_context, struct error *err)
{
	struct command_context context = {.config_path = CONFIG_PATH_DEFAULT};
	int index = 0;

	if (argc < 1)
		return error_set(err, ERROR_USAGE, "no command line");
	if (find_verb(&context, argc, argv, &index, err) < 0 ||
	    parse_options(&context, argc - index, argv + index, err) < 0 ||
	    parse_arguments(&context, argc - index - optind, argv + index + optind, err) < 0)
		return err->code;
	*ret_context = context;
	return 0;
}

void command_release(struct command_context *context)
{
	config_free(context->config);
	context->config = NULL;
}

const char *command_value(const struct command_context *context, const char *name)
{
	const struct command_option *options = context->command->options;

	for (size_t i = 0; options && options[i].name; i++) {
		if (strcmp(options[i].name, name) == 0)
			return context->values[i];
	}
	assert_failed(name, __FILE__, __LINE__);
}

int command_required(const struct command_context *context, const char *name,
		     const char **ret_value, struct error *err)
{
	const char *value = command_value(context, name);

	if (!value || value[0] == '\0')
		return error_set(err, ERROR_USAGE, "--%s is missing. Do: binvault %s --help", name,
				 context->command->verb);
	*ret_value = value;
	return 0;
}

int command_config(struct command_context *context, const struct config **ret_config,
		   struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	struct hash hash;
	size_t size;

	if (!context->config) {
		if (config_read(context->config_path, &text, &size, err) < 0 ||
		    config_parse(context->config_path, text, size, &context->config, err) < 0)
			return err->code;
		hash_bytes(text, size, &hash);
		if (bundle_identify(context->config, hash.bytes, err) < 0) {
			config_free(TAKE(context->config));
			return err->code;
		}
	}
	*ret_config = context->config;
	return 0;
}
