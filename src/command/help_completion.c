#include <stdio.h>

#include "command/commands.h"
#include "command/help.h"

static void put_options(FILE *out, const struct command_option *options)
{
	for (; options && options->name; options++)
		fprintf(out, " --%s", options->name);
}

static void put_verb(FILE *out, const struct command *command, const char *word, const char *indent)
{
	fprintf(out, "%s%s) words='", indent, word);
	put_options(out, command->options);
	if (command->reads)
		put_options(out, command_output_option);
	put_options(out, command_global_options);
	fputs("' ;;\n", out);
}

static void put_children(FILE *out, const struct command *command)
{
	const struct command *const *child;

	fprintf(out, "\t\t%s)\n\t\t\tcase ${COMP_WORDS[2]-} in\n", command->verb);
	for (child = command->children; *child; child++)
		put_verb(out, *child, command_child_word(command, *child), "\t\t\t");
	fputs("\t\t\tesac\n\t\t\t((COMP_CWORD > 2)) || words='", out);
	for (child = command->children; *child; child++)
		fprintf(out, "%s%s", child == command->children ? "" : " ",
			command_child_word(command, *child));
	fputs("'\n\t\t\t;;\n", out);
}

void help_completion(FILE *out)
{
	fputs("_binvault()\n{\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	      "\tcase $before in\n"
	      "\t--config) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n"
	      "\t--output) words='text json' ;;\n"
	      "\t*)\n"
	      "\t\tcase ${COMP_WORDS[1]-} in\n",
	      out);
	for (const struct command *const *command = commands; *command; command++) {
		if ((*command)->children)
			put_children(out, *command);
		else
			put_verb(out, *command, (*command)->verb, "\t\t");
	}
	fputs("\t\tesac\n\t\t;;\n\tesac\n\t((COMP_CWORD > 1)) || words='", out);
	for (const struct command *const *command = commands; *command; command++)
		fprintf(out, "%s%s", command == commands ? "" : " ", (*command)->verb);
	fputs("'\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\n"
	      "complete -F _binvault binvault\n",
	      out);
}
