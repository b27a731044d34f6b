#include "command/encrypted_credential.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PROGRAM	      "/usr/bin/systemd-creds"
#define NOT_STARTED   127
#define ARGUMENT_SIZE 256

bool encrypted_credential_listed(const struct credential_encryption *encryption, const char *name)
{
	const char *names = encryption ? encryption->names : NULL;
	size_t length = strlen(name);

	while (names) {
		if (strncmp(names, name, length) == 0 &&
		    (names[length] == ',' || names[length] == '\0'))
			return true;
		names = strchr(names, ',');
		names = names ? names + 1 : NULL;
	}
	return false;
}

struct command_line {
	char key[ARGUMENT_SIZE], pcrs[ARGUMENT_SIZE], name[ARGUMENT_SIZE];
	const char *arguments[8];
};

static int make_command_line(struct command_line *line,
			     const struct credential_encryption *encryption, const char *name,
			     struct error *err)
{
	const char *pcrs = encryption->pcrs ? encryption->pcrs : "";
	size_t count = 0;

	if (snprintf(line->key, ARGUMENT_SIZE, "--with-key=%s", encryption->key) >= ARGUMENT_SIZE ||
	    snprintf(line->pcrs, ARGUMENT_SIZE, "--tpm2-pcrs=%s", pcrs) >= ARGUMENT_SIZE ||
	    snprintf(line->name, ARGUMENT_SIZE, "--name=%s", name) >= ARGUMENT_SIZE)
		return error_set(err, ERROR_USAGE,
				 "--credential-key, --credential-pcrs or a name is too long");
	line->arguments[count++] = PROGRAM;
	line->arguments[count++] = "encrypt";
	line->arguments[count++] = line->key;
	if (encryption->pcrs)
		line->arguments[count++] = line->pcrs;
	line->arguments[count++] = line->name;
	line->arguments[count++] = "-";
	line->arguments[count++] = "-";
	line->arguments[count] = NULL;
	return 0;
}

/* execv() takes what it does not change as changeable. */
_Noreturn static void become(const struct command_line *line, pid_t parent, int input, int output)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
	    dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
		execv(PROGRAM, (char *const *)(uintptr_t)line->arguments);
	_exit(NOT_STARTED);
}

static int wait_for(pid_t pid, const char *name, struct error *err)
{
	int status = 0;
	pid_t ended;

	do
		ended = waitpid(pid, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended != pid)
		return error_set_errno(err, ERROR_FAILED, errno, "waiting for " PROGRAM);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(err, ERROR_FAILED,
			 "the credential '%s' could not be encrypted: " PROGRAM
			 " ended with status %d; what it has said above is why",
			 name, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int encrypted_credential_write(const struct credential_encryption *encryption, const char *name,
			       const void *bytes, size_t size, int fd, struct error *err)
{
	struct command_line line;
	struct stat status;
	CLEANUP(close_fdp)
	int input = memfd_create("credential", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;

	if (access(PROGRAM, X_OK) < 0)
		return error_set_errno(err, ERROR_NOT_FOUND, errno,
				       "encrypting the credential '%s' needs " PROGRAM, name);
	if (make_command_line(&line, encryption, name, err) < 0)
		return err->code;
	if (input < 0 || write(input, bytes, size) != (ssize_t)size ||
	    lseek(input, 0, SEEK_SET) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "the credential '%s'", name);
	pid = fork();
	if (pid == 0)
		become(&line, parent, input, fd);
	if (pid < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "starting " PROGRAM);
	if (wait_for(pid, name, err) < 0)
		return err->code;
	if (fstat(fd, &status) < 0 || status.st_size == 0)
		return error_set(err, ERROR_FAILED, PROGRAM " wrote nothing for '%s'", name);
	return 0;
}
