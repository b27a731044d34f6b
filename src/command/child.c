#include "command/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

#define ARGUMENTS_MAX 16

const char *child_program(enum child_role role)
{
	static const char *const programs[] = {
		[CHILD_PULL] = "binvault-pull",	      [CHILD_EXPORT] = "binvault-export",
		[CHILD_KEEPER] = "binvault-keeper",   [CHILD_HSM] = "binvault-hsm",
		[CHILD_FORWARD] = "binvault-forward",
	};

	return programs[role];
}

const char *child_user(enum child_role role)
{
	return child_program(role);
}

struct command_line {
	char path[4096];
	char connection[16];
	char reason[16];
	const char *arguments[ARGUMENTS_MAX];
	size_t count;
};

static void add_argument(struct command_line *line, const char *text)
{
	ASSERT(line->count + 1 < ARGUMENTS_MAX);
	line->arguments[line->count++] = text;
}

/* All of it before fork(): between fork and exec nothing is allocated or formatted. */
static void make_command_line(struct command_line *line, const struct child *child,
			      const struct child_setting *setting, int connection, int reason_fd)
{
	*line = (struct command_line){.count = 0};
	snprintf(line->path, sizeof(line->path), "%s/%s", setting->directory,
		 child_program(child->role));
	snprintf(line->reason, sizeof(line->reason), "%d", reason_fd);
	add_argument(line, line->path);
	add_argument(line, "--config");
	add_argument(line, setting->config_path);
	add_argument(line, "--reason-fd");
	add_argument(line, line->reason);
	if (setting->switch_users) {
		add_argument(line, "--user");
		add_argument(line, child_user(child->role));
	}
	if (connection >= 0) {
		snprintf(line->connection, sizeof(line->connection), "%d", connection);
		add_argument(line, "--connection");
		add_argument(line, line->connection);
	}
	if (child->source)
		add_argument(line, child->source);
}

_Noreturn static void become(const struct command_line *line, pid_t parent, int connection,
			     int reason_fd)
{
	static const char sentence[] = "the program cannot be executed";
	sigset_t none;
	int null_fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The order matters: a parent that died before prctl() sends nothing any more. */
	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 ||
	    getppid() != parent)
		_exit(1);
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || fcntl(reason_fd, F_SETFD, 0) < 0 ||
	    (connection >= 0 && fcntl(connection, F_SETFD, 0) < 0))
		_exit(1);
	/* execv() takes what it does not change as changeable. */
	execv(line->path, (char *const *)(uintptr_t)line->arguments);
	if (write(reason_fd, sentence, sizeof(sentence) - 1) < 0)
		_exit(1);
	_exit(1);
}

int child_start(struct child *child, const struct child_setting *setting, int connection,
		uint64_t now_usec, struct error *err)
{
	CLEANUP(freep)
	struct command_line *line = malloc(sizeof(*line));
	pid_t parent = getpid();
	int reason[2];
	pid_t pid;

	ASSERT(line && child->pid == 0);
	if (pipe2(reason, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "pipe");
	make_command_line(line, child, setting, connection, reason[1]);
	pid = fork();
	if (pid == 0)
		become(line, parent, connection, reason[1]);
	close(reason[1]);
	if (pid < 0) {
		close(reason[0]);
		return error_set_errno(err, ERROR_FAILED, errno, "starting %s",
				       child_program(child->role));
	}
	child->pid = pid;
	child->reason_fd = reason[0];
	child->stopping = false;
	child->started_usec = now_usec;
	log_info("child.started", "child", LOG_TEXT(child_program(child->role)), "source",
		 LOG_TEXT(child->source ? child->source : ""), "pid", LOG_NUMBER(pid), LOG_END);
	return 0;
}

/* The last sentence of the child, or what its status says. */
static void read_reason(struct child *child, int status, char reason[static CHILD_REASON_SIZE])
{
	ssize_t size = read(child->reason_fd, reason, CHILD_REASON_SIZE - 1);

	close(child->reason_fd);
	child->reason_fd = -1;
	reason[MAX(size, 0)] = '\0';
	for (char *p = reason; *p; p++) {
		if ((unsigned char)*p < 0x20)
			*p = '?';
	}
	if (reason[0] != '\0')
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(reason, CHILD_REASON_SIZE,
			 "it made a system call that its sandbox forbids; the kernel's log names "
			 "it");
	else if (WIFSIGNALED(status))
		snprintf(reason, CHILD_REASON_SIZE, "killed by signal %d (%s)", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(reason, CHILD_REASON_SIZE, "ended with status %d", WEXITSTATUS(status));
}

/* A person must act first (usage, refused): no hurry. Else the double of the last delay. */
static uint64_t next_delay(const struct child *child, bool needs_person, uint32_t random)
{
	uint64_t delay = CHILD_BACKOFF_MAX_USEC;

	if (!needs_person && child->failures <= 6)
		delay = MIN(CHILD_BACKOFF_MIN_USEC << (child->failures - 1),
			    CHILD_BACKOFF_MAX_USEC);
	/* Children that failed together shall not come back together. */
	return delay - delay / 10 + random % (delay / 5);
}

enum child_verdict child_ended(struct child *child, int status, uint64_t now_usec, uint32_t random,
			       struct error *err)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool needs_person = code == 2 || code == 4;
	char reason[CHILD_REASON_SIZE];
	enum child_verdict verdict = CHILD_RESTARTS;
	uint64_t delay = 0;

	read_reason(child, status, reason);
	if (now_usec - child->started_usec >= CHILD_STEADY_USEC)
		child->failures = 0;
	child->failures++;
	if (child->role == CHILD_EXPORT || child->stopping) {
		verdict = CHILD_DONE;
	} else if (child->role == CHILD_KEEPER && needs_person) {
		verdict = CHILD_ENDS_RUN;
		error_set(err, code == 2 ? ERROR_USAGE : ERROR_REFUSED, "%s: %s",
			  child_program(child->role), reason);
	} else {
		delay = next_delay(child, needs_person, random);
		child->next_start_usec = now_usec + delay;
	}
	log_write(code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "child.ended", "child",
		  LOG_TEXT(child_program(child->role)), "source",
		  LOG_TEXT(child->source ? child->source : ""), "pid", LOG_NUMBER(child->pid),
		  "reason", LOG_TEXT(reason), "retry_usec", LOG_NUMBER(delay), LOG_END);
	child->pid = 0;
	return verdict;
}

void child_signal(struct child *child, int number)
{
	if (child->pid <= 0)
		return;
	child->stopping = true;
	kill(child->pid, number);
}
