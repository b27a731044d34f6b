#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/operator_client.h"
#include "command/request.h"
#include "command/siem.h"

/* The convention of monitoring plug-ins: exit status, and the word that the first line begins with
 * (https://www.monitoring-plugins.org/doc/guidelines.html). */
enum state { STATE_OK, STATE_WARNING, STATE_CRITICAL, STATE_UNKNOWN };

static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

/* What was found so far: the worst of it, and a line for each thing that is not as it should be. */
struct findings {
	enum state state;
	size_t count;
	json_t *lines;
};

static bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

__attribute__((format(printf, 3, 4))) static void find(struct findings *findings, enum state state,
						       const char *format, ...)
{
	char line[ERROR_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* It begins the measures. */
	for (char *bar = line; (bar = strchr(bar, '|'));)
		*bar = '/';
	findings->state = MAX(findings->state, state);
	findings->count++;
	json_array_append_new(findings->lines, json_string(line));
}

/* --- what is judged -------------------------------------------------------------------------- */

/* Segments that need a person: nothing else puts them right. */
static void judge_segments(const json_t *source, const char *name, struct findings *findings)
{
	const json_t *segment, *segments = json_object_get(source, "segments");
	size_t i;

	json_array_foreach(segments, i, segment)
	{
		const char *state = request_text(segment, "state");

		if (strcmp(state, "stopped") == 0 || strcmp(state, "waiting for space") == 0)
			find(findings, STATE_CRITICAL, "%s: %.200s: %s", name,
			     request_text(segment, "path"), request_text(segment, "sentence"));
	}
}

/* A certificate that ends soon; the other rules that warn are settings, which do not change. */
static void judge_certificates(const json_t *source, const char *name, struct findings *findings)
{
	const json_t *warning, *warnings = json_object_get(source, "warnings");
	size_t i;

	json_array_foreach(warnings, i, warning)
	{
		if (strstr(request_text(warning, "rule"), "-certificate"))
			find(findings, STATE_WARNING, "%s: %s", name,
			     request_text(warning, "sentence"));
	}
}

/* Not covered for longer than `maximum-uncovered`, or with a hole, is critical. */
static void judge_source(const json_t *source, struct findings *findings)
{
	const char *name = request_text(source, "name"), *state = request_text(source, "state");
	const char *sentence = request_text(source, "sentence");
	size_t before = findings->count;

	if (json_object_get(source, "missed_since") || strcmp(state, "refused") == 0)
		find(findings, STATE_CRITICAL, "%s: not covered (%s)%s%s", name, state,
		     sentence[0] ? ": " : "", sentence);
	if (request_number(source, "gaps_open") > 0)
		find(findings, STATE_CRITICAL, "%s: %" PRIu64 " gaps: %s", name,
		     request_number(source, "gaps_open"), request_text(source, "history"));
	judge_segments(source, name, findings);
	judge_certificates(source, name, findings);
	if (findings->count == before && !is_set(source, "normal"))
		find(findings, STATE_WARNING, "%s: %s%s%s", name, state, sentence[0] ? ": " : "",
		     sentence);
}

static void judge(const json_t *status, struct findings *findings)
{
	const json_t *source, *alarm, *alarms = json_object_get(status, "alarms");
	const json_t *sources = json_object_get(status, "sources");
	const json_t *keys = json_object_get(status, "keys");
	const json_t *siem = json_object_get(status, "siem");
	size_t i;

	json_array_foreach(alarms, i, alarm)
	{
		find(findings, STATE_CRITICAL, "%s", request_text(alarm, "sentence"));
	}
	json_array_foreach(sources, i, source)
	{
		judge_source(source, findings);
	}
	if (strcmp(request_text(keys, "hsm"), "ok") != 0)
		find(findings, STATE_WARNING, "the HSM is away: %s",
		     request_text(keys, "sentence"));
	if (siem && !is_set(siem, "normal"))
		find(findings, is_set(siem, "rewound") ? STATE_CRITICAL : STATE_WARNING,
		     "the audit trail is not forwarded to %s: %s", request_text(siem, "server"),
		     request_text(siem, "sentence"));
	if (findings->count == 0 && !is_set(status, "normal"))
		find(findings, STATE_WARNING, "something needs attention: see binvault status");
}

/* --- what is said ---------------------------------------------------------------------------- */

/* "label=value[unit];;;minimum", for graphs. */
static void print_measures(const json_t *status)
{
	const json_t *source, *sources = json_object_get(status, "sources");
	const json_t *volume, *volumes = json_object_get(status, "volumes");
	size_t i;

	putchar('|');
	json_array_foreach(sources, i, source)
	{
		const char *name = request_text(source, "name");

		if (json_object_get(source, "behind"))
			printf(" %s_behind=%" PRIu64 "B;;;0", name,
			       request_number(source, "behind"));
		if (json_object_get(source, "behind_usec"))
			printf(" %s_uncovered=%.1fs;;;0", name,
			       (double)request_number(source, "behind_usec") / USEC_PER_SEC);
	}
	json_array_foreach(volumes, i, volume)
	{
		printf(" volume%zu_free=%" PRIu64 "B;;;0", i, request_number(volume, "free"));
	}
	printf(" unsigned=%" PRIu64 ";;;0\n",
	       request_number(json_object_get(status, "keys"), "unsigned"));
}

static void print_findings(const json_t *status, const struct findings *findings)
{
	size_t source_count = json_array_size(json_object_get(status, "sources"));
	const json_t *line;
	size_t i;

	printf("BINVAULT %s - ", words[findings->state]);
	if (findings->count == 0)
		printf("%zu source%s covered ", source_count, source_count == 1 ? "" : "s");
	else
		printf("%s%s", json_string_value(json_array_get(findings->lines, 0)),
		       findings->count > 1 ? " (and more) " : " ");
	print_measures(status);
	json_array_foreach(findings->lines, i, line)
	{
		if (i > 0)
			printf("%s\n", json_string_value(line));
	}
}

static int ask(struct command_context *context, json_t **ret_status, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	const struct config *config;
	int r = command_config(context, &config, err);

	if (r < 0)
		return r;
	json_put_string(request, "verb", "status");
	r = operator_ask(config, request, ret_status, err);
	if (r == 0)
		siem_add(config, *ret_status);
	return r;
}

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *status = NULL;
	CLEANUP(json_decrefp)
	json_t *lines = json_array();
	struct findings findings = {.state = STATE_OK, .lines = lines};
	struct error reason;
	int r = ask(context, &status, &reason);

	(void)err;
	if (r < 0) {
		/* Without the keeper nothing is archived; anything else tells nothing of it. */
		findings.state = r == ERROR_UNAVAILABLE ? STATE_CRITICAL : STATE_UNKNOWN;
		printf("BINVAULT %s - %s\n", words[findings.state], reason.message);
		return (int)findings.state;
	}
	judge(status, &findings);
	print_findings(status, &findings);
	return (int)findings.state;
}

const struct command command_check = {
	.verb = "check",
	.arguments = "",
	.summary = "say in one line how the archive is, for a monitoring system",
	.description =
		"A monitoring plug-in (Nagios, Icinga, Zabbix, Checkmk), with measures behind the "
		"first line. Exit status 0: all is well; 1: something needs attention, or a "
		"certificate ends within `certificate-warning`; 2: a source is not covered or has "
		"a "
		"gap that nobody has accepted, an alarm stands, or the keeper does not run; 3: it "
		"could not be found out.",
	.run = run,
};
