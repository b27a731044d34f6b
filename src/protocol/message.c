#include "protocol/message.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/secret.h"
#include "protocol/wire.h"

struct header_wire {
	le16 type;
	le16 version;
	le32 size; /* of the body */
};
static_assert(sizeof(struct header_wire) == MESSAGE_HEADER_SIZE, "the header's layout");

struct failure_wire {
	le32 code; /* two's complement */
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
};
static_assert(sizeof(struct failure_wire) == 4 + 512, "FAILURE's layout");

struct hello_wire {
	uint8_t program[32];
	uint8_t version[32];
	uint8_t config[HASH_SIZE];
};
static_assert(sizeof(struct hello_wire) == 96, "HELLO's layout");

int message_send(int fd, enum message_type type, const void *body, size_t size, const int *fds,
		 size_t fd_count, struct error *err)
{
	uint8_t bytes[CHANNEL_MESSAGE_MAX];
	struct header_wire header = {
		.type = le16_put((uint16_t)type),
		.version = le16_put(PROTOCOL_VERSION),
		.size = le32_put((uint32_t)size),
	};
	int result;

	ASSERT(size <= MESSAGE_BODY_MAX);
	memcpy(bytes, &header, sizeof(header));
	if (size > 0)
		memcpy(bytes + sizeof(header), body, size);
	result = channel_send(fd, bytes, sizeof(header) + size, fds, fd_count, err);
	secret_wipe(bytes, sizeof(header) + size);
	if (result < 0)
		return error_prefix(err, "sending %s", message_type_name(type));
	return 0;
}

int message_receive(int fd, struct message *message, struct error *err)
{
	struct header_wire header;
	size_t fd_count = 0;
	ssize_t size;

	/* what a caller has not taken of the message before: descriptors of a peer cost us ours */
	message_release(message);
	size = channel_receive(fd, message->bytes, message->fds, CHANNEL_FDS_MAX, &fd_count, err);
	if (size <= 0)
		return (int)size;
	message->fd_count = fd_count;
	/* Known to message_release(), whatever the header says. */
	message->body_size = (size_t)size > sizeof(header) ? (size_t)size - sizeof(header) : 0;
	message->body = message->bytes + sizeof(header);
	memcpy(&header, message->bytes, sizeof(header));
	if ((size_t)size < sizeof(header) || le32_get(header.size) != message->body_size) {
		message_release(message);
		return error_set(err, ERROR_DEFECT,
				 "a message of %zd bytes does not have the size that it states",
				 size);
	}
	message->type = (enum message_type)le16_get(header.type);
	message->version = le16_get(header.version);
	return 1;
}

void message_release(struct message *message)
{
	for (size_t i = 0; i < message->fd_count; i++) {
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	}
	message->fd_count = 0;
	secret_wipe(message->bytes, MESSAGE_HEADER_SIZE + message->body_size);
	message->body_size = 0;
}

int message_take_fd(struct message *message, size_t index)
{
	int fd;

	ASSERT(index < message->fd_count && message->fds[index] >= 0);
	fd = message->fds[index];
	message->fds[index] = -1;
	return fd;
}

/* The peer's own code and sentence become ours. */
static int take_failure(const struct message *message, struct error *err)
{
	char sentence[MESSAGE_SENTENCE_SIZE];
	struct failure_wire wire;
	int code;

	if (message->body_size != sizeof(wire) || message->fd_count != 0)
		return wire_defect(message, "size", err);
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_code(message, "code", wire.code, false, &code, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire.sentence, sizeof(wire.sentence), sentence,
			       err) < 0)
		return err->code;
	return error_set(err, code, "%s", sentence);
}

int message_expect(const struct message *message, enum message_type type, struct error *err)
{
	if (message->type == MESSAGE_FAILURE && type != MESSAGE_FAILURE)
		return take_failure(message, err);
	if (message->type != type)
		return error_set(err, ERROR_DEFECT, "message %s where %s is expected",
				 message_type_name(message->type), message_type_name(type));
	if (message->version != PROTOCOL_VERSION)
		return error_set(err, ERROR_DEFECT, "message %s of protocol version %u; ours is %d",
				 message_type_name(type), (unsigned)message->version,
				 PROTOCOL_VERSION);
	return 0;
}

int message_expect_empty(const struct message *message, enum message_type type, struct error *err)
{
	return wire_expect(message, type, 0, 0, 0, err);
}

int message_send_failure(int fd, const struct error *reason, struct error *err)
{
	struct failure_wire wire = {.code = le32_put((uint32_t)reason->code)};

	ASSERT(reason->code < 0);
	wire_put_sentence(wire.sentence, sizeof(wire.sentence), reason->message);
	return message_send(fd, MESSAGE_FAILURE, &wire, sizeof(wire), NULL, 0, err);
}

int hello_send(int fd, const struct hello *hello, struct error *err)
{
	struct hello_wire wire;

	wire_put_text(wire.program, sizeof(wire.program), hello->program);
	wire_put_text(wire.version, sizeof(wire.version), hello->version);
	memcpy(wire.config, hello->config.bytes, sizeof(wire.config));
	return message_send(fd, MESSAGE_HELLO, &wire, sizeof(wire), NULL, 0, err);
}

int hello_decode(const struct message *message, struct hello *ret_hello, struct error *err)
{
	struct hello_wire wire;
	struct hello hello;

	/* Before its size: another version may have another HELLO. */
	if (message->type == MESSAGE_HELLO && message->version != PROTOCOL_VERSION)
		return error_set(err, ERROR_REFUSED,
				 "the peer speaks protocol version %u, this program version %d: "
				 "install the same version of all programs and restart them",
				 (unsigned)message->version, PROTOCOL_VERSION);
	if (wire_expect(message, MESSAGE_HELLO, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_text(message, "program", wire.program, sizeof(wire.program), hello.program,
			   err) < 0 ||
	    wire_take_text(message, "version", wire.version, sizeof(wire.version), hello.version,
			   err) < 0)
		return err->code;
	memcpy(hello.config.bytes, wire.config, sizeof(wire.config));
	*ret_hello = hello;
	return 0;
}
