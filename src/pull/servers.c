#include "pull/servers.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"

/* Between two looks at servers that stand, but are not the archived one. */
#define PASSED_OVER_USEC (500 * USEC_PER_MSEC)

void servers_init(struct servers *servers, const struct config_source *source,
		  uint64_t monotonic_usec)
{
	*servers = (struct servers){.source = source, .lost_usec = monotonic_usec};
}

const struct config_server *servers_current(const struct servers *servers)
{
	return &servers->source->servers[servers->index];
}

uint64_t servers_try_usec(const struct servers *servers)
{
	return servers->states[servers->index].try_usec;
}

static bool needs_person(int code)
{
	return code == ERROR_REFUSED || code == ERROR_USAGE || code == ERROR_EXISTS;
}

static uint64_t delay_usec(struct retry *retry, int code, uint64_t random)
{
	if (code == ERROR_EXISTS)
		return retry_after_conflict(retry, random);
	if (needs_person(code))
		return retry_after_refusal(retry, random);
	return retry_after_failure(retry, random);
}

/* The one whose time comes first; of several that may be tried now, the next in order. */
static void choose(struct servers *servers, uint64_t now)
{
	size_t count = servers->source->server_count;
	size_t best = (servers->index + 1) % count;

	for (size_t i = 1; i <= count; i++) {
		size_t index = (servers->index + i) % count;

		if (MAX(servers->states[index].try_usec, now) <
		    MAX(servers->states[best].try_usec, now))
			best = index;
	}
	servers->index = best;
}

/* When it will be tried, for people. */
static void plan_next(struct servers *servers, const struct servers_now *now)
{
	uint64_t next_usec = MAX(servers_try_usec(servers), now->monotonic_usec);

	servers->retry_usec = now->realtime_usec + (next_usec - now->monotonic_usec);
}

static void note_failure(struct servers *servers, int code, const char *sentence)
{
	struct server_state *state = &servers->states[servers->index];

	state->code = code;
	snprintf(state->sentence, sizeof(state->sentence), "%.*s", (int)sizeof(state->sentence) - 1,
		 sentence);
	servers->tried |= UINT32_C(1) << servers->index;
	if (servers->tried == (UINT32_C(1) << servers->source->server_count) - 1) {
		servers->tried = 0;
		servers->round_done = true;
	}
}

void servers_failed(struct servers *servers, int code, const char *sentence,
		    const struct servers_now *now)
{
	struct server_state *state = &servers->states[servers->index];

	note_failure(servers, code, sentence);
	state->try_usec = now->monotonic_usec + delay_usec(&state->retry, code, now->random);
	if (servers->trusted && !needs_person(code))
		servers->trusted = false;
	else
		choose(servers, now->monotonic_usec);
	plan_next(servers, now);
}

void servers_stay(struct servers *servers, const char *sentence, uint64_t try_usec,
		  const struct servers_now *now)
{
	note_failure(servers, ERROR_UNAVAILABLE, sentence);
	servers->states[servers->index].try_usec = try_usec;
	plan_next(servers, now);
}

void servers_again(struct servers *servers, uint64_t monotonic_usec)
{
	servers->states[servers->index].try_usec = monotonic_usec;
}

void servers_lost(struct servers *servers, uint64_t monotonic_usec)
{
	servers->tried = 0;
	servers->round_done = false;
	servers->lost_usec = monotonic_usec;
}

void servers_passed_over(struct servers *servers, const char *sentence,
			 const struct servers_now *now)
{
	note_failure(servers, ERROR_UNAVAILABLE, sentence);
	servers->states[servers->index].try_usec = now->monotonic_usec + PASSED_OVER_USEC;
	servers->trusted = false;
	choose(servers, now->monotonic_usec);
	plan_next(servers, now);
}

bool servers_may_fail_over(const struct servers *servers, uint64_t monotonic_usec)
{
	return servers->round_done &&
	       monotonic_usec >= servers->lost_usec + servers->source->failover_usec;
}

void servers_worked(struct servers *servers)
{
	struct server_state *state = &servers->states[servers->index];

	state->code = 0;
	state->sentence[0] = '\0';
	servers->retry_usec = 0;
}

void servers_steady(struct servers *servers)
{
	retry_reset(&servers->states[servers->index].retry);
	servers->trusted = true;
}

void servers_forgive(struct servers *servers, uint64_t monotonic_usec)
{
	for (size_t i = 0; i < servers->source->server_count; i++) {
		retry_reset(&servers->states[i].retry);
		servers->states[i].try_usec = MIN(servers->states[i].try_usec, monotonic_usec);
	}
}

void servers_name(const struct config_server *server, char *text, size_t size)
{
	snprintf(text, size, "%.110s:%u", server->host, (unsigned)server->port);
}

/* Once for all that failed with the same words. */
static bool said_before(const struct servers *servers, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (servers->states[i].code &&
		    strcmp(servers->states[i].sentence, servers->states[index].sentence) == 0)
			return true;
	}
	return false;
}

/* Each has its share of the room; what a short one leaves is the next one's. */
static void join(const struct servers *servers, char *text, size_t size)
{
	size_t count = servers->source->server_count, left = 0, used = 0;

	for (size_t i = 0; i < count; i++)
		left += servers->states[i].code && !said_before(servers, i);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const struct server_state *state = &servers->states[i];
		char name[128], sentence[MESSAGE_SENTENCE_SIZE + 132];
		size_t room;

		if (!state->code || said_before(servers, i))
			continue;
		room = (size - 1 - used) / left--;
		servers_name(&servers->source->servers[i], name, sizeof(name));
		snprintf(sentence, sizeof(sentence), "%s%s%s%s", used ? "; " : "",
			 count > 1 && !strstr(state->sentence, name) ? name : "",
			 count > 1 && !strstr(state->sentence, name) ? ": " : "", state->sentence);
		if (strlen(sentence) > room)
			snprintf(sentence + room - 3, 4, "...");
		used += (size_t)snprintf(text + used, size - used, "%s", sentence);
	}
}

bool servers_status(const struct servers *servers, struct pull_status *ret_status)
{
	struct pull_status status = {.state = PULL_REFUSED, .retry_usec = servers->retry_usec};
	bool failed = false;

	for (size_t i = 0; i < servers->source->server_count; i++) {
		failed = failed || servers->states[i].code;
		if (!needs_person(servers->states[i].code))
			status.state = PULL_WAITING;
	}
	if (!failed || servers->retry_usec == 0)
		return false;
	servers_name(servers_current(servers), status.server, sizeof(status.server));
	join(servers, status.sentence, sizeof(status.sentence));
	*ret_status = status;
	return true;
}
