#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "command/commands.h"
#include "command/pull_task.h"
#include "command/request.h"

static const struct command_option options[] = {
	{"server", "HOST:PORT", "only this one of the source's servers"},
	{NULL, NULL, NULL},
};

/* What all servers together come to; the worst counts. */
struct outcome {
	size_t refused, unreachable;
	bool attention;
};

static bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_rules(const json_t *rules)
{
	const json_t *rule;
	int widths[2] = {4, 7};
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		widths[0] = MAX(widths[0], (int)strlen(request_text(rule, "rule")));
		widths[1] = MAX(widths[1], (int)strlen(request_text(rule, "verdict")));
	}
	printf("  %-*s  %-*s  %s\n", widths[0], "RULE", widths[1], "VERDICT", "WHAT IS SEEN");
	json_array_foreach(rules, i, rule)
	{
		const char *key = request_text(rule, "key"),
			   *verdict = request_text(rule, "verdict");
		bool told = key[0] && strcmp(verdict, "ok") != 0 &&
			    strcmp(key, request_text(rule, "rule")) != 0;

		printf("  %-*s  %-*s  %s%s%s%s\n", widths[0], request_text(rule, "rule"), widths[1],
		       verdict, request_text(rule, "sentence"), told ? " (key: " : "",
		       told ? key : "", told ? ")" : "");
	}
}

static void print_statements(const json_t *statements)
{
	const json_t *statement;
	size_t i;

	if (json_array_size(statements) == 0)
		return;
	printf("  What takes from the account that which an archive does not need:\n");
	json_array_foreach(statements, i, statement)
	{
		printf("    %s;\n", json_string_value(statement));
	}
}

static void print_server(const json_t *server)
{
	if (request_text(server, "error")[0]) {
		printf("%s  %s\n", request_text(server, "server"), request_text(server, "error"));
		return;
	}
	printf("%s  %s %s  account %s\n", request_text(server, "server"),
	       strcmp(request_text(server, "flavour"), "mysql") == 0 ? "MySQL" : "MariaDB",
	       request_text(server, "version"), request_text(server, "account"));
	print_rules(json_object_get(server, "rules"));
	print_statements(json_object_get(server, "statements"));
}

static void judge(const json_t *server, struct outcome *outcome)
{
	const json_t *rule, *rules = json_object_get(server, "rules");
	size_t i;

	if (request_text(server, "error")[0])
		*(is_set(server, "refused") ? &outcome->refused : &outcome->unreachable) += 1;
	else if (!is_set(server, "ok"))
		outcome->refused++;
	json_array_foreach(rules, i, rule) outcome->attention |= is_set(rule, "attention");
}

static int result(const struct outcome *outcome, size_t count, struct error *err)
{
	if (outcome->refused > 0)
		return error_set(err, ERROR_REFUSED,
				 "%zu of %zu servers would be refused: see above for what to do",
				 outcome->refused, count);
	if (outcome->unreachable > 0)
		return error_set(err, ERROR_UNAVAILABLE, "%zu of %zu servers cannot be reached",
				 outcome->unreachable, count);
	return outcome->attention ? COMMAND_ATTENTION : 0;
}

static int run(struct command_context *context, struct error *err)
{
	const struct pull_task task = {
		.task = "test",
		.source = context->arguments[0],
		.server = command_value(context, "server"),
	};
	CLEANUP(json_decrefp)
	json_t *answer = NULL;
	const json_t *server, *servers;
	struct outcome outcome = {0};
	size_t i;
	int r = pull_task_run(context, &task, &answer, err);

	if (r < 0)
		return r;
	servers = json_object_get(answer, "servers");
	if (context->output == COMMAND_OUTPUT_JSON) {
		json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS);
		putchar('\n');
	}
	json_array_foreach(servers, i, server)
	{
		judge(server, &outcome);
		if (context->output == COMMAND_OUTPUT_TEXT)
			print_server(server);
	}
	/* The error follows on standard error: what it means must stand before it. */
	fflush(stdout);
	return result(&outcome, json_array_size(servers), err);
}

const struct command command_source_test = {
	.verb = "source test",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "check a source's servers against every rule, without archiving anything",
	.description =
		"Connects as the puller does and judges what is judged before each stream: "
		"certificates and pins, account and grants, and the settings that make a binlog "
		"restorable. Needs no archive and no running keeper. Exit code 4: a server would "
		"be refused; 5: one cannot be reached; 6: a certificate ends within 7 days; "
		"warnings alone: 0.",
	.reads = true,
	.options = options,
	.run = run,
};
