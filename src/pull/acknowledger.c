#include "pull/acknowledger.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

#define PACKET_HEADER_SIZE 4u /* u24 length, u8 sequence */
#define REPLY_MAGIC	   0xef

struct packet {
	le32 header; /* an acknowledgement's sequence number is always 0 */
	uint8_t magic;
	le64 position;
	char file[BINLOG_NAME_MAX]; /* to the end of the packet, without NUL */
};
static_assert(offsetof(struct packet, file) == 13, "the packet's layout");

struct acknowledger {
	struct tls_stream *stream;
	struct packet packet;
	size_t size, done; /* of the packet at hand; equal: none is */
	bool has_next, has_poke, has_sent;
	struct acknowledgement next;
	struct acknowledgement begun, sent;
};

struct acknowledger *acknowledger_new(void)
{
	struct acknowledger *acknowledger = calloc(1, sizeof(*acknowledger));

	ASSERT(acknowledger);
	return acknowledger;
}

void acknowledger_free(struct acknowledger *acknowledger)
{
	free(acknowledger);
}

void acknowledger_start(struct acknowledger *acknowledger, struct tls_stream *stream)
{
	*acknowledger = (struct acknowledger){.stream = stream};
}

void acknowledger_give(struct acknowledger *acknowledger, const struct acknowledgement *next)
{
	acknowledger->next = *next;
	acknowledger->has_next = true;
}

void acknowledger_poke(struct acknowledger *acknowledger)
{
	acknowledger->has_poke = true;
}

const struct acknowledgement *acknowledger_sent(const struct acknowledger *acknowledger)
{
	return acknowledger->has_sent ? &acknowledger->sent : NULL;
}

static void begin_packet(struct acknowledger *acknowledger)
{
	static const struct acknowledgement nothing;
	struct packet *packet = &acknowledger->packet;
	size_t length;

	acknowledger->begun = acknowledger->has_next ? acknowledger->next : nothing;
	length = strlen(acknowledger->begun.file);
	/* Any packet will do. */
	acknowledger->has_next = false;
	acknowledger->has_poke = false;
	acknowledger->size = offsetof(struct packet, file) + length;
	acknowledger->done = 0;
	packet->header = le32_put((uint32_t)(acknowledger->size - PACKET_HEADER_SIZE));
	packet->magic = REPLY_MAGIC;
	packet->position = le64_put(acknowledger->begun.position);
	memcpy(packet->file, acknowledger->begun.file, length);
}

int acknowledger_send(struct acknowledger *acknowledger, unsigned *ret_sent,
		      enum tls_want *ret_want, struct error *err)
{
	const uint8_t *bytes = (const uint8_t *)&acknowledger->packet;
	ssize_t size;

	*ret_sent = 0;
	for (;;) {
		if (acknowledger->done == acknowledger->size) {
			if (!acknowledger->has_next && !acknowledger->has_poke)
				return 1;
			begin_packet(acknowledger);
		}
		/* The same bytes again: TLS may have made a record of them already. */
		size = tls_stream_write(acknowledger->stream, bytes + acknowledger->done,
					acknowledger->size - acknowledger->done, ret_want, err);
		if (size < 0)
			return (int)size;
		if (size == 0)
			return 0;
		acknowledger->done += (size_t)size;
		if (acknowledger->done < acknowledger->size)
			continue;
		if (acknowledger->begun.file[0] == '\0')
			continue;
		acknowledger->sent = acknowledger->begun;
		acknowledger->has_sent = true;
		(*ret_sent)++;
	}
}
