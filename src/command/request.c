#include "command/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/units.h"
#include "command/operator_client.h"

#define POLL_FIRST_USEC (20 * USEC_PER_MSEC)
#define POLL_USEC	(250 * USEC_PER_MSEC)

/* The keeper may be starting again; then it knows nothing of us any more. */
#define AWAY_MAX_USEC (15 * USEC_PER_SEC)

const char *request_text(const json_t *report, const char *key)
{
	struct error ignored;
	const char *text;

	return json_get_string(report, key, &text, &ignored) == 0 ? text : "";
}

uint64_t request_number(const json_t *report, const char *key)
{
	struct error ignored;
	uint64_t value;

	return json_get_u64(report, key, &value, &ignored) == 0 ? value : 0;
}

size_t request_print_crc_wrong(const json_t *report)
{
	const json_t *segment, *segments = json_object_get(report, "crc_wrong");
	size_t i;

	json_array_foreach(segments, i, segment)
	{
		printf("WARNING  %s from %" PRIu64 " to %" PRIu64
		       ": an event has a wrong CRC on the server itself; it is as the server has "
		       "it\n",
		       request_text(segment, "file"), request_number(segment, "start"),
		       request_number(segment, "end"));
	}
	return json_array_size(segments);
}

void request_rate(uint64_t count, uint64_t usec, char text[static REQUEST_RATE_SIZE])
{
	uint64_t msec = MAX(usec / USEC_PER_MSEC, (uint64_t)1);
	char size[SIZE_TEXT_SIZE];

	size_format(count / msec * 1000 + count % msec * 1000 / msec, size);
	snprintf(text, REQUEST_RATE_SIZE, "%s/s", size);
}

static void show(const char *id, const json_t *report)
{
	uint64_t done = request_number(report, "byte_count");
	uint64_t total = request_number(report, "byte_total");
	uint64_t usec = request_number(report, "elapsed_usec");
	char done_text[SIZE_TEXT_SIZE], total_text[SIZE_TEXT_SIZE], rate[REQUEST_RATE_SIZE];

	if (total == 0) {
		fprintf(stderr, "\r\033[K%s: planning", id);
		return;
	}
	size_format(done, done_text);
	size_format(total, total_text);
	request_rate(done, usec, rate);
	fprintf(stderr, "\r\033[K%s: %s of %s · %s", id, done_text, total_text, rate);
	if (done > 0 && done < total)
		fprintf(stderr, " · %.0f s left",
			(double)(total - done) / (double)done * (double)usec / 1e6);
}

static void pause_usec(uint64_t usec)
{
	struct timespec time = {
		.tv_sec = (time_t)(usec / USEC_PER_SEC),
		.tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC),
	};

	nanosleep(&time, NULL);
}

static int ask_status(const struct config *config, const char *id, json_t **ret_report,
		      struct error *err)
{
	json_t *question = json_object();
	uint64_t away_usec = 0;
	int r;

	ASSERT(question);
	json_put_string(question, "verb", "request-status");
	json_put_string(question, "request", id);
	while ((r = operator_ask(config, question, ret_report, err)) == ERROR_UNAVAILABLE &&
	       away_usec < AWAY_MAX_USEC) {
		pause_usec(POLL_USEC);
		away_usec += POLL_USEC;
	}
	json_decref(question);
	if (r == ERROR_NOT_FOUND) {
		return error_set(err, ERROR_UNAVAILABLE,
				 "the keeper was started again while request %s was running, which "
				 "ended it: try again",
				 id);
	}
	return r;
}

/* 1: it has ended, 0: not yet. */
static int look(const json_t *report, struct error *err)
{
	const json_t *failure = json_object_get(report, "failure");
	const char *state = request_text(report, "state");
	uint64_t code;

	if (strcmp(state, "done") == 0)
		return 1;
	if (strcmp(state, "failed") != 0)
		return 0;
	code = request_number(failure, "code");
	if (code == 0 || code > (uint64_t)-ERROR_BUSY)
		code = (uint64_t)-ERROR_FAILED;
	return error_set(err, -(int)code, "request %s: %s", request_text(report, "request"),
			 request_text(failure, "sentence"));
}

static int follow(const struct config *config, const char *id, json_t **ret_report,
		  struct error *err)
{
	bool terminal = isatty(STDERR_FILENO);
	uint64_t delay_usec = POLL_FIRST_USEC;
	json_t *report = NULL;
	int r = 0;

	while (r == 0) {
		pause_usec(delay_usec);
		delay_usec = MIN(delay_usec * 2, POLL_USEC);
		json_decref(report);
		report = NULL;
		r = ask_status(config, id, &report, err);
		if (r == 0 && terminal)
			show(id, report);
		if (r == 0)
			r = look(report, err);
	}
	if (terminal)
		fputs("\r\033[K", stderr);
	if (r < 0) {
		json_decref(report);
		return r;
	}
	*ret_report = report;
	return 0;
}

int request_follow(const struct config *config, const json_t *request, json_t **ret_report,
		   struct error *err)
{
	json_t *answer = NULL;
	const char *id;
	int r = operator_ask(config, request, &answer, err);

	if (r < 0)
		return r;
	r = json_get_string(answer, "request", &id, err);
	if (r == 0)
		r = follow(config, id, ret_report, err);
	json_decref(answer);
	return r;
}
