#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "command/commands.h"
#include "command/pull_task.h"

static const struct command_option options[] = {
	{"server", "HOST:PORT", "this one of the source's servers; default the first"},
	{"flavour", "mysql|mariadb", "do not connect: the SQL for a server of this kind"},
	{NULL, NULL, NULL},
};

static void print_statements(const json_t *answer)
{
	const json_t *line, *lines = json_object_get(answer, "statements");
	size_t i;

	json_array_foreach(lines, i, line) printf("%s\n", json_string_value(line));
}

static int run(struct command_context *context, struct error *err)
{
	const char *flavour = command_value(context, "flavour");
	CLEANUP(json_decrefp)
	json_t *answer = NULL;
	char task[64] = "grants";
	int r;

	if (flavour && strcmp(flavour, "mysql") != 0 && strcmp(flavour, "mariadb") != 0)
		return error_set(err, ERROR_USAGE, "--flavour=%s: it is mysql or mariadb", flavour);
	if (flavour)
		snprintf(task, sizeof(task), "grants:%s", flavour);
	r = pull_task_run(context,
			  &(struct pull_task){.task = task,
					      .source = context->arguments[0],
					      .server = command_value(context, "server")},
			  &answer, err);
	if (r < 0)
		return r;
	if (context->output == COMMAND_OUTPUT_JSON) {
		json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_statements(answer);
	}
	return 0;
}

const struct command command_source_grants = {
	.verb = "source grants",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "print the SQL that makes the source's account with the least privileges",
	.description = "Connects to see what kind of server it is and from which address it sees "
		       "this vault. Before the account exists, say --flavour.",
	.reads = true,
	.options = options,
	.run = run,
};
