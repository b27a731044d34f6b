/* Each role does in a child process what it must be able to do, and what must end it by SIGSYS. */
#include "unit/cmocka_prelude.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "program/sandbox.h"

#define ROLES 5

#ifndef BINVAULT_SANITIZED /* whose run-time needs a process of its own */
static void *do_nothing(void *unused)
{
	return unused;
}

static void act_thread(int directory)
{
	pthread_t thread;

	(void)directory;
	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static void act_fork(int directory)
{
	(void)directory;
	if (fork() == 0)
		_exit(0);
}
#endif

static void act_inet(int directory)
{
	(void)directory;
	socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void act_packet(int directory)
{
	(void)directory;
	socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static void act_unix(int directory)
{
	(void)directory;
	socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void act_resolve(int directory)
{
	struct addrinfo *found = NULL;

	(void)directory;
	if (getaddrinfo("localhost", "3306", NULL, &found) == 0)
		freeaddrinfo(found);
}

static void act_execute(int directory)
{
	(void)directory;
	execl("/bin/true", "true", NULL);
}

static void act_read(int directory)
{
	(void)directory;
	close(open("/etc/hosts", O_RDONLY | O_CLOEXEC));
	close(open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void act_write_by_path(int directory)
{
	(void)directory;
	close(open("/tmp/binvault-sandbox-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	unlink("/tmp/binvault-sandbox-test");
}

static void act_write_below(int directory)
{
	close(openat(directory, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	unlinkat(directory, "file", 0);
}

static void act_memory(int directory)
{
	size_t size = 8 << 20;
	char *bytes = malloc(size);

	(void)directory;
	memset(bytes, 1, size);
	bytes = realloc(bytes, 2 * size);
	free(bytes);
}

struct act {
	const char *name;
	void (*act)(int directory);
	bool allowed[ROLES]; /* pull, keeper, hsm, export, forward */
};

static const struct act acts[] = {
	{"memory", act_memory, {true, true, true, true, true}},
	{"read", act_read, {true, true, true, true, true}},
	{"unix socket", act_unix, {true, true, true, false, true}},
	{"TCP socket", act_inet, {true, false, true, false, true}},
	{"raw socket", act_packet, {false, false, false, false, false}},
	{"resolve", act_resolve, {true, false, true, false, true}},
	{"write by path", act_write_by_path, {false, false, true, false, false}},
	{"write below a directory", act_write_below, {false, true, true, true, true}},
#ifndef BINVAULT_SANITIZED
	{"thread", act_thread, {false, true, true, false, false}},
	{"fork", act_fork, {false, false, false, false, false}},
#endif
	{"execute", act_execute, {false, false, false, false, false}},
};

/* The signal that ended the child, or 0. */
static int run_sealed(enum sandbox_role role, void (*act)(int directory), int directory)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct sandbox_options options = {.role = role};
		struct error err = {0};

		if (sandbox_drop_privileges(&options, &err) < 0 || sandbox_seal(role, &err) < 0)
			_exit(1);
		act(directory);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	assert_int_equal(WEXITSTATUS(status), 0);
	return 0;
}

static void each_role_can_do_its_work_and_nothing_else(void **state)
{
	char path[] = "/tmp/binvault-sandbox-XXXXXX";
	int directory;

	(void)state;
	assert_non_null(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory >= 0);
	for (int role = SANDBOX_PULL; role <= SANDBOX_FORWARD; role++) {
		for (size_t i = 0; i < ARRAY_LENGTH(acts); i++) {
			int wanted = acts[i].allowed[role] ? 0 : SIGSYS;
			int signal_number =
				run_sealed((enum sandbox_role)role, acts[i].act, directory);

			if (signal_number != wanted)
				fail_msg("role %d, %s: signal %d where %d is expected", role,
					 acts[i].name, signal_number, wanted);
		}
	}
	close(directory);
	assert_int_equal(rmdir(path), 0);
}

/* In the child: 0 if everything is as it must be, else the number of the check. */
static int check_dropped(bool keep_immutable)
{
	const struct sandbox_options options = {.role = SANDBOX_KEEPER,
						.keep_immutable = keep_immutable};
	struct error err = {0};
	struct rlimit core;
	int death_signal = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || sandbox_drop_privileges(&options, &err) < 0)
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 2;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
#ifndef BINVAULT_SANITIZED
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 4;
#endif
	if (prctl(PR_GET_PDEATHSIG, &death_signal) < 0 || death_signal != SIGTERM)
		return 5;
	if (!keep_immutable && sandbox_has_immutable())
		return 6;
	/* Root without its capabilities. */
	if (setpriority(PRIO_PROCESS, 0, -1) == 0)
		return 7;
	return 0;
}

static void dropped_privileges_are_gone(void **state)
{
	(void)state;
	for (int keep = 0; keep <= 1; keep++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(check_dropped(keep != 0));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* In the child: 0 if a credential command can do what it must and no more. */
static int check_confined(void)
{
	struct error err = {0};
	pid_t pid;
	int status;

	if (sandbox_confine_command(&err) < 0)
		return 1;
	if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
		return 2;
	if (syscall(SYS_ptrace, 0, 0, 0, 0) == 0 || errno != EPERM)
		return 3;
	if (syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM)
		return 4;
	if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL) >= 0 ||
	    errno != EPERM)
		return 5;
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0)
		return 6;
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 7;
	return 0;
}

static void a_credential_command_may_be_any_program_but_not_reach_others(void **state)
{
	const struct sandbox_options options = {.role = SANDBOX_PULL};
	struct error err = {0};
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(sandbox_drop_privileges(&options, &err) < 0 ? 99 : check_confined());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(WIFEXITED(status));
}

static void a_user_that_cannot_be_is_refused(void **state)
{
	const struct sandbox_options options = {.role = SANDBOX_HSM, .user = "no-such-user"};
	struct error err = {0};
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		int result = sandbox_drop_privileges(&options, &err);

		_exit(result == ERROR_USAGE && strstr(err.message, "no-such-user") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_can_do_its_work_and_nothing_else),
		cmocka_unit_test(dropped_privileges_are_gone),
		cmocka_unit_test(a_credential_command_may_be_any_program_but_not_reach_others),
		cmocka_unit_test(a_user_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
