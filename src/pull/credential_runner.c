#include "pull/credential_runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

#define PROCESS_NAME "pull-credential"	 /* 15 bytes, as many as the kernel keeps */
#define SOCKET	     (STDERR_FILENO + 1) /* where the runner has it */
#define SENTENCE_MAX 512u

/* Both ends are the same program: no layout to agree on, but sizes to check. */
struct answer_head {
	int32_t code; /* 0 or an error's */
	uint32_t output_size;
	char sentence[SENTENCE_MAX];
	char words[CREDENTIAL_WORDS_MAX + 1];
};

/* The head behind the output, so that the output begins with the page. */
struct answer {
	uint8_t output[CREDENTIAL_OUTPUT_MAX];
	struct answer_head head;
};
static_assert(sizeof(struct answer) <= SECRET_SIZE_MAX, "an answer is one secret");

/* --- the runner ------------------------------------------------------------------------------ */

static void answer(int fd, const struct credential_runner_options *options, struct answer *page)
{
	const struct credential_command command = {
		.path = options->command,
		.source = options->source,
		.timeout_usec = CREDENTIAL_COMMAND_USEC,
		.cancel_fd = fd,
	};
	struct error err = {0};
	int r;

	memset(page, 0, sizeof(*page));
	r = credential_command_run(&command, page->output, page->head.words, &err);
	page->head.code = MIN(r, 0);
	page->head.output_size = (uint32_t)MAX(r, 0);
	snprintf(page->head.sentence, SENTENCE_MAX, "%.*s", (int)SENTENCE_MAX - 1, err.message);
	/* One who does not take it has ended, which the next receive tells. */
	(void)!send(fd, page, sizeof(*page), MSG_NOSIGNAL);
	secret_wipe(page, sizeof(*page));
}

/* Of what the puller has, the runner keeps standard error alone: it is the log. */
static int prepare(int fd, const struct credential_runner_options *options, struct error *err)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const struct sigaction fallback = {.sa_handler = SIG_DFL};
	int null_fd;

	for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++) {
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return error_set_errno(err, ERROR_FAILED, errno, "signals");
	}
	/* It does wait for the command, and wants to be told how that ended. */
	if (sigaction(SIGCHLD, &fallback, NULL) < 0 ||
	    prctl(PR_SET_NAME, PROCESS_NAME, 0, 0, 0) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "signals and name");
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    (fd != SOCKET && dup3(fd, SOCKET, O_CLOEXEC) < 0) ||
	    close_range(SOCKET + 1, ~0u, 0) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "descriptors");
	return options->confine ? options->confine(err) : 0;
}

_Noreturn static void serve(int fd, const struct credential_runner_options *options)
{
	struct secret page = {0};
	struct error err = {0};
	uint8_t request;
	ssize_t size;

	/* The puller meets the closed socket, and says that. */
	if (prepare(fd, options, &err) < 0 || secret_init(&page, SECRET_SIZE_MAX, &err) < 0) {
		log_error("credential.runner.failed", "reason", LOG_TEXT(err.message), LOG_END);
		_exit(1);
	}
	for (;;) {
		size = recv(SOCKET, &request, sizeof(request), 0);
		if (size == 0 || (size < 0 && errno != EINTR))
			break;
		if (size > 0)
			answer(SOCKET, options, (struct answer *)(void *)page.bytes);
	}
	secret_release(&page);
	_exit(0);
}

/* --- the puller ------------------------------------------------------------------------------ */

int credential_runner_start(const struct credential_runner_options *options, int *ret_fd,
			    struct error *err)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int ends[2];
	pid_t pid;

	if (sigaction(SIGCHLD, &ignore, NULL) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "credential runner");
	pid = fork();
	if (pid == 0) {
		/* Else our own end would keep the socket from ever being closed. */
		close(ends[0]);
		serve(ends[1], options);
	}
	close(ends[1]);
	if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		close(ends[0]);
		return error_set_errno(err, ERROR_FAILED, errno, "credential runner");
	}
	*ret_fd = ends[0];
	return 0;
}

static int ended(struct error *err)
{
	return error_set(err, ERROR_CLOSED,
			 "the process that runs the credential command has ended; a puller that "
			 "is started again has a new one");
}

int credential_runner_ask(int fd, struct error *err)
{
	static const uint8_t request = 1;

	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request))
		return 0;
	return ended(err);
}

int credential_runner_answer(int fd, struct secret *output,
			     char words[static CREDENTIAL_WORDS_MAX + 1], struct error *err)
{
	struct answer *answer = (struct answer *)(void *)output->bytes;
	ssize_t size;

	ASSERT(output->size >= sizeof(*answer));
	words[0] = '\0';
	size = recv(fd, answer, sizeof(*answer), MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return error_set(err, ERROR_BUSY, "the credential command still runs");
	if (size != sizeof(*answer) || answer->head.output_size > CREDENTIAL_OUTPUT_MAX)
		return ended(err);
	answer->head.words[CREDENTIAL_WORDS_MAX] = '\0';
	memcpy(words, answer->head.words, CREDENTIAL_WORDS_MAX + 1);
	if (answer->head.code < 0)
		return error_set(err, answer->head.code, "%.*s", (int)SENTENCE_MAX - 1,
				 answer->head.sentence);
	return (int)answer->head.output_size;
}
