#include "protocol/pull_preflight.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/wire.h"

struct preflight_wire {
	uint8_t ok;
	le64 time_usec;
	uint8_t server[128];
	uint8_t text[PREFLIGHT_TEXT_SIZE];
};
static_assert(sizeof(struct preflight_wire) == 24713, "PREFLIGHT's layout");
static_assert(sizeof(struct preflight_wire) <= MESSAGE_BODY_MAX, "PREFLIGHT is one message");

int pull_preflight_send(int fd, const struct pull_preflight *preflight, struct error *err)
{
	struct preflight_wire wire = {
		.ok = preflight->ok,
		.time_usec = le64_put(preflight->time_usec),
	};

	wire_put_sentence(wire.server, sizeof(wire.server), preflight->server);
	wire_put_text(wire.text, sizeof(wire.text), preflight->text);
	return message_send(fd, MESSAGE_PREFLIGHT, &wire, sizeof(wire), NULL, 0, err);
}

int pull_preflight_decode(const struct message *message, struct pull_preflight *ret,
			  struct error *err)
{
	struct pull_preflight preflight;
	struct preflight_wire wire;

	if (wire_expect(message, MESSAGE_PREFLIGHT, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "ok", wire.ok, 1, err) < 0 ||
	    wire_take_sentence(message, "server", wire.server, sizeof(wire.server),
			       preflight.server, err) < 0 ||
	    wire_take_text(message, "text", wire.text, sizeof(wire.text), preflight.text, err) < 0)
		return err->code;
	preflight.ok = wire.ok != 0;
	preflight.time_usec = le64_get(wire.time_usec);
	*ret = preflight;
	return 0;
}
