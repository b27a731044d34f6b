#include "pull/observing.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/clock.h"

void observing_init(struct observing *observing, const struct observing_options *options)
{
	*observing = (struct observing){.options = *options};
}

void observing_release(struct observing *observing)
{
	if (observing->polled)
		ring_poll_cancel(observing->options.ring, observing->options.tag);
	binlog_list_release(&observing->list);
}

static size_t server_index(const struct observing *observing)
{
	return (size_t)(observing->server - observing->options.source->servers);
}

/* What the server said of the login holds for the stream's too. */
static void note_login(struct observing *observing, struct observer_answer *answer)
{
	struct credential *credential = observing->options.credential;
	struct observed *observed = &answer->observed;
	struct error err;

	if (answer->login == OBSERVER_LOGIN_ACCEPTED)
		credential_accepted(credential, server_index(observing), &observing->login);
	if (answer->login != OBSERVER_LOGIN_REFUSED)
		return;
	error_set(&err, ERROR_REFUSED, "%s", observed->sentence);
	(void)credential_refused(credential, server_index(observing), &observing->login, &err);
	snprintf(observed->sentence, sizeof(observed->sentence), "%.*s",
		 (int)sizeof(observed->sentence) - 1, err.message);
}

static void take_list(struct observing *observing, const struct observer_answer *answer)
{
	const struct binlog_list *list = &answer->list;

	if (observing->list.count > 0 && observing->list.server == list->server &&
	    observing->list.last_plain != list->last_plain) {
		observing->encryption_changed = true;
		log_warning("server.encryption-changed", "server",
			    LOG_TEXT(answer->observed.server), "file", LOG_TEXT(list->last),
			    LOG_END);
	}
	binlog_list_release(&observing->list);
	observing->list = *list;
	/* When another may be read; this one may have been the pre-flight's. */
	observing->next_usec = list->monotonic_usec + BINLOG_LIST_EVERY_USEC;
}

/* False: there is none. */
static bool take_answer(struct observing *observing)
{
	struct observer_answer answer;
	struct observed *observed = &answer.observed;

	if (!observer_take(observing->options.observer, &answer))
		return false;
	note_login(observing, &answer);
	if (observed->sentence[0])
		log_warning("server.not-observed", "server", LOG_TEXT(observed->server), "reason",
			    LOG_TEXT(observed->sentence), LOG_END);
	/* About a login the credential knows. */
	observing->refused = (answer.code == ERROR_REFUSED || answer.code == ERROR_USAGE) &&
			     answer.login != OBSERVER_LOGIN_REFUSED;
	if (observing->refused)
		observing->next_usec = clock_monotonic_usec() + OBSERVING_REFUSED_USEC;
	memcpy(observed->given_file, observing->given_file, sizeof(observed->given_file));
	observed->given_position = observing->given_position;
	memcpy(observed->given_gtids, observing->given_gtids, sizeof(observed->given_gtids));
	sink_observed(observing->options.sink, observed, answer.list.bytes, answer.list.size);
	if (answer.list.count > 0)
		take_list(observing, &answer);
	return true;
}

static void listen_to_observer(struct observing *observing)
{
	if (observing->polled)
		return;
	observing->polled = true;
	ring_poll_readable(observing->options.ring, observer_fd(observing->options.observer),
			   observing->options.tag);
}

void observing_readable(struct observing *observing)
{
	observing->polled = false;
	/* It was only a login that has ended. */
	if (!take_answer(observing))
		listen_to_observer(observing);
}

bool observing_yield(struct observing *observing)
{
	return observer_yield(observing->options.observer);
}

static void put_off(struct observing *observing)
{
	observing->next_usec = clock_monotonic_usec() + OBSERVING_EVERY_USEC;
}

void observing_forgive(struct observing *observing)
{
	if (observing->refused)
		put_off(observing);
	observing->refused = false;
}

static void note_given(struct observing *observing, const struct observing_subject *subject)
{
	memcpy(observing->given_file, subject->place->file, sizeof(observing->given_file));
	observing->given_position = subject->place->position;
	memset(observing->given_gtids, 0, sizeof(observing->given_gtids));
	(void)history_whole_text(subject->history, observing->given_gtids,
				 sizeof(observing->given_gtids));
}

void observing_step(struct observing *observing, const struct observing_subject *subject)
{
	struct observer *observer = observing->options.observer;
	struct error err;

	if (clock_monotonic_usec() < observing->next_usec || !observer_is_idle(observer))
		return;
	put_off(observing);
	observing->server = subject->server;
	/* Without one it is as it was: that it was refused has been told. */
	if (credential_login(observing->options.credential, server_index(observing),
			     &observing->login, &err) < 0)
		return;
	if (observer_ask(observer, subject->server, subject->identity, &observing->login,
			 &observing->list, &err) < 0) {
		log_warning("server.not-observed", "reason", LOG_TEXT(err.message), LOG_END);
		return;
	}
	note_given(observing, subject);
	listen_to_observer(observing);
}

bool observing_take_encryption(struct observing *observing)
{
	bool changed = observing->encryption_changed;

	observing->encryption_changed = false;
	return changed;
}

uint64_t observing_deadline(struct observing *observing)
{
	return observer_is_idle(observing->options.observer) ? observing->next_usec : UINT64_MAX;
}

void observing_rest(struct observing *observing)
{
	observer_rest(observing->options.observer);
}
