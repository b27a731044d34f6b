#include "pull/pace.h"

#include "base/checked.h"
#include "base/units.h"
#include "io/clock.h"

/* A server that shows no sign of life for so many heartbeats, and so long, is gone. */
#define SILENT_HEARTBEATS 3
#define SILENT_LEAST_USEC (3 * USEC_PER_SEC)

void pace_init(struct pace *pace, const struct config_source *source, struct ring *ring,
	       uint32_t tag)
{
	*pace = (struct pace){.source = source, .ring = ring, .tag = tag};
}

void pace_begin(struct pace *pace)
{
	pace->allowance = 0;
	pace->allowance_usec = clock_monotonic_usec();
}

void pace_end(struct pace *pace)
{
	ring_poll_cancel(pace->ring, pace->tag);
	pace->listening = false;
}

/* At most a tenth of a second's bytes in one go. */
static bool is_allowed(struct pace *pace)
{
	uint64_t limit = pace->source->rate_limit;
	uint64_t now, elapsed;
	int64_t more;

	if (limit == 0)
		return true;
	now = clock_monotonic_usec();
	elapsed = MIN(now - pace->allowance_usec, USEC_PER_SEC);
	more = (int64_t)((double)limit * (double)elapsed / (double)USEC_PER_SEC);
	/* Less than a byte is not thrown away: the time goes on to count. */
	if (more > 0) {
		pace->allowance = MIN(pace->allowance + more, (int64_t)(limit / 10 + 1));
		pace->allowance_usec = now;
	}
	return pace->allowance > 0;
}

bool pace_may_read(struct pace *pace)
{
	return !pace->listening && is_allowed(pace);
}

void pace_took(struct pace *pace, size_t size)
{
	pace->allowance -= (int64_t)size;
}

void pace_wait(struct pace *pace, struct stream *stream, enum tls_want want)
{
	if (stream_heard(stream) || !pace->listening)
		pace->listen_usec = clock_monotonic_usec();
	if (pace->listening)
		return;
	pace->listening = true;
	if (want == TLS_WANT_WRITE)
		ring_poll_writable(pace->ring, stream_fd(stream), pace->tag);
	else
		ring_poll_readable(pace->ring, stream_fd(stream), pace->tag);
}

void pace_ready(struct pace *pace)
{
	pace->listening = false;
}

bool pace_is_waiting(const struct pace *pace)
{
	return pace->listening;
}

uint64_t pace_silence_usec(const struct pace *pace)
{
	return MAX(SILENT_HEARTBEATS * pace->source->heartbeat_usec, SILENT_LEAST_USEC);
}

bool pace_is_silent(const struct pace *pace)
{
	return pace->listening &&
	       clock_monotonic_usec() >= pace->listen_usec + pace_silence_usec(pace);
}

uint64_t pace_deadline(const struct pace *pace)
{
	double debt;

	if (pace->listening)
		return pace->listen_usec + pace_silence_usec(pace);
	if (pace->source->rate_limit == 0)
		return UINT64_MAX;
	debt = (double)-pace->allowance + 1;
	return pace->allowance_usec +
	       (uint64_t)(debt * (double)USEC_PER_SEC / (double)pace->source->rate_limit) +
	       USEC_PER_MSEC;
}
