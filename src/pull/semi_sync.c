#include "pull/semi_sync.h"

#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "io/clock.h"
#include "pull/synchrony.h"

struct semi_sync {
	struct semi_sync_options options;
	struct synchrony synchrony;
	bool sending; /* the ring watches the stream for us */
};

static struct synchrony_now now(void)
{
	return (struct synchrony_now){clock_monotonic_usec(), clock_realtime_usec()};
}

struct semi_sync *semi_sync_new(const struct semi_sync_options *options)
{
	struct semi_sync *semi_sync = calloc(1, sizeof(*semi_sync));
	const struct synchrony_now time = now();

	ASSERT(semi_sync);
	semi_sync->options = *options;
	synchrony_begin(&semi_sync->synchrony, &time);
	return semi_sync;
}

void semi_sync_free(struct semi_sync *semi_sync)
{
	if (!semi_sync)
		return;
	ring_poll_cancel(semi_sync->options.ring, semi_sync->options.tag);
	free(semi_sync);
}

static bool is_wanted(const struct semi_sync *semi_sync)
{
	return semi_sync->options.source->semi_sync;
}

void semi_sync_opened(struct semi_sync *semi_sync)
{
	const struct synchrony_now time = now();

	synchrony_connected(&semi_sync->synchrony,
			    stream_semi_sync_absent(semi_sync->options.stream), &time);
}

void semi_sync_received(struct semi_sync *semi_sync, const struct received *received)
{
	bool end = received->kind == RECEIVED_EVENT && received->last &&
		   received->event.transaction_end;
	bool idle = receiver_at_end(stream_receiver(semi_sync->options.stream));
	struct synchrony_now time;

	if (!is_wanted(semi_sync) || !(received->acknowledge || end || idle))
		return;
	time = now();
	if (received->acknowledge || end)
		synchrony_took(&semi_sync->synchrony, received->acknowledge, &time);
	else
		synchrony_idle(&semi_sync->synchrony, &time);
}

void semi_sync_closing(struct semi_sync *semi_sync, const char *sentence)
{
	const struct synchrony_now time = now();

	ring_poll_cancel(semi_sync->options.ring, semi_sync->options.tag);
	semi_sync->sending = false;
	synchrony_disconnected(&semi_sync->synchrony, sentence, &time);
}

static void wait_to_send(struct semi_sync *semi_sync, enum tls_want want)
{
	int fd = stream_fd(semi_sync->options.stream);

	semi_sync->sending = true;
	if (want == TLS_WANT_READ)
		ring_poll_readable(semi_sync->options.ring, fd, semi_sync->options.tag);
	else
		ring_poll_writable(semi_sync->options.ring, fd, semi_sync->options.tag);
}

int semi_sync_send(struct semi_sync *semi_sync, struct error *err)
{
	struct stream *stream = semi_sync->options.stream;
	struct sink *sink = semi_sync->options.sink;
	struct acknowledgement acknowledgement;
	enum tls_want want = TLS_WANT_NOTHING;
	struct synchrony_now time;
	unsigned count;
	int r;

	if (!stream_is_open(stream))
		return 0;
	if (sink_take_acknowledgement(sink, &acknowledgement) && semi_sync_is_awaited(semi_sync))
		stream_acknowledge(stream, &acknowledgement);
	if (semi_sync->sending)
		return 0;
	r = stream_send(stream, &count, &want, err);
	if (count > 0) {
		time = now();
		synchrony_acknowledged(&semi_sync->synchrony, stream_acknowledged(stream),
				       sink_owes_acknowledgement(sink), &time);
	}
	if (r == 0)
		wait_to_send(semi_sync, want);
	return MIN(r, 0);
}

void semi_sync_ready(struct semi_sync *semi_sync)
{
	semi_sync->sending = false;
}

bool semi_sync_is_sending(const struct semi_sync *semi_sync)
{
	return semi_sync->sending;
}

bool semi_sync_is_awaited(const struct semi_sync *semi_sync)
{
	return stream_is_open(semi_sync->options.stream) &&
	       stream_semi_sync(semi_sync->options.stream) == PACKET_SEMI_SYNC_YES;
}

void semi_sync_tell(struct semi_sync *semi_sync)
{
	const struct stream *stream = semi_sync->options.stream;
	const struct error *trouble = sink_trouble(semi_sync->options.sink);
	const struct pull_semi_sync told = semi_sync->synchrony.told;
	const struct synchrony_now time = now();
	struct pull_semi_sync state;

	if (!is_wanted(semi_sync))
		return;
	if (stream_is_open(stream) && stream_semi_sync(stream) == PACKET_SEMI_SYNC_NO)
		synchrony_denied(&semi_sync->synchrony, &time);
	synchrony_step(&semi_sync->synchrony, trouble ? trouble->message : NULL, &time);
	if (!synchrony_tell(&semi_sync->synchrony, &time, &state))
		return;
	if (state.on != told.on || strcmp(state.sentence, told.sentence) != 0)
		log_info("semi-sync.state", "on", LOG_NUMBER(state.on), "sentence",
			 LOG_TEXT(state.sentence), "file", LOG_TEXT(state.file), "position",
			 LOG_NUMBER(state.position), LOG_END);
	sink_semi_sync(semi_sync->options.sink, &state);
}

uint64_t semi_sync_deadline(const struct semi_sync *semi_sync)
{
	return is_wanted(semi_sync) ? synchrony_deadline(&semi_sync->synchrony) : UINT64_MAX;
}

void semi_sync_leave(struct semi_sync *semi_sync, const char *sentence)
{
	struct error err;

	if (!semi_sync_is_awaited(semi_sync))
		return;
	if (stream_deregister(semi_sync->options.stream, &err) < 0)
		log_warning("semi-sync.not-deregistered", "reason", LOG_TEXT(err.message), LOG_END);
	semi_sync_closing(semi_sync, sentence);
	semi_sync_tell(semi_sync);
}
