#include <stdio.h>

#include "base/json.h"
#include "command/commands.h"
#include "command/operator_client.h"

static const struct command_option options[] = {
	{"reason", "TEXT", "why: it is kept in the ledger, with who asked for it"},
	{NULL, NULL, NULL},
};

static int run(struct command_context *context, struct error *err)
{
	const char *source = context->arguments[0], *reason = command_value(context, "reason");
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *reply = NULL;
	const struct config *config;
	int r = command_config(context, &config, err);

	if (r < 0)
		return r;
	if (!reason || reason[0] == '\0')
		return error_set(err, ERROR_USAGE, "--reason TEXT is missing: why is it paused?");
	json_put_string(request, "verb", "pause");
	json_put_string(request, "source", source);
	json_put_string(request, "reason", reason);
	r = operator_ask(config, request, &reply, err);
	if (r < 0)
		return r;
	printf("%s is paused, also over restarts. From now on nothing that its server writes is "
	       "archived, and the server may purge it. To go on: binvault source resume %s\n",
	       source, source);
	return 0;
}

const struct command command_source_pause = {
	.verb = "source pause",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "stop pulling a source, in good order, until it is resumed",
	.description =
		"What was received becomes durable and is acknowledged; then the stream ends, "
		"so that a semi-synchronous server does not wait for us, and the open segment "
		"is sealed. status says ATTENTION until `source resume`.",
	.options = options,
	.run = run,
};
