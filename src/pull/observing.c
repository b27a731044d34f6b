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
	if (code == ERROR_REFUSED || code == ERROR_USAGE)
		observing->next_usec = clock_monotonic_usec() + OBSERVING_REFUSED_USEC;
	sink_observed(observing->sink, &observed, list.bytes, list.size);
	if (list.count == 0)
		return;
	binlog_list_release(&observing->list);
	observing->list = list;
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

void observing_put_off(struct observing *observing)
{
	observing->next_usec = clock_monotonic_usec() + OBSERVING_EVERY_USEC;
}

void observing_step(struct observing *observing, const struct config_server *server,
		    const struct identity *identity, const struct login *login)
{
	struct error err;

	if (!observing_is_due(observing))
		return;
	observing_put_off(observing);
	if (observer_ask(observing->observer, server, identity, login, &observing->list, &err) < 0)
		log_warning("server.not-observed", "reason", LOG_TEXT(err.message), LOG_END);
	else
		listen_to_observer(observing);
}

uint64_t observing_deadline(struct observing *observing)
{
	return observer_is_idle(observing->observer) ? observing->next_usec : UINT64_MAX;
}

void observing_rest(struct observing *observing)
{
	observer_rest(observing->observer);
}
