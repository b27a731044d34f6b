#include "pull/credential_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "io/clock.h"
#include "pull/credential_answer.h"

#define ENVIRONMENT_MAX	   5
#define CANNOT_EXECUTE	   126 /* as a shell says it */
#define OTHERS_MAY_WRITE   (S_IWGRP | S_IWOTH)
#define SENTENCE_WORDS_MAX 200

/* --- may it be trusted? ---------------------------------------------------------------------- */

static int check_owner(const char *command, const char *path, const struct stat *status,
		       struct error *err)
{
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return error_set(err, ERROR_USAGE,
				 "credential command '%s': '%s' belongs to user %u, who could "
				 "replace it; do: chown root",
				 command, path, (unsigned)status->st_uid);
	/* Where the sticky bit is set, nobody else can rename or remove what is ours or root's. */
	if ((status->st_mode & OTHERS_MAY_WRITE) &&
	    !(S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX)))
		return error_set(err, ERROR_USAGE,
				 "credential command '%s': others may write to '%s'; do: chmod "
				 "go-w",
				 command, path);
	return 0;
}

/* Of "/a/b/c": "/", "/a", "/a/b" and "/a/b/c" itself, which @resolved is cut to in turn. */
static int check_path(const char *command, char *resolved, struct stat *status, struct error *err)
{
	for (char *at = resolved; at; at = strchr(at + 1, '/')) {
		char kept = at == resolved ? '\0' : *at;

		if (kept)
			*at = '\0';
		if (stat(at == resolved ? "/" : resolved, status) < 0)
			return error_set_errno(err, ERROR_USAGE, errno, "credential command '%s'",
					       command);
		if (check_owner(command, at == resolved ? "/" : resolved, status, err) < 0)
			return err->code;
		if (kept)
			*at = kept;
	}
	if (stat(resolved, status) < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "credential command '%s'", command);
	return check_owner(command, resolved, status, err);
}

/* @resolved: what was checked, without symbolic links; that is what is executed. */
static int resolve(const char *path, char resolved[static PATH_MAX], struct error *err)
{
	struct stat status;

	if (path[0] != '/')
		return error_set(err, ERROR_USAGE,
				 "credential command '%s' is not an absolute path", path);
	if (!realpath(path, resolved))
		return error_set_errno(err, ERROR_USAGE, errno, "credential command '%s'", path);
	if (check_path(path, resolved, &status, err) < 0)
		return err->code;
	if (!S_ISREG(status.st_mode) || access(resolved, X_OK) < 0)
		return error_set(err, ERROR_USAGE,
				 "credential command '%s' is not a program that the puller's user "
				 "may execute; do: chmod a+x, or chgrp",
				 path);
	return 0;
}

int credential_command_check(const char *path, struct error *err)
{
	char resolved[PATH_MAX];

	return resolve(path, resolved, err);
}

/* --- the child ------------------------------------------------------------------------------- */

struct run {
	const struct credential_command *command;
	char path[PATH_MAX];
	char source[128], directory[PATH_MAX + 32];
	const char *environment[ENVIRONMENT_MAX];
	pid_t pid;
	int pid_fd;
	int output_fd, words_fd; /* -1: at its end */
	uint8_t *output;
	size_t output_size;
	char *words;
	size_t words_size;
	bool too_much;
};

static void make_environment(struct run *run)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	size_t count = 0;

	run->environment[count++] = "PATH=/usr/local/bin:/usr/bin:/bin";
	run->environment[count++] = "LANG=C.UTF-8";
	snprintf(run->source, sizeof(run->source), "BINVAULT_SOURCE=%s", run->command->source);
	run->environment[count++] = run->source;
	if (directory) {
		snprintf(run->directory, sizeof(run->directory), "CREDENTIALS_DIRECTORY=%s",
			 directory);
		run->environment[count++] = run->directory;
	}
	run->environment[count] = NULL;
}

/* Ignored signals would stay ignored. */
static int reset_signals(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD};
	struct sigaction fallback = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		if (sigaction(numbers[i], &fallback, NULL) < 0)
			return -1;
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * A session of its own: no terminal, and one group that can be killed. The parent-death signal is
 * for the case that we are killed: execve() keeps it. Descriptors above the three are closed here
 * and not left to O_CLOEXEC alone: libraries open some without.
 */
_Noreturn static void become(const struct run *run, pid_t parent, int output_fd, int words_fd)
{
	char *const arguments[] = {(char *)(uintptr_t)run->path, NULL};
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0 || setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != parent || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(output_fd, STDOUT_FILENO) < 0 || dup2(words_fd, STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0u, 0) < 0 || chdir("/") < 0 || reset_signals() < 0)
		_exit(CANNOT_EXECUTE);
	umask(0077);
	execve(run->path, arguments, (char *const *)(uintptr_t)run->environment);
	dprintf(STDERR_FILENO, "it cannot be executed (%s)\n", strerrorname_np(errno));
	_exit(CANNOT_EXECUTE);
}

static int start(struct run *run, struct error *err)
{
	int output[2], words[2];
	pid_t parent = getpid();
	int saved_errno;

	if (pipe2(output, O_CLOEXEC) < 0)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "pipe");
	if (pipe2(words, O_CLOEXEC) < 0) {
		saved_errno = errno;
		close(output[0]);
		close(output[1]);
		return error_set_errno(err, ERROR_UNAVAILABLE, saved_errno, "pipe");
	}
	run->pid = fork();
	saved_errno = errno;
	if (run->pid == 0)
		become(run, parent, output[1], words[1]);
	close(output[1]);
	close(words[1]);
	run->output_fd = output[0];
	run->words_fd = words[0];
	if (run->pid < 0)
		return error_set_errno(err, ERROR_UNAVAILABLE, saved_errno, "fork");
	run->pid_fd = pidfd_open(run->pid, 0);
	return run->pid_fd < 0 ? error_set_errno(err, ERROR_UNAVAILABLE, errno, "pidfd_open") : 0;
}

