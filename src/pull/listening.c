#include "pull/listening.h"

#include "base/checked.h"
#include "base/units.h"
#include "io/clock.h"

/* A server that shows no sign of life for so many heartbeats, and so long, is gone. */
#define SILENT_HEARTBEATS 3
#define SILENT_LEAST_USEC (3 * USEC_PER_SEC)

void listening_init(struct listening *listening, struct ring *ring, uint32_t tag,
		    uint64_t heartbeat_usec)
{
	*listening = (struct listening){
		.ring = ring,
		.tag = tag,
		.silence_usec = MAX(SILENT_HEARTBEATS * heartbeat_usec, SILENT_LEAST_USEC),
	};
}

void listening_begin(struct listening *listening, struct stream *stream, enum tls_want want)
{
	if (stream_heard(stream) || !listening->waiting)
		listening->since_usec = clock_monotonic_usec();
	if (listening->waiting)
		return;
	listening->waiting = true;
	if (want == TLS_WANT_WRITE)
		ring_poll_writable(listening->ring, stream_fd(stream), listening->tag);
	else
		ring_poll_readable(listening->ring, stream_fd(stream), listening->tag);
}

void listening_ready(struct listening *listening)
{
	listening->waiting = false;
}

void listening_end(struct listening *listening)
{
	ring_poll_cancel(listening->ring, listening->tag);
	listening->waiting = false;
}

bool listening_is_silent(const struct listening *listening)
{
	return listening->waiting &&
	       clock_monotonic_usec() >= listening->since_usec + listening->silence_usec;
}

static uint64_t doubt_usec(const struct listening *listening)
{
	return listening->since_usec + listening->silence_usec / 3 * 2;
}

bool listening_is_doubtful(struct listening *listening)
{
	if (!listening->waiting || listening->doubted_usec == listening->since_usec ||
	    clock_monotonic_usec() < doubt_usec(listening))
		return false;
	listening->doubted_usec = listening->since_usec;
	return true;
}

uint64_t listening_deadline(const struct listening *listening)
{
	if (!listening->waiting)
		return UINT64_MAX;
	if (listening->doubted_usec != listening->since_usec)
		return doubt_usec(listening);
	return listening->since_usec + listening->silence_usec;
}
