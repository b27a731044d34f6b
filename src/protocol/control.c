#include "protocol/control.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/wire.h"

struct control_wire {
	uint8_t kind;
	le64 until_usec;
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
};
static_assert(sizeof(struct control_wire) == 521, "CONTROL's layout");

int control_send(int fd, const struct control *control, struct error *err)
{
	struct control_wire wire = {
		.kind = (uint8_t)control->kind,
		.until_usec = le64_put(control->until_usec),
	};

	wire_put_sentence(wire.sentence, sizeof(wire.sentence), control->sentence);
	return message_send(fd, MESSAGE_CONTROL, &wire, sizeof(wire), NULL, 0, err);
}

int control_decode(const struct message *message, struct control *ret, struct error *err)
{
	struct control control;
	struct control_wire wire;

	if (wire_expect(message, MESSAGE_CONTROL, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "kind", wire.kind, CONTROL_LIMIT, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire.sentence, sizeof(wire.sentence),
			       control.sentence, err) < 0)
		return err->code;
	control.kind = (enum control_kind)wire.kind;
	control.until_usec = le64_get(wire.until_usec);
	*ret = control;
	return 0;
}
