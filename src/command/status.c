#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/operator_client.h"
#include "command/siem.h"
#include "io/clock.h"
#include "store/store.h"

/* Times of the last day are shown without their date. */
#define DAY_USEC (UINT64_C(86400) * USEC_PER_SEC)

/* --- reading the answer: what is missing is shown as "-" or 0, never an error ---------------- */

static const char *text_of(const json_t *object, const char *key)
{
	struct error ignored;
	const char *text;

	return json_get_string(object, key, &text, &ignored) == 0 ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	struct error ignored;
	uint64_t value;

	return json_get_u64(object, key, &value, &ignored) == 0 ? value : 0;
}

static bool flag_of(const json_t *object, const char *key)
{
	struct error ignored;
	bool value;

	return json_get_bool(object, key, &value, &ignored) == 0 && value;
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* "03:21:06.918Z" today, "2026-08-22 23:02:11Z" before. */
static void moment(uint64_t usec, uint64_t now, char text[static TIME_TEXT_SIZE])
{
	char whole[TIME_TEXT_SIZE];

	if (usec == 0) {
		snprintf(text, TIME_TEXT_SIZE, "-");
		return;
	}
	time_format(usec, whole);
	if (now < usec + DAY_USEC && now + DAY_USEC > usec)
		snprintf(text, TIME_TEXT_SIZE, "%.12sZ", whole + 11);
	else
		snprintf(text, TIME_TEXT_SIZE, "%.10s %.8sZ", whole, whole + 11);
}

/* --- the screen ------------------------------------------------------------------------------ */

static void print_head(const json_t *status)
{
	const json_t *source, *sources = json_object_get(status, "sources");
	size_t i, alarm_count = json_array_size(json_object_get(status, "alarms")), bad = 0;
	bool covered = true;
	char now[TIME_TEXT_SIZE], state[96];

	json_array_foreach(sources, i, source)
	{
		bad += !flag_of(source, "normal");
		covered &= strcmp(text_of(source, "state"), "streaming") == 0 &&
			   !json_object_get(source, "missed_since");
	}
	if (flag_of(status, "normal"))
		snprintf(state, sizeof(state), "ok");
	else if (bad > 0)
		snprintf(state, sizeof(state), "ATTENTION: %zu of %zu sources %s", bad,
			 json_array_size(sources),
			 covered ? "not as they should be" : "not covered");
	else if (alarm_count > 0)
		snprintf(state, sizeof(state), "ATTENTION: %zu alarm%s", alarm_count,
			 alarm_count == 1 ? "" : "s");
	else if (json_is_false(json_object_get(json_object_get(status, "siem"), "normal")))
		snprintf(state, sizeof(state), "ATTENTION: the audit trail is not forwarded");
	else /* for some seconds, until that is an alarm */
		snprintf(state, sizeof(state), "ATTENTION: the HSM is away");
	time_format(number_of(status, "now"), now);
	printf("%s  %s    archive %s · WORM %s · isolation %s · %.10s %.8sZ\n",
	       text_of(status, "name"), state, text_of(status, "archive"), text_of(status, "worm"),
	       text_of(status, "isolation"), now, now + 11);
}

/* "0.4 s", "12 s", "4 m 10 s", "4 h 19 m", "6 d 02 h". */
static void duration_text(uint64_t usec, char *text, size_t size)
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (seconds < 10)
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 " s", seconds,
			 usec % USEC_PER_SEC / (100 * USEC_PER_MSEC));
	else if (seconds < 60)
		snprintf(text, size, "%" PRIu64 " s", seconds);
	else if (seconds < 3600)
		snprintf(text, size, "%" PRIu64 " m %02" PRIu64 " s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(text, size, "%" PRIu64 " h %02" PRIu64 " m", seconds / 3600,
			 seconds % 3600 / 60);
	else
		snprintf(text, size, "%" PRIu64 " d %02" PRIu64 " h", seconds / 86400,
			 seconds % 86400 / 3600);
}

/* --- one line a source: a column is shown if one of them has something to say there ----------- */

#define CELL_SIZE 320

typedef void column_text(const json_t *source, uint64_t now, char text[static CELL_SIZE]);

