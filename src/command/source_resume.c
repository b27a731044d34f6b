#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/operator_client.h"

static const struct command_option options[] = {
	{"reason", "TEXT", "what is to be said about it in the ledger"},
	{NULL, NULL, NULL},
};

static void print_span(const char *source, const json_t *reply)
{
	const json_t *from = json_object_get(reply, "from");
	char begin[TIME_TEXT_SIZE] = "", end[TIME_TEXT_SIZE] = "";
	uint64_t position = 0, usec = 0, to = 0;
	const char *file = "";
	struct error ignored;

	if (json_get_string(from, "file", &file, &ignored) < 0 ||
	    json_get_u64(from, "position", &position, &ignored) < 0 ||
	    json_get_u64(from, "usec", &usec, &ignored) < 0 ||
	    json_get_u64(reply, "to", &to, &ignored) < 0)
		return;
	time_format(usec, begin);
	time_format(to, end);
	if (file[0] && usec > 0)
		printf("%s goes on behind %s:%" PRIu64
		       ". It was not covered from %.19sZ to %.19sZ\n",
		       source, file, position, begin, end);
	else
		printf("%s goes on\n", source);
}

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
	json_put_string(request, "verb", "resume");
	json_put_string(request, "source", source);
	if (reason)
		json_put_string(request, "reason", reason);
	r = operator_ask(config, request, &reply, err);
	if (r < 0)
		return r;
	print_span(source, reply);
	return 0;
}

const struct command command_source_resume = {
	.verb = "source resume",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "go on pulling a source that was paused",
	.description =
		"Pulling goes on at the position where it stood. The ledger keeps from when to "
		"when the source was not covered.",
	.options = options,
	.run = run,
};
