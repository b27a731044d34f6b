#include "protocol/damaged_message.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/wire.h"

struct damaged_wire {
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint8_t binlog_file[BINLOG_NAME_MAX + 1];
	le64 position;
	le32 length;
	le32 crc;
};
static_assert(sizeof(struct damaged_wire) == 161, "DAMAGED's layout");

int damaged_send(int fd, const struct damaged *damaged, struct error *err)
{
	struct damaged_wire wire = {
		.position = le64_put(damaged->position),
		.length = le32_put(damaged->length),
		.crc = le32_put(damaged->crc),
	};

	memcpy(wire.segment_id, damaged->segment_id, sizeof(wire.segment_id));
	wire_put_text(wire.binlog_file, sizeof(wire.binlog_file), damaged->binlog_file);
	return message_send(fd, MESSAGE_DAMAGED, &wire, sizeof(wire), NULL, 0, err);
}

int damaged_decode(const struct message *message, struct damaged *ret, struct error *err)
{
	struct damaged_wire wire;

	if (wire_expect(message, MESSAGE_DAMAGED, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_name(message, "binlog_file", wire.binlog_file, sizeof(wire.binlog_file),
			   name_check_binlog, false, ret->binlog_file, err) < 0)
		return err->code;
	memcpy(ret->segment_id, wire.segment_id, sizeof(wire.segment_id));
	ret->position = le64_get(wire.position);
	ret->length = le32_get(wire.length);
	ret->crc = le32_get(wire.crc);
	return 0;
}