static void column_name(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	(void)now;
	snprintf(text, CELL_SIZE, "%s", text_of(source, "name"));
}

static void column_server(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	(void)now;
	snprintf(text, CELL_SIZE, "%s", or_dash(text_of(source, "server")));
}

static void column_state(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	(void)now;
	snprintf(text, CELL_SIZE, "%s", text_of(source, "state"));
}

static void column_covered(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	const json_t *covered = json_object_get(source, "covered");
	char when[TIME_TEXT_SIZE];

	if (!covered || !text_of(covered, "file")[0]) {
		snprintf(text, CELL_SIZE, "nothing yet");
		return;
	}
	moment(number_of(covered, "until"), now, when);
	snprintf(text, CELL_SIZE, "%s %s:%" PRIu64, when, text_of(covered, "file"),
		 number_of(covered, "position"));
}

static void column_behind(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	char size[SIZE_TEXT_SIZE], time[32];

	(void)now;
	duration_text(number_of(source, "behind_usec"), time, sizeof(time));
	size_format(number_of(source, "behind"), size);
	if (!json_object_get(source, "behind"))
		snprintf(text, CELL_SIZE, "%s",
			 json_object_get(source, "behind_usec") ? time : "-");
	else if (number_of(source, "behind") == 0 || !json_object_get(source, "behind_usec"))
		snprintf(text, CELL_SIZE, "%s", size);
	else
		snprintf(text, CELL_SIZE, "%s, %s", size, time);
}

static void column_semi_sync(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	const json_t *semi_sync = json_object_get(source, "semi_sync");
	uint64_t since = number_of(semi_sync, "since");
	char time[32];

	text[0] = '\0';
	duration_text(now > since ? now - since : 0, time, sizeof(time));
	if (semi_sync && flag_of(semi_sync, "on"))
		snprintf(text, CELL_SIZE, "on, %" PRIu64 " async",
			 number_of(semi_sync, "off_spans"));
	else if (semi_sync)
		snprintf(text, CELL_SIZE, "off %s", time);
}

static void column_gaps(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	uint64_t count = number_of(source, "gaps"), open = number_of(source, "gaps_open");

	(void)now;
	text[0] = '\0';
	if (!json_object_get(source, "gaps"))
		return;
	if (count > open)
		snprintf(text, CELL_SIZE, "%" PRIu64 ", %" PRIu64 " accepted", count, count - open);
	else
		snprintf(text, CELL_SIZE, "%" PRIu64, count);
}

static void column_purge(const json_t *source, uint64_t now, char text[static CELL_SIZE])
{
	const json_t *purge = json_object_get(source, "purge");
	const char *file = text_of(purge, "file");
	char time[32];

	(void)now;
	text[0] = '\0';
	if (!purge)
		return;
	duration_text(number_of(purge, "usec"), time, sizeof(time));
	if (flag_of(purge, "purged"))
		snprintf(text, CELL_SIZE, "PURGED before %s", or_dash(file));
	else if (json_object_get(purge, "usec"))
		snprintf(text, CELL_SIZE, "%s%s%s", file, file[0] ? " in " : "", time);
	else if (number_of(purge, "expire_usec") == 0)
		snprintf(text, CELL_SIZE, "%s%snever by age", file, file[0] ? " " : "");
	else
		snprintf(text, CELL_SIZE, "%s", or_dash(file));
}

struct column {
	const char *title;
	column_text *text;
};

static const struct column columns[] = {
	{"SOURCE", column_name},   {"SERVER", column_server},
	{"STATE", column_state},   {"COVERED UNTIL (durable)", column_covered},
	{"BEHIND", column_behind}, {"SEMI-SYNC", column_semi_sync},
	{"GAPS", column_gaps},	   {"PURGE HORIZON", column_purge},
};

