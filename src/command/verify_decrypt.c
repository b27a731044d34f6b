#include "command/verify_decrypt.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "command/request.h"

static void print_text(const json_t *report)
{
	const json_t *defect, *defects = json_object_get(report, "defects");
	uint64_t usec = request_number(report, "elapsed_usec");
	uint64_t size = request_number(report, "byte_total");
	uint64_t defect_count = request_number(report, "defect_count");
	char size_text[SIZE_TEXT_SIZE], plain_text[SIZE_TEXT_SIZE], rate[REQUEST_RATE_SIZE];
	size_t i;

	json_array_foreach(defects, i, defect)
	{
		printf("DEFECT  %s (leaf %" PRIu64 "): %s\n", request_text(defect, "path"),
		       request_number(defect, "leaf"), request_text(defect, "sentence"));
	}
	if (defect_count > json_array_size(defects))
		printf("        and %" PRIu64 " more\n", defect_count - json_array_size(defects));
	size_format(size, size_text);
	size_format(request_number(report, "binlog_bytes"), plain_text);
	request_rate(size, usec, rate);
	printf("decrypted %" PRIu64 " segments · %s · %s · %.1f s      %s of binlog, every frame "
	       "and event\n",
	       request_number(report, "segment_count"), size_text, rate, (double)usec / 1e6,
	       plain_text);
	request_print_crc_wrong(report);
	if (defect_count)
		printf("%" PRIu64 " defect%s\n", defect_count, defect_count == 1 ? "" : "s");
	else
		puts("no defect");
}

int command_verify_decrypt(struct command_context *context, struct error *err)
{
	const struct config *config;
	json_t *request = json_object(), *report = NULL;
	uint64_t defect_count;
	int r = command_config(context, &config, err);

	ASSERT(request);
	json_put_string(request, "verb", "verify-decrypt");
	if (r == 0)
		r = request_follow(config, request, &report, err);
	json_decref(request);
	if (r < 0)
		return r;
	defect_count = request_number(report, "defect_count");
	if (context->output == COMMAND_OUTPUT_JSON) {
		json_put(report, "schema", json_integer(1));
		json_dumpf(report, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_text(report);
	}
	json_decref(report);
	return defect_count ? COMMAND_INCOMPLETE : 0;
}
