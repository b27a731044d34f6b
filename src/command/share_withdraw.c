#include <stdio.h>

#include "command/commands.h"
#include "command/operator_client.h"
#include "command/request.h"

static const struct command_option options[] = {
	{"reason", "TEXT", "goes into the ledger with it"},
	{NULL, NULL, NULL},
};

static int run(struct command_context *context, struct error *err)
{
	const char *reason = command_value(context, "reason");
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *reply = NULL;
	const struct config *config;
	int r = command_config(context, &config, err);

	json_put_string(request, "verb", "withdraw");
	json_put_string(request, "request", context->arguments[0]);
	if (reason)
		json_put_string(request, "reason", reason);
	if (r == 0)
		r = operator_ask(config, request, &reply, err);
	if (r == 0)
		printf("%s/%s is removed\n", request_text(reply, "client"),
		       request_text(reply, "name"));
	return r;
}

const struct command command_share_withdraw = {
	.verb = "share withdraw",
	.arguments = "REQUEST",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "end a client's reading of a restore now, and remove it",
	.description = "It ends by itself at its time; `share list` shows it. A leaf of the ledger "
		       "says who ended it. The archive keeps what was restored from.",
	.options = options,
	.run = run,
};