/* Why it is off; or when it was, since it was first on. */
static void print_semi_sync(const json_t *source, uint64_t now)
{
	const json_t *semi_sync = json_object_get(source, "semi_sync");
	const json_t *last = json_object_get(semi_sync, "last_off");
	char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE], time[32];

	if (!semi_sync)
		return;
	moment(number_of(semi_sync, "since"), now, since);
	if (!flag_of(semi_sync, "on")) {
		printf("  %s: its server has not waited for us since %s: %s\n",
		       text_of(source, "name"), since, text_of(semi_sync, "sentence"));
	} else if (last) {
		moment(number_of(last, "since"), now, since);
		moment(number_of(last, "until"), now, until);
		duration_text(number_of(semi_sync, "off_usec"), time, sizeof(time));
		printf("  %s: asynchronous %" PRIu64 " time%s, %s in all, last from %s to %s: %s\n",
		       text_of(source, "name"), number_of(semi_sync, "off_spans"),
		       number_of(semi_sync, "off_spans") == 1 ? "" : "s", time, since, until,
		       text_of(last, "sentence"));
	}
}

/* What is only a warning: the stream does not depend on it. */
static void print_observed(const json_t *source, uint64_t now)
{
	const json_t *observed = json_object_get(source, "observed");
	const json_t *purge = json_object_get(source, "purge");
	char when[TIME_TEXT_SIZE], size[SIZE_TEXT_SIZE];

	if (text_of(observed, "sentence")[0]) {
		moment(number_of(observed, "failed"), now, when);
		printf("  %s: the server could not be looked at (%s): %s\n",
		       text_of(source, "name"), when, text_of(observed, "sentence"));
	}
	if (number_of(purge, "size_limit") > 0) {
		size_format(number_of(purge, "size_limit"), size);
		printf("  %s: its server also purges by size, beyond %s of binlogs "
		       "(max_binlog_total_size)\n",
		       text_of(source, "name"), size);
	}
}

static void print_gaps(const json_t *source)
{
	const json_t *gap, *accepted = json_object_get(source, "gaps_accepted");
	const char *name = text_of(source, "name");
	uint64_t open = number_of(source, "gaps_open");
	size_t i;

	if (open > 0)
		printf("  %s: %" PRIu64 " gap%s in what is archived, the last generation: %s. Do: "
		       "binvault list %s; and when it is clear what that means: binvault source "
		       "accept-gap %s\n",
		       name, open, open == 1 ? "" : "s", text_of(source, "history"), name, name);
	json_array_foreach(accepted, i, gap) printf(
		"  %s: gap %s: %s\n", name, text_of(gap, "accepted"), text_of(gap, "sentence"));
}

static void print_details(const json_t *source, uint64_t now)
{
	const json_t *segment, *segments = json_object_get(source, "segments");
	uint64_t retry = number_of(source, "retry");
	char when[TIME_TEXT_SIZE];
	size_t i;

	if (text_of(source, "sentence")[0]) {
		printf("  %s: ", text_of(source, "name"));
		if (json_object_get(source, "missed_since")) {
			moment(number_of(source, "missed_since"), now, when);
			printf("not covered since %s: ", when);
		}
		printf("%s", text_of(source, "sentence"));
		if (retry > 0) {
			moment(retry, now, when);
			printf(". Next try %s", when);
		}
		printf("\n");
	}
	print_gaps(source);
	print_semi_sync(source, now);
	print_observed(source, now);
	json_array_foreach(segments, i, segment)
	{
		const char *state = text_of(segment, "state");

		if (strcmp(state, "writing") == 0 || strcmp(state, "verifying") == 0)
			continue;
		moment(number_of(segment, "since"), now, when);
		printf("  %s: %s since %s: %s%s%s\n", text_of(source, "name"), state, when,
		       text_of(segment, "path"), text_of(segment, "sentence")[0] ? ": " : "",
		       text_of(segment, "sentence"));
	}
}

static void print_warnings(const json_t *source)
{
	const json_t *warning, *warnings = json_object_get(source, "warnings");
	size_t i;

	json_array_foreach(warnings, i, warning)
	{
		printf("  %s: warning (%s): %s\n", text_of(source, "name"),
		       text_of(warning, "rule"), text_of(warning, "sentence"));
	}
}

