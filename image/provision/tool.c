#include "provision/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NOT_STARTED 127

/* A text as a descriptor that can be read to its end. */
static int open_input(const char *text, struct error *err)
{
	CLEANUP(close_fdp)
	int fd =
		text ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t size = text ? strlen(text) : 0;

	if (fd < 0 || (size > 0 && write(fd, text, size) != (ssize_t)size) ||
	    (size > 0 && lseek(fd, 0, SEEK_SET) < 0))
		return error_set_errno(err, ERROR_FAILED, errno, "the input of a program");
	return TAKE_FD(fd);
}

static int become(const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user || initgroups(name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return -1;
	return setresuid(user->pw_uid, user->pw_uid, user->pw_uid);
}

/* In the child. execve() takes its arguments as it took them before there was const. */
static _Noreturn void start(const struct tool *tool, int input, int output)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin", credentials[256];
	char *const environment[] = {path, tool->credentials ? credentials : NULL, NULL};

	if (tool->credentials)
		snprintf(credentials, sizeof(credentials), "CREDENTIALS_DIRECTORY=%s",
			 tool->credentials);

	if (dup2(input, STDIN_FILENO) >= 0 && (output < 0 || dup2(output, STDOUT_FILENO) >= 0) &&
	    (!tool->user || become(tool->user) == 0))
		execve(tool->arguments[0], (char *const *)(uintptr_t)tool->arguments, environment);
	_exit(NOT_STARTED);
}

int tool_status(const struct tool *tool, int *ret_status, struct error *err)
{
	const char *name = tool->arguments[0];
	CLEANUP(close_fdp)
	int input = open_input(tool->input, err);
	CLEANUP(close_fdp)
	int output = -1;
	int status = 0;
	pid_t pid;

	if (input < 0)
		return input;
	if (tool->output) {
		output = open(tool->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (output < 0)
			return error_set_errno(err, ERROR_FAILED, errno, "%s", tool->output);
	}
	pid = fork();
	if (pid == 0)
		start(tool, input, output);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return error_set_errno(err, ERROR_FAILED, errno, "starting %s", name);
	if (!WIFEXITED(status))
		return error_set(err, ERROR_FAILED, "%s was ended by signal %d", name,
				 WTERMSIG(status));
	*ret_status = WEXITSTATUS(status);
	return *ret_status == NOT_STARTED
		       ? error_set(err, ERROR_FAILED, "%s could not be started", name)
		       : 0;
}

int tool_run(const struct tool *tool, struct error *err)
{
	int status = 0;

	if (tool_status(tool, &status, err) < 0)
		return err->code;
	return status == 0 ? 0
			   : error_set(err, ERROR_FAILED, "%s ended with status %d",
				       tool->arguments[0], status);
}
