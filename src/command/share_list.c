#include <stdio.h>

#include "base/units.h"
#include "command/commands.h"
#include "command/operator_client.h"
#include "command/request.h"

static void print_shares(const json_t *reply)
{
	const json_t *shares = json_object_get(reply, "shares"), *share;
	char end[TIME_TEXT_SIZE];
	size_t i;

	if (json_array_size(shares) == 0)
		puts("nothing is shared");
	json_array_foreach(shares, i, share)
	{
		time_format(request_number(share, "end_usec"), end);
		printf("%s  %s/%s  until %.19sZ\n", request_text(share, "request"),
		       request_text(share, "client"), request_text(share, "name"), end);
	}
}

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *reply = NULL;
	const struct config *config;
	int r = command_config(context, &config, err);

	json_put_string(request, "verb", "shares");
	if (r == 0)
		r = operator_ask(config, request, &reply, err);
	if (r < 0)
		return r;
	if (context->output == COMMAND_OUTPUT_JSON) {
		json_dumpf(reply, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_shares(reply);
	}
	return 0;
}

const struct command command_share_list = {
	.verb = "share list",
	.arguments = "",
	.summary = "print what clients may read now, and until when",
	.reads = true,
	.run = run,
};
