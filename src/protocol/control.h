/*
 * CONTROL, from keeper to puller, at any time and without an answer: may the source be pulled? What
 * it asks for is done in good order: no byte that was received and no acknowledgement of it is
 * lost.
 *
 * Owns: nothing; a plain value. Threads: any.
 */
#pragma once

#include <stdint.h>

#include "protocol/message.h"

enum control_kind {
	CONTROL_PULL = 0,
	CONTROL_PAUSE = 1, /* a person wants it: end the stream and the segment in good order */
	CONTROL_LIMIT = 2, /* the source has had its share: likewise, until until_usec */
};

struct control {
	enum control_kind kind;
	uint64_t until_usec; /* vault time at which the keeper takes it back, 0 if a person does */
	char sentence[MESSAGE_SENTENCE_SIZE]; /* why; "" for CONTROL_PULL */
};

int control_send(int fd, const struct control *control, struct error *err) MUST_CHECK;
int control_decode(const struct message *message, struct control *ret,
		   struct error *err) MUST_CHECK;
