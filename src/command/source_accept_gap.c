#include <stdio.h>

#include "base/json.h"
#include "command/commands.h"
#include "command/operator_client.h"
#include "command/request.h"

static const struct command_option options[] = {
	{"generation", "DIGITS", "which gap: the first digits of the generation behind it"},
	{"reason", "TEXT", "why: it is kept in the ledger, with who accepted it"},
	{NULL, NULL, NULL},
};

static int run(struct command_context *context, struct error *err)
{
	const char *source = context->arguments[0], *reason = command_value(context, "reason");
	const char *generation = command_value(context, "generation");
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *reply = NULL;
	const struct config *config;
	int r = command_config(context, &config, err);

	if (r < 0)
		return r;
	if (!generation)
		return error_set(err, ERROR_USAGE,
				 "--generation DIGITS is missing: which gap? The first digits of "
				 "the generation behind it, as binvault list %s shows it",
				 source);
	if (!reason || reason[0] == '\0')
		return error_set(err, ERROR_USAGE, "--reason TEXT is missing: why is it accepted?");
	json_put_string(request, "verb", "accept-gap");
	json_put_string(request, "source", source);
	json_put_string(request, "generation", generation);
	json_put_string(request, "reason", reason);
	r = operator_ask(config, request, &reply, err);
	if (r < 0)
		return r;
	printf("Accepted of %s: %s. status no longer asks for attention because of it. What is "
	       "missing stays missing: status, list and every restore still say so\n",
	       source, request_text(reply, "sentence"));
	return 0;
}

const struct command command_source_accept_gap = {
	.verb = "source accept-gap",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "say that a gap in what is archived is known, and why that is accepted",
	.description =
		"The ledger keeps who accepted which gap and why; a gap is accepted once, and "
		"that is not taken back. From then on status and check are normal about it. It "
		"stays a gap: status and list show it with who accepted it, and no restore "
		"reads over it.",
	.options = options,
	.run = run,
};
