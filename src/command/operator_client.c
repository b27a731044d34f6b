#include "command/operator_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/channel.h"

#define ANSWER_MAX_MSEC	     30000
#define ANSWER_BODY_SIZE_MAX ((size_t)64 << 20)

static int send_request(int fd, const json_t *request, struct error *err)
{
	CLEANUP(freep)
	char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return error_set(err, ERROR_USAGE, "the request is not text");
	if (strlen(text) > CHANNEL_MESSAGE_MAX)
		return error_set(err, ERROR_USAGE, "the request is too long");
	return channel_send(fd, text, strlen(text), NULL, 0, err);
}

static int await(int fd, struct error *err)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int n;

	do
		n = poll(&wanted, 1, ANSWER_MAX_MSEC);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
			 "the keeper does not answer; its log says what it is doing");
}

/* An answer that did not fit a message. */
static int parse_body(int body_fd, json_t **ret_reply, struct error *err)
{
	const void *bytes;
	size_t size;
	int r = channel_body_map(body_fd, ANSWER_BODY_SIZE_MAX, &bytes, &size, err);

	if (r < 0)
		return r;
	r = json_parse(bytes, size, ret_reply, err);
	munmap((void *)(uintptr_t)bytes, size);
	return r;
}

static int receive_reply(int fd, json_t **ret_reply, struct error *err)
{
	CLEANUP(freep)
	char *bytes = malloc(CHANNEL_MESSAGE_MAX);
	CLEANUP(close_fdp)
	int body_fd = -1;
	size_t fd_count = 0;
	ssize_t size;

	ASSERT(bytes);
	size = channel_receive(fd, bytes, &body_fd, 1, &fd_count, err);
	if (size < 0)
		return (int)size;
	if (size == 0)
		return error_set(err, ERROR_UNAVAILABLE,
				 "the keeper has closed the connection without an answer");
	return fd_count > 0 ? parse_body(body_fd, ret_reply, err)
			    : json_parse(bytes, (size_t)size, ret_reply, err);
}

/* What the keeper refused becomes our error. */
static int take_error(const json_t *reply, struct error *err)
{
	const json_t *object = json_object_get(reply, "error");
	const char *sentence;
	uint64_t code;

	if (!object)
		return 0;
	if (json_get_u64(object, "code", &code, err) < 0 ||
	    json_get_string(object, "sentence", &sentence, err) < 0)
		return error_prefix(err, "the keeper's answer");
	if (code == 0 || code > (uint64_t)-ERROR_BUSY)
		code = (uint64_t)-ERROR_FAILED;
	return error_set(err, -(int)code, "%s", sentence);
}

int operator_ask(const struct config *config, const json_t *request, json_t **ret_reply,
		 struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char path[CONFIG_SOCKET_PATH_SIZE];
	json_t *reply = NULL;
	int r = config_socket(config, "operator", path, err);

	if (r < 0)
		return r;
	fd = channel_connect(path, err);
	if (fd < 0)
		return error_prefix(err, "the keeper is not running (start it: binvault run)");
	r = send_request(fd, request, err);
	if (r == 0)
		r = await(fd, err);
	if (r == 0)
		r = receive_reply(fd, &reply, err);
	if (r < 0)
		return error_prefix(err, "asking the keeper");
	r = take_error(reply, err);
	if (r < 0) {
		json_decref(reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}
