#include "command/help.h"

#include <string.h>

#include "command/commands.h"

#define OPTION_WIDTH 26
#define VERB_WIDTH   12
#define TEXT_WIDTH   80

static void print_options(FILE *out, const struct command_option *options)
{
	for (; options && options->name; options++) {
		char text[96];

		snprintf(text, sizeof(text), "--%s%s%s", options->name, options->value ? " " : "",
			 options->value ? options->value : "");
		fprintf(out, "  %-*s  %s\n", OPTION_WIDTH, text, options->help);
	}
}

/* Break at blanks before the line's end. A UTF-8 letter counts for its bytes: too early at worst.
 */
static void print_wrapped(FILE *out, const char *text)
{
	while (*text) {
		size_t length = strlen(text);

		if (length > TEXT_WIDTH) {
			length = TEXT_WIDTH;
			while (length > 0 && text[length] != ' ')
				length--;
			if (length == 0) /* one word that is longer: as it is */
				length = strcspn(text, " ");
		}
		fprintf(out, "%.*s\n", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
}

static void print_children(FILE *out, const struct command *command)
{
	for (const struct command *const *child = command->children; *child; child++)
		fprintf(out, "  %-*s  %s\n", VERB_WIDTH, command_child_word(command, *child),
			(*child)->summary);
	fprintf(out, "\nMore: binvault %s VERB --help\n", command->verb);
}

void help_verb(FILE *out, const struct command *command)
{
	fprintf(out, "usage: binvault %s%s%s%s\n\n%s\n", command->verb,
		command->options || command->reads ? " [OPTION…]" : "",
		command->arguments[0] ? " " : "", command->arguments, command->summary);
	if (command->description) {
		fputc('\n', out);
		print_wrapped(out, command->description);
	}
	if (command->children) {
		fputc('\n', out);
		print_children(out, command);
	}
	fputs("\noptions\n", out);
	print_options(out, command->options);
	if (command->reads)
		print_options(out, command_output_option);
	print_options(out, command_global_options);
}

static void help_all(FILE *out)
{
	fputs("usage: binvault VERB [OPTION…] [ARGUMENT…]\n\n", out);
	for (const struct command *const *command = commands; *command; command++)
		fprintf(out, "  %-*s  %s\n", VERB_WIDTH, (*command)->verb, (*command)->summary);
	fputs("\nMore: binvault VERB --help\n", out);
}

static const struct command_option options[] = {
	{"man", NULL, "print the manual page in roff"},
	{"completion", NULL, "print the completion for bash"},
	{NULL, NULL, NULL},
};

static int run(struct command_context *context, struct error *err)
{
	const struct command *command;

	if (command_value(context, "man")) {
		help_man(stdout);
	} else if (command_value(context, "completion")) {
		help_completion(stdout);
	} else if (context->argument_count > 0) {
		command = command_find(context->arguments[0]);
		if (command && context->argument_count > 1)
			command = command_find_child(command, context->arguments[1]);
		if (!command)
			return error_set(
				err, ERROR_USAGE, "there is no verb '%s%s%s'. Do: binvault help",
				context->arguments[0], context->argument_count > 1 ? " " : "",
				context->argument_count > 1 ? context->arguments[1] : "");
		help_verb(stdout, command);
	} else {
		help_all(stdout);
	}
	return 0;
}

const struct command command_help = {
	.verb = "help",
	.arguments = "[VERB [VERB]]",
	.argument_max = 2,
	.summary = "say what can be done",
	.options = options,
	.run = run,
};
