/*
 * A message: {u16 type, u16 version, u32 size} and a body, little-endian, at most 64 KiB, one
 * datagram of a SOCK_SEQPACKET socket. What does not fit travels as a sealed memfd beside it.
 *
 * Each conversation has its own header here: pull_messages.h (puller and keeper), hsm_messages.h,
 * export_messages.h. They state who may say what; a message of a type that is not expected, or a
 * body of another size, ends the conversation (ERROR_DEFECT), never the daemon.
 *
 * The first message on every connection, from both sides, is HELLO.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "io/channel.h"

#define PROTOCOL_VERSION      1
#define MESSAGE_HEADER_SIZE   8u
#define MESSAGE_BODY_MAX      (CHANNEL_MESSAGE_MAX - MESSAGE_HEADER_SIZE)
#define MESSAGE_SENTENCE_SIZE 512 /* a struct error's sentence, cut to this */

enum message_type {
	MESSAGE_HELLO = 1,
	MESSAGE_FAILURE = 2, /* the answer to any request that failed: a code and its sentence */

	MESSAGE_ATTACH = 10,
	MESSAGE_ATTACHED = 11,
	MESSAGE_OPEN_SEGMENT = 12,
	MESSAGE_SEGMENT_OPENED = 13, /* one descriptor a volume */
	MESSAGE_PROGRESS = 14,
	MESSAGE_SEGMENT_CLOSED = 15,
	MESSAGE_STATE = 16,
	MESSAGE_PREFLIGHT = 18,
	MESSAGE_SEMI_SYNC = 19,
	MESSAGE_OBSERVED = 20, /* the server's list of files as a memfd */
	MESSAGE_CONTROL = 21,  /* keeper to puller, at any time */
	MESSAGE_DAMAGED = 28,

	MESSAGE_HSM_PROVISION = 30,
	MESSAGE_HSM_KEYS = 31,
	MESSAGE_HSM_UNWRAP = 32,
	MESSAGE_HSM_UNWRAPPED = 33,
	MESSAGE_HSM_LAST_SIGNED = 34,
	MESSAGE_HSM_SIGNED_STATE = 35,
	MESSAGE_HSM_SIGN_CHECKPOINT = 36,
	MESSAGE_HSM_SIGN_MANIFEST = 37,
	MESSAGE_HSM_SIGNATURE = 38,

	MESSAGE_EXPORT_BEGIN = 50,   /* a directory descriptor, unless nothing is to be written */
	MESSAGE_EXPORT_SEGMENT = 51, /* the segment's descriptor */
	MESSAGE_EXPORT_PROGRESS = 52,
	MESSAGE_EXPORT_SEGMENT_DONE = 53,
	MESSAGE_EXPORT_FINISH = 54,
	MESSAGE_EXPORT_RESULT = 55,   /* the manifest's body as a memfd */
	MESSAGE_EXPORT_MANIFEST = 56, /* its signature */
	MESSAGE_EXPORT_COMMITTED = 57,
};

/* Zeroed before its first use. Too large for a deep stack: one a conversation. */
struct message {
	enum message_type type;
	uint16_t version;
	size_t body_size;
	const uint8_t *body; /* within @bytes */
	size_t fd_count;
	int fds[CHANNEL_FDS_MAX]; /* the receiver's; message_release() closes what was not taken */
	uint8_t bytes[CHANNEL_MESSAGE_MAX];
};

/* Send a body under its type. Errors as channel_send(). */
int message_send(int fd, enum message_type type, const void *body, size_t size, const int *fds,
		 size_t fd_count, struct error *err) MUST_CHECK;

/* Receive into @message, after message_release() of what stood there. 1: a message; 0: the peer has
 * closed; errors as channel_receive(). */
int message_receive(int fd, struct message *message, struct error *err) MUST_CHECK;

/* Wipe the bytes (they may have held a key) and close what was not taken. Twice is harmless; so is
 * after a receive that failed. */
void message_release(struct message *message);

/* The descriptor at @index, which is the caller's from now on. */
int message_take_fd(struct message *message, size_t index);

/* ERROR_DEFECT unless @message is of @type; a FAILURE becomes its own code and sentence. */
int message_expect(const struct message *message, enum message_type type,
		   struct error *err) MUST_CHECK;

/* The same for a type that has neither body nor descriptors. */
int message_expect_empty(const struct message *message, enum message_type type,
			 struct error *err) MUST_CHECK;

/* Answer a request with the error that it met. */
int message_send_failure(int fd, const struct error *reason, struct error *err) MUST_CHECK;

struct hello {
	char program[32];   /* "binvault-pull" */
	char version[32];   /* BINVAULT_VERSION */
	struct hash config; /* SHA-256 of the configuration file; zero if it has none */
};

int hello_send(int fd, const struct hello *hello, struct error *err) MUST_CHECK;

/* ERROR_REFUSED if the other side speaks another protocol version. */
int hello_decode(const struct message *message, struct hello *ret_hello,
		 struct error *err) MUST_CHECK;
