#include "pull/observing.h"

#include <string.h>

#include "base/log.h"
#include "io/clock.h"

void observing_init(struct observing *observing, struct observer *observer, struct sink *sink,
		    struct ring *ring, uint32_t tag)
{
	*observing = (struct observing){
		.observer = observer,
		.sink = sink,
		.ring = ring,
		.tag = tag,
	};
}

void observing_release(struct observing *observing)
{
	if (observing->polled)
		ring_poll_cancel(observing->ring, observing->tag);
	binlog_list_release(&observing->list);
}

static void take_answer(struct observing *observing)
{
	struct binlog_list list = {0};
	struct observed observed;
	int code;

	if (!observer_take(observing->observer, &observed, &list, &code))
		return;
	if (observed.sentence[0])
		log_warning("server.not-observed", "server", LOG_TEXT(observed.server), "reason",
			    LOG_TEXT(observed.sentence), LOG_END);
	observing->refused = code == ERROR_REFUSED || code == ERROR_USAGE;
	if (observing->refused)
		observing->next_usec = clock_monotonic_usec() + OBSERVING_REFUSED_USEC;
	memcpy(observed.given_file, observing->given_file, sizeof(observed.given_file));
	observed.given_position = observing->given_position;
	memcpy(observed.given_gtids, observing->given_gtids, sizeof(observed.given_gtids));
	sink_observed(observing->sink, &observed, list.bytes, list.size);
	if (list.count == 0)
		return;
	if (observing->list.count > 0 && observing->list.server == list.server &&
	    observing->list.last_plain != list.last_plain) {
		observing->encryption_changed = true;
		log_warning("server.encryption-changed", "server", LOG_TEXT(observed.server),
			    "file", LOG_TEXT(list.last), LOG_END);
	}
	binlog_list_release(&observing->list);
	observing->list = list;
	/* When another may be read; this one may have been the pre-flight's. */
	observing->next_usec = list.monotonic_usec + BINLOG_LIST_EVERY_USEC;
}

static void listen_to_observer(struct observing *observing)
{
	if (observing->polled)
		return;
	observing->polled = true;
	ring_poll_readable(observing->ring, observer_fd(observing->observer), observing->tag);
}

void observing_readable(struct observing *observing)
{
	observing->polled = false;
	take_answer(observing);
}

bool observing_is_due(struct observing *observing)
{
	return clock_monotonic_usec() >= observing->next_usec &&
	       observer_is_idle(observing->observer);
}

void observing_forgive(struct observing *observing)
{
	observer_forgive(observing->observer);
	if (observing->refused)
		observing_put_off(observing);
	observing->refused = false;
}

void observing_put_off(struct observing *observing)
{
	observing->next_usec = clock_monotonic_usec() + OBSERVING_EVERY_USEC;
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
	struct error err;

	if (!observing_is_due(observing))
		return;
	observing_put_off(observing);
	if (observer_ask(observing->observer, subject->server, subject->identity, subject->login,
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
	return observer_is_idle(observing->observer) ? observing->next_usec : UINT64_MAX;
}

void observing_rest(struct observing *observing)
{
	observer_rest(observing->observer);
}