/* --- what it prints -------------------------------------------------------------------------- */

static void close_pipe(int *fd)
{
	close_fdp(fd);
	*fd = -1;
}

static void read_output(struct run *run)
{
	ssize_t size;

	if (run->output_size == CREDENTIAL_OUTPUT_MAX) {
		uint8_t more;

		size = read(run->output_fd, &more, sizeof(more));
		run->too_much = size > 0;
	} else {
		size = read(run->output_fd, run->output + run->output_size,
			    CREDENTIAL_OUTPUT_MAX - run->output_size);
	}
	if (size <= 0)
		close_pipe(&run->output_fd);
	else if (!run->too_much)
		run->output_size += (size_t)size;
}

/* The rest is read too, so that it does not block for want of a reader. */
static void read_words(struct run *run)
{
	char bytes[512];
	ssize_t size = read(run->words_fd, bytes, sizeof(bytes));
	size_t taken;

	if (size <= 0) {
		close_pipe(&run->words_fd);
		return;
	}
	taken = MIN((size_t)size, CREDENTIAL_WORDS_MAX - run->words_size);
	memcpy(run->words + run->words_size, bytes, taken);
	run->words_size += taken;
	secret_wipe(bytes, sizeof(bytes));
}

static void finish_words(struct run *run)
{
	run->words[run->words_size] = '\0';
	run->words[strcspn(run->words, "\r\n")] = '\0';
}

/* --- until its end --------------------------------------------------------------------------- */

/* 1: it has ended; 0: not yet. Output first, so that its end is seen with all that it printed. */
static int step(struct run *run, uint64_t deadline_usec, struct error *err)
{
	struct pollfd fds[] = {
		{.fd = run->output_fd, .events = POLLIN},
		{.fd = run->words_fd, .events = POLLIN},
		{.fd = run->pid_fd, .events = POLLIN},
		{.fd = run->command->cancel_fd, .events = POLLRDHUP},
	};
	uint64_t now = clock_monotonic_usec();
	int wait_msec = now < deadline_usec ? (int)((deadline_usec - now) / USEC_PER_MSEC) + 1 : 0;
	int ready = poll(fds, ARRAY_LENGTH(fds), wait_msec);

	if (ready < 0 && errno != EINTR)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "poll");
	if (ready > 0 && fds[0].revents)
		read_output(run);
	if (ready > 0 && fds[1].revents)
		read_words(run);
	if (ready > 0 && (fds[3].revents & (POLLHUP | POLLRDHUP | POLLERR)))
		return error_set(err, ERROR_CLOSED, "the puller has ended");
	if (run->too_much)
		return error_set(err, ERROR_UNAVAILABLE, "it printed more than %u bytes",
				 CREDENTIAL_OUTPUT_MAX);
	/* A child of its own may hold the pipes open for ever: its own end is what counts. */
	if (ready > 0 && fds[2].revents && !fds[0].revents && !fds[1].revents)
		return 1;
	if (clock_monotonic_usec() >= deadline_usec)
		return error_set(err, ERROR_UNAVAILABLE, "it did not end within %u s",
				 (unsigned)(run->command->timeout_usec / USEC_PER_SEC));
	return 0;
}

/* Its group is killed before it is reaped: until then no other process can have its number. */
static int end(struct run *run, int r, struct error *err)
{
	int status = 0;

	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL); /* it may not have come to setsid() */
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_UNAVAILABLE, "it was ended by signal %d",
				 WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "it ended with status %d",
				 WEXITSTATUS(status));
	return 0;
}

static int run_to_end(struct run *run, struct error *err)
{
	uint64_t deadline = clock_monotonic_usec() + run->command->timeout_usec;
	int r = start(run, err);

	while (r == 0)
		r = step(run, deadline, err);
	if (run->pid > 0)
		r = end(run, r, err);
	close_fdp(&run->output_fd);
	close_fdp(&run->words_fd);
	close_fdp(&run->pid_fd);
	finish_words(run);
	return r;
}

/* Before it is cut: a password that is cut would not be found. */
void credential_command_tame(char *words, size_t words_size, const char *password)
{
	if (password && password[0] && strstr(words, password))
		snprintf(words, words_size, "(what it said holds the password)");
	if (strlen(words) > SENTENCE_WORDS_MAX)
		words[SENTENCE_WORDS_MAX] = '\0';
	for (char *c = words; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
}

/* It may have printed a password and failed all the same. */
static void hide_printed(const uint8_t *output, size_t output_size, char *words)
{
	struct credential_answer answer;
	struct error ignored;

	if (credential_answer_decode((const char *)output, output_size, &answer, &ignored) < 0)
		return;
	if (strstr(words, answer.password))
		credential_command_tame(words, CREDENTIAL_WORDS_MAX + 1, answer.password);
	secret_wipe(&answer, sizeof(answer));
}

int credential_command_run(const struct credential_command *command, uint8_t *output, char *words,
			   struct error *err)
{
	struct run run = {
		.command = command,
		.pid_fd = -1,
		.output_fd = -1,
		.words_fd = -1,
		.output = output,
		.words = words,
	};
	int r;

	words[0] = '\0';
	r = resolve(command->path, run.path, err);
	if (r < 0)
		return r;
	make_environment(&run);
	r = run_to_end(&run, err);
	if (r < 0) {
		hide_printed(output, run.output_size, words);
		secret_wipe(output, CREDENTIAL_OUTPUT_MAX);
		return error_prefix(err, "credential command '%s'", command->path);
	}
	return (int)run.output_size;
}
