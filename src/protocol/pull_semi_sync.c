#include "protocol/pull_semi_sync.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/wire.h"

struct semi_sync_wire {
	uint8_t on;
	le64 since_usec;
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
	uint8_t file[BINLOG_NAME_MAX + 1];
	le64 position;
	le64 acknowledged_count;
	le64 other_count;
};
static_assert(sizeof(struct semi_sync_wire) == 674, "SEMI_SYNC's layout");

int pull_semi_sync_send(int fd, const struct pull_semi_sync *semi_sync, struct error *err)
{
	struct semi_sync_wire wire = {
		.on = semi_sync->on,
		.since_usec = le64_put(semi_sync->since_usec),
		.position = le64_put(semi_sync->position),
		.acknowledged_count = le64_put(semi_sync->acknowledged_count),
		.other_count = le64_put(semi_sync->other_count),
	};

	wire_put_sentence(wire.sentence, sizeof(wire.sentence), semi_sync->sentence);
	wire_put_text(wire.file, sizeof(wire.file), semi_sync->file);
	return message_send(fd, MESSAGE_SEMI_SYNC, &wire, sizeof(wire), NULL, 0, err);
}

int pull_semi_sync_decode(const struct message *message, struct pull_semi_sync *ret,
			  struct error *err)
{
	struct pull_semi_sync semi_sync = {0};
	struct semi_sync_wire wire;

	if (wire_expect(message, MESSAGE_SEMI_SYNC, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "on", wire.on, 1, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire.sentence, sizeof(wire.sentence),
			       semi_sync.sentence, err) < 0 ||
	    wire_take_name(message, "file", wire.file, sizeof(wire.file), name_check_binlog, true,
			   semi_sync.file, err) < 0)
		return err->code;
	semi_sync.on = wire.on != 0;
	if (semi_sync.on != (semi_sync.sentence[0] == '\0'))
		return wire_defect(message, "sentence", err);
	semi_sync.since_usec = le64_get(wire.since_usec);
	semi_sync.position = le64_get(wire.position);
	semi_sync.acknowledged_count = le64_get(wire.acknowledged_count);
	semi_sync.other_count = le64_get(wire.other_count);
	*ret = semi_sync;
	return 0;
}
