#include "restore/chain.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"

void chain_begin(struct chain *chain, const struct chain_limit *limit)
{
	memset(chain, 0, sizeof(*chain));
	chain->limit = *limit;
	chain->position = CHAIN_FIRST_POSITION;
	chain->boundary = CHAIN_FIRST_POSITION;
}

void chain_resume(struct chain *chain, uint64_t position, const struct format *format)
{
	static const struct chain_limit none = {CHAIN_NO_LIMIT, CHAIN_NO_LIMIT};

	chain_begin(chain, &none);
	chain->position = position;
	chain->boundary = position;
	if (!format)
		return;
	chain->format = *format;
	chain->has_format = true;
	transaction_resume(&chain->tracker, format, false);
}

static int take_format(struct chain *chain, const uint8_t *event, size_t size, struct error *err)
{
	int r;

	if (chain->header.type != EVENT_FORMAT_DESCRIPTION)
		return error_set(err, ERROR_DEFECT, "the file begins with %s, not with %s",
				 event_type_name(chain->header.type),
				 event_type_name(EVENT_FORMAT_DESCRIPTION));
	/* The prefix holds all of it, unless it is one that no server writes. */
	r = format_decode(event, MIN(size, (size_t)chain->header.length), &chain->format, err);
	if (r < 0)
		return r;
	chain->has_format = true;
	transaction_init(&chain->tracker, &chain->format);
	return 0;
}

/* At the beginning of an event: its length is known to be right. */
static void look_at_position(struct chain *chain)
{
	if (chain->limit.position != CHAIN_NO_LIMIT &&
	    (chain->position >= chain->limit.position ||
	     chain->header.length > chain->limit.position - chain->position))
		chain->reached = true;
}

/* At the end of an event: of its time its CRC tells whether it is right. */
static void look_at_time(struct chain *chain)
{
	if (chain->step.starts && chain->limit.usec != CHAIN_NO_LIMIT &&
	    chain->step.timestamp * USEC_PER_SEC >= chain->limit.usec)
		chain->reached = true;
}

/* The event's first bytes are there. */
static int event_begin(struct chain *chain, const uint8_t *event, size_t size, struct error *err)
{
	bool is_first = chain->position == CHAIN_FIRST_POSITION;
	int r = is_first ? take_format(chain, event, size, err) : 0;

	/* FORMAT_DESCRIPTION has one whatever it says of the others. */
	chain->has_crc = is_first || (chain->has_format && format_crc_size(&chain->format) > 0);
	if (r == 0 && chain->has_crc)
		r = event_crc_init(&chain->crc, chain->header.length, err);
	if (r < 0)
		return r;
	chain->step = (struct transaction_step){0};
	if (chain->has_format)
		transaction_feed(&chain->tracker, &chain->header, event, size, &chain->step);
	look_at_position(chain);
	return 0;
}

/* Is it right, or one of those that are kept as they came? */
static int check_crc(struct chain *chain, struct error *err)
{
	if (!chain->has_crc || event_crc_check(&chain->crc, err) == 0)
		return 0;
	/* The format says how all others are read: none with a wrong CRC is ever archived. */
	if (!chain->crc_may_be_wrong || chain->header.type == EVENT_FORMAT_DESCRIPTION)
		return err->code;
	chain->crc_wrong_count++;
	chain->crc_wrong_position = chain->position;
	if (chain->has_format)
		transaction_doubt(&chain->tracker, &chain->step);
	return 0;
}

static int event_end(struct chain *chain, struct error *err)
{
	if (check_crc(chain, err) < 0)
		return err->code;
	look_at_time(chain);
	chain->last_event_position = chain->position;
	chain->last_event_crc = chain->has_crc ? event_crc_stored(&chain->crc) : 0;
	chain->event_count++;
	chain->position += chain->header.length;
	chain->done = 0;
	chain->prefix_size = 0;
	if (chain->reached)
		return 0;
	if (chain->step.ends)
		chain->transaction_usec = chain->step.timestamp * USEC_PER_SEC;
	if (chain->tracker.state == TRANSACTION_NONE)
		chain->boundary = chain->position;
	chain->reached = chain->position == chain->limit.position;
	return 0;
}

static size_t prefix_want(const struct chain *chain)
{
	if (chain->prefix_size < EVENT_HEADER_SIZE)
		return EVENT_HEADER_SIZE;
	return MIN((size_t)chain->header.length, sizeof(chain->prefix));
}

static void take_bytes(struct chain *chain, const uint8_t *bytes, size_t size)
{
	if (chain->has_crc)
		event_crc_update(&chain->crc, bytes, size);
	chain->done += (uint32_t)size;
}

/* Collect the beginning of an event that comes in pieces. */
static int collect(struct chain *chain, const uint8_t *bytes, size_t size, size_t *ret_taken,
		   struct error *err)
{
	size_t taken = MIN(size, prefix_want(chain) - chain->prefix_size);
	int r = 0;

	memcpy(chain->prefix + chain->prefix_size, bytes, taken);
	chain->prefix_size += taken;
	*ret_taken = taken;
	if (chain->prefix_size == EVENT_HEADER_SIZE)
		r = event_header_decode(chain->prefix, chain->prefix_size, &chain->header, err);
	if (r < 0 || chain->prefix_size < EVENT_HEADER_SIZE ||
	    chain->prefix_size < prefix_want(chain))
		return r;
	r = event_begin(chain, chain->prefix, chain->prefix_size, err);
	if (r == 0)
		take_bytes(chain, chain->prefix, chain->prefix_size);
	return r;
}

/* An event that begins in @bytes, in the usual case with all that is to be looked at. */
static int feed_begin(struct chain *chain, const uint8_t *bytes, size_t size, size_t *ret_taken,
		      struct error *err)
{
	int r;

	if (chain->prefix_size > 0 || size < EVENT_HEADER_SIZE)
		return collect(chain, bytes, size, ret_taken, err);
	r = event_header_decode(bytes, size, &chain->header, err);
	if (r < 0)
		return r;
	if (size < MIN((size_t)chain->header.length, sizeof(chain->prefix)))
		return collect(chain, bytes, size, ret_taken, err);
	*ret_taken = MIN(size, (size_t)chain->header.length);
	r = event_begin(chain, bytes, MIN(*ret_taken, sizeof(chain->prefix)), err);
	if (r == 0)
		take_bytes(chain, bytes, *ret_taken);
	return r;
}

int chain_feed(struct chain *chain, const uint8_t *bytes, size_t size, struct error *err)
{
	while (size > 0) {
		size_t taken;
		int r = 0;

		if (chain->done == 0) {
			r = feed_begin(chain, bytes, size, &taken, err);
		} else {
			taken = MIN(size, (size_t)(chain->header.length - chain->done));
			take_bytes(chain, bytes, taken);
		}
		if (r == 0 && chain->done > 0 && chain->done == chain->header.length)
			r = event_end(chain, err);
		if (r < 0)
			return error_prefix(err, "event at %" PRIu64, chain->position);
		bytes += taken;
		size -= taken;
	}
	return 0;
}

int chain_check_whole(const struct chain *chain, struct error *err)
{
	if (chain->done == 0 && chain->prefix_size == 0)
		return 0;
	return error_set(err, ERROR_DEFECT, "event at %" PRIu64 ": the events end inside it",
			 chain->position);
}
