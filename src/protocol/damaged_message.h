/*
 * DAMAGED, from puller to keeper, part of the conversation of pull_messages.h: an event that came
 * with a wrong CRC, the same over two connections, is durable as it came. Told once it is, before
 * SEGMENT_CLOSED, and again after each ATTACHED; it has no answer.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "protocol/message.h"
#include "volume/header.h"

struct damaged {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	char binlog_file[BINLOG_NAME_MAX + 1];
	uint64_t position; /* of the event's first byte */
	uint32_t length;
	uint32_t crc; /* that it states */
};

int damaged_send(int fd, const struct damaged *damaged, struct error *err) MUST_CHECK;
int damaged_decode(const struct message *message, struct damaged *ret,
		   struct error *err) MUST_CHECK;
