#include "command/provisioner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "command/child.h"
#include "command/programs.h"

#define ARGUMENTS_MAX 12
#define END_STEP_NSEC 10000000L /* 10 ms */
#define END_STEPS     500	/* then SIGKILL */

struct provisioner {
	pid_t pid;  /* 0: ended */
	int fd;	    /* our end of the connection */
	int reason; /* its last sentence */
	int words;  /* its standard error */
	struct message message;
};

/* --- start ----------------------------------------------------------------------------------- */

struct command_line {
	char path[PATH_MAX + 32];
	char connection[16], reason[16];
	const char *arguments[ARGUMENTS_MAX];
};

static void make_command_line(struct command_line *line, const struct provisioner_options *options,
			      int connection, int reason)
{
	const char *const arguments[] = {
		line->path,    "--config",     options->config_path,
		"--provision", "--connection", line->connection,
		"--reason-fd", line->reason,   options->user ? "--user" : NULL,
		options->user, NULL,
	};

	static_assert(sizeof(arguments) <= sizeof(line->arguments), "fits");
	snprintf(line->path, sizeof(line->path), "%s/%s", options->directory,
		 child_program(CHILD_HSM));
	snprintf(line->connection, sizeof(line->connection), "%d", connection);
	snprintf(line->reason, sizeof(line->reason), "%d", reason);
	memcpy(line->arguments, arguments, sizeof(arguments));
}

_Noreturn static void become(const struct command_line *line, pid_t parent, int connection,
			     int reason, int words)
{
	static const char sentence[] = "binvault-hsm cannot be executed";

	/* The order matters: a parent that died before prctl() sends nothing any more. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != parent ||
	    fcntl(connection, F_SETFD, 0) < 0 || fcntl(reason, F_SETFD, 0) < 0 ||
	    dup2(words, STDERR_FILENO) < 0 || dup2(words, STDOUT_FILENO) < 0)
		_exit(1);
	/* execv() takes what it does not change as changeable. */
	execv(line->path, (char *const *)(uintptr_t)line->arguments);
	if (write(reason, sentence, sizeof(sentence) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int spawn(struct provisioner *provisioner, const struct provisioner_options *options,
		 struct error *err)
{
	struct command_line line = {.path = ""};
	CLEANUP(close_fdp)
	int connection = -1;
	CLEANUP(close_fdp)
	int reason = -1;
	pid_t parent = getpid();
	int pair[2], pipe_fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "socketpair");
	provisioner->fd = pair[0];
	connection = pair[1];
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "pipe");
	provisioner->reason = pipe_fds[0];
	reason = pipe_fds[1];
	/* Its log is no part of what init says, unless it ends without a sentence. */
	provisioner->words = memfd_create("words", MFD_CLOEXEC);
	if (provisioner->words < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "memfd");
	make_command_line(&line, options, connection, reason);
	provisioner->pid = fork();
	if (provisioner->pid == 0)
		become(&line, parent, connection, reason, provisioner->words);
	if (provisioner->pid < 0) {
		provisioner->pid = 0;
		return error_set_errno(err, ERROR_FAILED, errno, "starting binvault-hsm");
	}
	return 0;
}

/* --- end ------------------------------------------------------------------------------------- */

static int reap(struct provisioner *provisioner)
{
	const struct timespec step = {.tv_nsec = END_STEP_NSEC};
	int status = 0;

	for (int i = 0; i < END_STEPS; i++) {
		if (waitpid(provisioner->pid, &status, WNOHANG) != 0) {
			provisioner->pid = 0;
			return status;
		}
		nanosleep(&step, NULL);
	}
	kill(provisioner->pid, SIGKILL);
	waitpid(provisioner->pid, &status, 0);
	provisioner->pid = 0;
	return status;
}

void provisioner_free(struct provisioner *provisioner)
{
	if (!provisioner)
		return;
	close_fdp(&provisioner->fd);
	if (provisioner->pid > 0)
		reap(provisioner);
	close_fdp(&provisioner->reason);
	close_fdp(&provisioner->words);
	message_release(&provisioner->message);
	free(provisioner);
}

/* It has ended, and not because we wanted it to: why? */
static int ended(struct provisioner *provisioner, struct error *err)
{
	char text[512] = "";
	ssize_t size;
	int status;

	close_fdp(&provisioner->fd);
	provisioner->fd = -1;
	status = reap(provisioner);
	size = read(provisioner->reason, text, sizeof(text) - 1);
	if (size > 0) {
		text[size] = '\0';
		return error_set(err, programs_error(status), "%s", text);
	}
	size = pread(provisioner->words, text, sizeof(text) - 1, 0);
	text[MAX(size, 0)] = '\0';
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_FAILED, "binvault-hsm was ended by signal %d: %s",
				 WTERMSIG(status), text);
	return error_set(err, ERROR_FAILED, "binvault-hsm ended with status %d: %s",
			 WEXITSTATUS(status), text);
}

/* --- conversation ---------------------------------------------------------------------------- */

/* The next message, which is in provisioner->message. */
static int receive(struct provisioner *provisioner, struct error *err)
{
	struct error reason;
	int r = message_receive(provisioner->fd, &provisioner->message, err);

	if (r > 0)
		return 0;
	if (r == 0 || r == ERROR_CLOSED)
		return ended(provisioner, err);
	reason = *err;
	error_set(err, reason.code, "binvault-hsm: %s", reason.message);
	return err->code;
}

/* @sent is the result of sending: if it is gone already, why. */
static int exchange(struct provisioner *provisioner, int sent, struct error *err)
{
	if (sent == ERROR_CLOSED)
		return ended(provisioner, err);
	return sent < 0 ? sent : receive(provisioner, err);
}

int provisioner_start(const struct provisioner_options *options,
		      struct provisioner **ret_provisioner, struct error *err)
{
	CLEANUP(provisioner_freep)
	struct provisioner *provisioner = calloc(1, sizeof(*provisioner));
	const struct hello ours = {.program = "binvault", .version = BINVAULT_VERSION};
	struct hello theirs;
	int r;

	ASSERT(provisioner);
	provisioner->fd = provisioner->reason = provisioner->words = -1;
	r = spawn(provisioner, options, err);
	if (r == 0)
		r = exchange(provisioner, hello_send(provisioner->fd, &ours, err), err);
	if (r == 0)
		r = hello_decode(&provisioner->message, &theirs, err);
	if (r < 0)
		return r;
	*ret_provisioner = TAKE(provisioner);
	return 0;
}

int provisioner_keys(struct provisioner *provisioner, const struct hsm_provision *request,
		     struct hsm_keys *ret, struct error *err)
{
	int r = exchange(provisioner, hsm_provision_send(provisioner->fd, request, err), err);

	return r < 0 ? r : hsm_keys_decode(&provisioner->message, ret, err);
}

int provisioner_last_signed(struct provisioner *provisioner, struct hsm_signed_state *ret,
			    struct error *err)
{
	int r = exchange(provisioner, hsm_last_signed_request_send(provisioner->fd, err), err);

	return r < 0 ? r : hsm_signed_state_decode(&provisioner->message, ret, err);
}

int provisioner_sign(struct provisioner *provisioner, const struct hsm_sign_checkpoint *request,
		     struct hsm_signature *ret, struct error *err)
{
	int r = exchange(provisioner, hsm_sign_checkpoint_send(provisioner->fd, request, err), err);

	return r < 0 ? r : hsm_signature_decode(&provisioner->message, ret, err);
}