/* @source NULL: the titles. The last that is shown has nothing behind it. */
static void print_row(const json_t *source, uint64_t now,
		      const int widths[static ARRAY_LENGTH(columns)])
{
	char text[CELL_SIZE];
	size_t last = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
		last = widths[i] > 0 ? i : last;
	for (size_t i = 0; i <= last; i++) {
		if (widths[i] == 0)
			continue;
		snprintf(text, sizeof(text), "%s", columns[i].title);
		if (source)
			columns[i].text(source, now, text);
		if (i < last)
			printf("%-*s  ", widths[i], text[0] ? text : "-");
		else
			printf("%s\n", text[0] ? text : "-");
	}
}

static void print_sources(const json_t *status)
{
	const json_t *source, *sources = json_object_get(status, "sources");
	uint64_t now = number_of(status, "now");
	int widths[ARRAY_LENGTH(columns)] = {0};
	char text[CELL_SIZE];
	size_t i;

	json_array_foreach(sources, i, source)
	{
		for (size_t k = 0; k < ARRAY_LENGTH(columns); k++) {
			columns[k].text(source, now, text);
			if (text[0])
				widths[k] = MAX(widths[k],
						(int)MAX(strlen(text), strlen(columns[k].title)));
		}
	}
	print_row(NULL, now, widths);
	json_array_foreach(sources, i, source)
	{
		print_row(source, now, widths);
		print_details(source, now);
		print_warnings(source);
	}
}

static void print_archive(const json_t *status)
{
	const json_t *entry, *volumes = json_object_get(status, "volumes");
	const json_t *keys = json_object_get(status, "keys");
	uint64_t now = number_of(status, "now");
	char free_text[SIZE_TEXT_SIZE], reserve[SIZE_TEXT_SIZE], when[TIME_TEXT_SIZE];
	size_t i;

	json_array_foreach(volumes, i, entry)
	{
		size_format(number_of(entry, "free"), free_text);
		size_format(number_of(entry, "reserve"), reserve);
		printf("volumes  %s: %s free, %s of it reserve\n", text_of(entry, "path"),
		       free_text, reserve);
	}
	moment(number_of(keys, "checkpoint_time"), now, when);
	printf("keys     master %" PRIu64 " active · HSM %s%s%s · %" PRIu64
	       " leaves unsigned · last checkpoint %s size %" PRIu64 "\n",
	       number_of(keys, "master"), text_of(keys, "hsm"),
	       text_of(keys, "sentence")[0] ? ": " : "", text_of(keys, "sentence"),
	       number_of(keys, "unsigned"), when, number_of(keys, "checkpoint_size"));
}

/* Nothing where bundles play no part. */
static void print_configuration(const json_t *status)
{
	const json_t *configuration = json_object_get(status, "configuration");
	const json_t *refused = json_object_get(configuration, "refused");
	char when[TIME_TEXT_SIZE];

	if (json_object_get(configuration, "bundle"))
		printf("config   version %s of its bundle\n", text_of(configuration, "bundle"));
	if (!refused)
		return;
	moment(number_of(refused, "time"), number_of(status, "now"), when);
	printf("config   last refused %s: %s\n", when, text_of(refused, "sentence"));
}

static void print_alarms(const json_t *status)
{
	const json_t *alarm, *alarms = json_object_get(status, "alarms");
	uint64_t now = number_of(status, "now");
	char when[TIME_TEXT_SIZE];
	size_t i;

	json_array_foreach(alarms, i, alarm)
	{
		moment(number_of(alarm, "since"), now, when);
		printf("ALARM    %s (since %s): %s\n", text_of(alarm, "name"), when,
		       text_of(alarm, "sentence"));
	}
}

static int print_json(const json_t *status)
{
	int r = json_dumpf(status, stdout, JSON_COMPACT | JSON_SORT_KEYS);

	putchar('\n');
	return r;
}

/* --- while the keeper does not run ----------------------------------------------------------- */

static json_t *ledger_source(const struct store *store, const char *name)
{
	const struct state *state = store_state(store);
	const struct segment_sealed_record *sealed = state_sealed(state, name, NULL);
	json_t *object = json_object(), *covered = json_object();

	json_put_string(object, "name", name);
	json_put_bool(object, "normal", false);
	json_put_bool(object, "connected", false);
	json_put_string(object, "state", "stopped");
	if (sealed) {
		json_put_string(covered, "file", sealed->binlog_file);
		json_put_u64(covered, "position", sealed->end.summary.event_end);
	}
	json_put(object, "covered", covered);
	json_put_u64(object, "unsealed", state_open_count(state, name));
	return object;
}

