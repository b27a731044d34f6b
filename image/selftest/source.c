#include "selftest/source.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 15

static void read_all(int fd, char text[SOURCE_SIZE])
{
	size_t size = 0;
	ssize_t count = 0;

	while (fd >= 0 && size < SOURCE_SIZE - 1 &&
	       (count = read(fd, text + size, SOURCE_SIZE - 1 - size)) > 0)
		size += (size_t)count;
	while (size > 0 && text[size - 1] == '\n')
		size--;
	text[size] = '\0';
}

const char *source_file(const char *path, char text[SOURCE_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	read_all(fd, text);
	if (fd >= 0)
		close(fd);
	return text;
}

bool source_program(const char *const arguments[], char text[SOURCE_SIZE])
{
	char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	char *copy[ARGUMENTS_MAX + 1] = {NULL};
	size_t count = 0;
	int ends[2];
	int status = -1;
	pid_t pid;
	int failed;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	/* posix_spawn() takes its arguments as it took them before there was const. */
	while (count < ARGUMENTS_MAX && arguments[count])
		count++;
	memcpy(copy, arguments, count * sizeof(copy[0]));
	failed = posix_spawn(&pid, copy[0], &actions, NULL, copy, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!failed)
		read_all(ends[0], text);
	close(ends[0]);
	return !failed && waitpid(pid, &status, 0) == pid && status == 0;
}
