#include "command/pull_task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "command/child.h"
#include "command/programs.h"

#define ANSWER_SIZE_MAX ((size_t)4 << 20)
#define ARGUMENTS_MAX	12

struct process {
	pid_t pid;
	int answer; /* its standard output */
	int words;  /* its standard error */
	int reason; /* its last sentence */
};

static void process_release(const struct process *process)
{
	close_fdp(&process->answer);
	close_fdp(&process->words);
	close_fdp(&process->reason);
}

/* What it writes goes to memory, so that it never waits for us and its size is ours to judge. */
static int process_init(struct process *process, struct error *err)
{
	process->answer = memfd_create("answer", MFD_CLOEXEC);
	process->words = memfd_create("words", MFD_CLOEXEC);
	process->reason = memfd_create("reason", MFD_CLOEXEC);
	if (process->answer < 0 || process->words < 0 || process->reason < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "memfd");
	return 0;
}

_Noreturn static void become(const char *const *arguments, const struct process *process,
			     pid_t parent)
{
	static const char sentence[] = "binvault-pull cannot be executed";

	/* The order matters: a parent that died before prctl() sends nothing any more. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != parent ||
	    fcntl(process->reason, F_SETFD, 0) < 0 || dup2(process->words, STDERR_FILENO) < 0 ||
	    dup2(process->answer, STDOUT_FILENO) < 0)
		_exit(1);
	/* execv() takes what it does not change as changeable. */
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	if (write(process->reason, sentence, sizeof(sentence) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int spawn(struct process *process, struct command_context *context,
		 const struct pull_task *task, struct error *err)
{
	const char *arguments[ARGUMENTS_MAX] = {NULL};
	char directory[PATH_MAX], path[PATH_MAX + 32], reason[16];
	const pid_t parent = getpid();
	size_t count = 0;
	bool switch_users;

	if (programs_find(directory, err) < 0 || programs_switch_users(&switch_users, err) < 0)
		return err->code;
	snprintf(path, sizeof(path), "%s/%s", directory, child_program(CHILD_PULL));
	snprintf(reason, sizeof(reason), "%d", process->reason);
	arguments[count++] = path;
	arguments[count++] = "--config";
	arguments[count++] = context->config_path;
	arguments[count++] = "--reason-fd";
	arguments[count++] = reason;
	arguments[count++] = "--task";
	arguments[count++] = task->task;
	if (task->server) {
		arguments[count++] = "--server";
		arguments[count++] = task->server;
	}
	if (switch_users) {
		arguments[count++] = "--user";
		arguments[count++] = child_user(CHILD_PULL);
	}
	ASSERT(count + 1 < ARGUMENTS_MAX);
	arguments[count++] = task->source;
	process->pid = fork();
	if (process->pid == 0)
		become(arguments, process, parent);
	if (process->pid < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "starting %s", path);
	return 0;
}

static void read_text(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	text[MAX(got, 0)] = '\0';
}

static int failed(const struct process *process, int status, struct error *err)
{
	char text[ERROR_MESSAGE_SIZE];

	read_text(process->reason, text, sizeof(text));
	if (text[0] != '\0')
		return error_set(err, programs_error(status), "%s", text);
	read_text(process->words, text, sizeof(text) / 2);
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_FAILED, "binvault-pull was ended by signal %d: %s",
				 WTERMSIG(status), text);
	return error_set(err, ERROR_FAILED, "binvault-pull ended with status %d: %s",
			 WEXITSTATUS(status), text);
}

static int parse_answer(const struct process *process, json_t **ret_answer, struct error *err)
{
	off_t size = lseek(process->answer, 0, SEEK_END);
	CLEANUP(freep)
	char *text = NULL;
	ssize_t got;

	if (size <= 0 || (size_t)size > ANSWER_SIZE_MAX)
		return error_set(err, ERROR_FAILED, "binvault-pull answered %lld bytes",
				 (long long)size);
	text = malloc((size_t)size);
	ASSERT(text);
	got = pread(process->answer, text, (size_t)size, 0);
	if (got != size)
		return error_set(err, ERROR_FAILED, "the answer of binvault-pull cannot be read");
	if (json_parse(text, (size_t)size, ret_answer, err) < 0)
		return error_prefix(err, "the answer of binvault-pull");
	return 0;
}

static int run(struct process *process, struct command_context *context,
	       const struct pull_task *task, json_t **ret_answer, struct error *err)
{
	int status = 0;

	if (process_init(process, err) < 0 || spawn(process, context, task, err) < 0)
		return err->code;
	while (waitpid(process->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(err, ERROR_FAILED, errno, "waiting");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return failed(process, status, err);
	return parse_answer(process, ret_answer, err);
}

int pull_task_run(struct command_context *context, const struct pull_task *task,
		  json_t **ret_answer, struct error *err)
{
	struct process process = {.answer = -1, .words = -1, .reason = -1};
	int r = run(&process, context, task, ret_answer, err);

	process_release(&process);
	return r;
}