/* What the ledger tells, in the shape of the keeper's answer. */
static int from_ledger(struct command_context *context, json_t *status, struct error *err)
{
	CLEANUP(store_freep)
	struct store *store = NULL;
	const struct config *config;
	const char *volumes[CONFIG_VOLUMES_MAX];
	json_t *sources = json_array(), *keys = json_object();
	char archive[UUID_SIZE];
	struct hash root;
	uint64_t size;
	int r;

	json_put(status, "sources", sources);
	json_put(status, "keys", keys);
	r = command_config(context, &config, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < config->volume_count; i++)
		volumes[i] = config->volumes[i];
	r = store_open(volumes, config->volume_count, STORE_READ, &store, err);
	if (r < 0)
		return r;
	uuid_text(store_archive_id(store), archive);
	json_put(status, "schema", json_integer(1));
	json_put_bool(status, "normal", false);
	json_put_bool(status, "running", false);
	json_put_string(status, "name", config->name);
	json_put_string(status, "archive", archive);
	json_put_string(status, "worm",
			store_worm(store) == WORM_REQUIRED ? "required" : "advisory");
	json_put_u64(status, "now", clock_realtime_usec());
	for (size_t i = 0; i < config->source_count; i++)
		json_array_append_new(sources, ledger_source(store, config->sources[i].name));
	store_checkpoint(store, &size, &root);
	json_put_u64(keys, "checkpoint_size", size);
	json_put_u64(keys, "unsigned", store_tree(store)->size - size);
	siem_add(config, status);
	return 0;
}

static void print_ledger(const json_t *status)
{
	const json_t *source, *sources = json_object_get(status, "sources");
	const json_t *keys = json_object_get(status, "keys");
	size_t i;

	printf("%s  NOT RUNNING; the ledger says:    archive %s · WORM %s\n",
	       text_of(status, "name"), text_of(status, "archive"), text_of(status, "worm"));
	json_array_foreach(sources, i, source)
	{
		const json_t *covered = json_object_get(source, "covered");

		if (text_of(covered, "file")[0])
			printf("%s  sealed until %s:%" PRIu64, text_of(source, "name"),
			       text_of(covered, "file"), number_of(covered, "position"));
		else
			printf("%s  nothing sealed yet", text_of(source, "name"));
		printf(", open or pending: %" PRIu64 "\n", number_of(source, "unsealed"));
	}
	printf("last checkpoint: size %" PRIu64 ", %" PRIu64 " leaves unsigned\n",
	       number_of(keys, "checkpoint_size"), number_of(keys, "unsigned"));
	siem_print(status);
}

static int not_running(struct command_context *context, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *status = json_object();
	struct error reason;
	int r = from_ledger(context, status, &reason);

	if (r == ERROR_NOT_FOUND)
		return error_set(err, ERROR_UNAVAILABLE, "the keeper is not running: %s",
				 reason.message);
	/* The reason why the keeper does not answer is the error; what else is known is extra. */
	if (r < 0)
		return err->code;
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(status);
	else
		print_ledger(status);
	fflush(stdout);
	return err->code;
}

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *status = NULL;
	const struct config *config;
	int r = command_config(context, &config, err);

	if (r < 0)
		return r;
	json_put_string(request, "verb", "status");
	r = operator_ask(config, request, &status, err);
	if (r == ERROR_UNAVAILABLE)
		return not_running(context, err);
	if (r < 0)
		return r;
	siem_add(config, status);
	if (context->output == COMMAND_OUTPUT_JSON) {
		print_json(status);
	} else {
		print_head(status);
		print_sources(status);
		print_archive(status);
		siem_print(status);
		print_configuration(status);
		print_alarms(status);
	}
	return flag_of(status, "normal") ? 0 : COMMAND_ATTENTION;
}

const struct command command_status = {
	.verb = "status",
	.arguments = "",
	.summary = "show what is covered, what is not, and what to do",
	.description =
		"Exit code 6: it is running and something needs attention; 5: the keeper does not "
		"run, and what the ledger tells is shown.",
	.reads = true,
	.run = run,
};
