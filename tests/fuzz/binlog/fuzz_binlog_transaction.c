/*
 * Any bytes as the events behind a FORMAT_DESCRIPTION. One tracker is given the whole prefix of
 * each event, a second one only some of it: both must keep to what a step may say.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "binlog/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct transaction_tracker *tracker, const struct event_header *header,
		 const uint8_t *event, size_t size)
{
	bool was_outside = tracker->state == TRANSACTION_NONE;
	struct transaction_step step;
	uint8_t *copy = malloc(size); /* so that a byte too far is seen */

	ASSERT(copy);
	memcpy(copy, event, size);
	transaction_feed(tracker, header, copy, size, &step);
	free(copy);
	ASSERT(!step.starts || step.inside);
	ASSERT(!step.ends || step.inside);
	ASSERT(!step.abandoned || !was_outside);
	ASSERT(!step.ends || tracker->state == TRANSACTION_NONE);
	if (step.inside)
		ASSERT(step.starts || !was_outside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct format format = {
		.post_header_length = {[EVENT_QUERY] = 13},
		.checksum = FORMAT_CHECKSUM_CRC32,
	};
	struct transaction_tracker whole, some;
	struct error err;
	uint8_t less;

	if (size < 1)
		return 0;
	less = *data++;
	size--;
	transaction_init(&whole, &format);
	transaction_resume(&some, &format, less & 1);
	while (size > 0) {
		struct event_header header;
		size_t given;

		if (event_header_decode(data, size, &header, &err) < 0)
			return 0;
		given = MIN((size_t)header.length, size);
		feed(&whole, &header, data, MIN(given, (size_t)TRANSACTION_PREFIX_SIZE));
		feed(&some, &header, data, MIN(given, (size_t)EVENT_HEADER_SIZE + less));
		data += given;
		size -= given;
	}
	return 0;
}
