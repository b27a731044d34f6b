#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/units.h"
#include "command/archive_option.h"
#include "command/commands.h"
#include "command/verify_decrypt.h"
#include "store/store.h"
#include "store/verify.h"

struct report {
	struct command_context *context;
	bool terminal;	 /* progress is shown */
	bool line_shown; /* and stands on the line */
	json_t *defects; /* with --output=json */
};

static void clear_progress(struct report *report)
{
	if (report->line_shown)
		fputs("\r\033[K", stderr);
	report->line_shown = false;
}

static void on_defect(void *context, const char *volume, const char *sentence)
{
	struct report *report = context;
	json_t *defect;

	clear_progress(report);
	if (report->context->output == COMMAND_OUTPUT_TEXT) {
		printf("DEFECT  %s %s\n", volume, sentence);
		fflush(stdout);
		return;
	}
	defect = json_object();
	json_put_string(defect, "volume", volume);
	json_put_string(defect, "sentence", sentence);
	json_array_append_new(report->defects, defect);
}

static void on_progress(void *context, uint64_t byte_count, uint64_t byte_total)
{
	struct report *report = context;
	char done[SIZE_TEXT_SIZE], total[SIZE_TEXT_SIZE];

	if (!report->terminal)
		return;
	size_format(byte_count, done);
	size_format(byte_total, total);
	fprintf(stderr, "\r\033[K%s of %s", done, total);
	report->line_shown = true;
}

static uint64_t rate(const struct verify_result *result)
{
	/* Below a millisecond no rate means anything. */
	uint64_t msec = result->duration_usec / USEC_PER_MSEC;

	return result->byte_count / (msec ? msec : 1) * 1000;
}

/* "1 defect", "2 defects" */
static void print_count(const char *before, uint64_t count, const char *noun)
{
	printf("%s%" PRIu64 " %s%s", before, count, noun, count == 1 ? "" : "s");
}

static void print_text(const struct verify_result *result)
{
	char size[SIZE_TEXT_SIZE], speed[SIZE_TEXT_SIZE];

	size_format(result->byte_count, size);
	size_format(rate(result), speed);
	printf("segments %" PRIu64 " · %s · %s/s · %.1f s", result->segment_count, size, speed,
	       (double)result->duration_usec / 1e6);
	printf("      ledger %" PRIu64 " leaves", result->leaf_count);
	print_count(", ", result->checkpoint_count, "checkpoint");
	printf("\nsigned   %" PRIu64 " of them", result->signed_count);
	if (result->unsigned_count)
		printf("; a change of the last %" PRIu64 " would not be seen before they are",
		       result->unsigned_count);
	if (result->open_count)
		printf("\nopen     %" PRIu64 " not sealed yet: only the header was checked",
		       result->open_count);
	if (result->orphan_count || result->void_count) {
		print_count("\nleft     ", result->orphan_count, "orphan");
		printf(", %" PRIu64 " void: what crashes left, named in the ledger",
		       result->void_count);
	}
	if (result->unprotected_count)
		printf("\ncopy     %" PRIu64 " files and directories have no flag here",
		       result->unprotected_count);
	if (result->defect_count)
		print_count("\n", result->defect_count, "defect");
	else
		printf("\nno defect");
	putchar('\n');
}

static void print_json(const struct verify_result *result, json_t *defects)
{
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"segments", result->segment_count}, {"bytes", result->byte_count},
		{"bytes_per_second", rate(result)},  {"duration_usec", result->duration_usec},
		{"leaves", result->leaf_count},	     {"checkpoints", result->checkpoint_count},
		{"signed", result->signed_count},    {"unsigned", result->unsigned_count},
		{"voids", result->void_count},	     {"open", result->open_count},
		{"orphans", result->orphan_count},   {"unprotected", result->unprotected_count},
	};
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	char id[UUID_SIZE];

	uuid_text(result->archive_id, id);
	json_put(object, "schema", json_integer(1));
	json_put_string(object, "archive", id);
	json_put_string(object, "name", result->name);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_put(object, rows[i].key, json_integer((json_int_t)rows[i].value));
	json_put(object, "defects", json_incref(defects));
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
}

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *defects = json_array();
	struct report report = {
		.context = context,
		.terminal = isatty(STDERR_FILENO) && context->output == COMMAND_OUTPUT_TEXT,
		.defects = defects,
	};
	struct command_volumes paths;
	struct verify_result result;
	int r = command_archive(context, &paths, err);

	if (r == 0) {
		const struct verify_options options = {
			.volumes = paths.volumes,
			.volume_count = paths.count,
			.copy = paths.copy,
			.report_defect = on_defect,
			.report_progress = on_progress,
			.context = &report,
		};

		r = store_verify(&options, &result, err);
	}
	clear_progress(&report);
	if (r < 0)
		return r;
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(&result, defects);
	else
		print_text(&result);
	if (command_value(context, "decrypt")) {
		r = command_verify_decrypt(context, err);
		if (r != 0)
			return r;
	}
	return result.defect_count ? COMMAND_INCOMPLETE : 0;
}

static const struct command_option options[] = {
	ARCHIVE_OPTION,
	{"decrypt", NULL, "then have the keeper authenticate and decrypt every frame"},
	{NULL, NULL, NULL},
};

const struct command command_verify = {
	.verb = "verify",
	.arguments = "",
	.summary = "check the whole archive against its ledger and its signed checkpoints",
	.description = "Needs no key and no daemon; works on a copy. Reports every defect with "
		       "file and offset, exit status 3 if there is one.",
	.reads = true,
	.options = options,
	.run = run,
};
