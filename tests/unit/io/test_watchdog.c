#include "unit/cmocka_prelude.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/watchdog.h"

#define NOTHING ""

/* An end of a socket that listens at an abstract name, which goes into $NOTIFY_SOCKET. */
static int listen_as_systemd(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int length = snprintf(name, sizeof(name), "@binvault-test-%d", getpid());
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
	assert_true(fd >= 0);
	assert_return_code(
		bind(fd, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_word(int fd, const char *expected)
{
	char word[64] = {0};
	ssize_t count = recv(fd, word, sizeof(word) - 1, 0);

	assert_string_equal(count < 0 ? NOTHING : word, expected);
}

static void *call_alive(void *context)
{
	(void)context;
	watchdog_alive();
	return NULL;
}

/* The environment is read once a process: each case has one of its own. */
static void in_a_process(void (*run)(int fd))
{
	int status, fd;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fd = listen_as_systemd();
		run(fd);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Its wait is a plain one, although the word of the thread that is watched is due. */
static void *wait_elsewhere(void *context)
{
	struct timespec spent;

	assert_int_equal(watchdog_poll(NULL, 0, 300), 0);
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent), 0);
	*(bool *)context = spent.tv_sec == 0 && spent.tv_nsec < 100000000;
	return NULL;
}

static void run_in_two_threads(int fd)
{
	bool slept = false;
	pthread_t other;

	setenv("WATCHDOG_USEC", "200000", 1);
	watchdog_start();
	assert_int_equal(pthread_create(&other, NULL, wait_elsewhere, &slept), 0);
	pthread_join(other, NULL);
	assert_true(slept);
	assert_word(fd, NOTHING);
}

static void run_watched(int fd)
{
	pthread_t other;

	setenv("WATCHDOG_USEC", "4000000", 1);
	watchdog_start();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_true(watchdog_due_usec() <= clock_monotonic_usec());
	watchdog_ready();
	assert_word(fd, "READY=1");
	assert_int_equal(pthread_create(&other, NULL, call_alive, NULL), 0);
	pthread_join(other, NULL);
	assert_word(fd, NOTHING);
	watchdog_alive();
	assert_word(fd, "WATCHDOG=1");
	assert_in_range(watchdog_due_usec() - clock_monotonic_usec(), 1, 1000000);
	watchdog_alive();
	assert_word(fd, NOTHING);
	usleep(1010000);
	watchdog_alive();
	assert_word(fd, "WATCHDOG=1");
}

/* A wait that is longer than the time between two words, and ends when it has to. */
static void run_waiting(int fd)
{
	uint64_t begin = clock_monotonic_usec();

	setenv("WATCHDOG_USEC", "200000", 1);
	watchdog_start();
	assert_int_equal(watchdog_poll(NULL, 0, 120), 0);
	assert_in_range(clock_monotonic_usec() - begin, 119000, 10000000);
	assert_word(fd, "WATCHDOG=1");
	assert_word(fd, "WATCHDOG=1");
}

static void run_for_another(int fd)
{
	setenv("WATCHDOG_USEC", "200000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	watchdog_start();
	assert_true(watchdog_due_usec() == UINT64_MAX);
	watchdog_alive();
	assert_word(fd, NOTHING);
}

static void run_with_nonsense(int fd)
{
	setenv("WATCHDOG_USEC", "-1", 1);
	setenv("NOTIFY_SOCKET", "relative", 1);
	watchdog_start();
	watchdog_ready();
	watchdog_alive();
	assert_true(watchdog_due_usec() == UINT64_MAX);
	assert_word(fd, NOTHING);
}

static void who_is_watched_speaks_in_time_and_not_more_often(void **state)
{
	(void)state;
	in_a_process(run_watched);
}

static void who_waits_in_a_poll_speaks_meanwhile(void **state)
{
	(void)state;
	in_a_process(run_waiting);
}

static void another_thread_neither_speaks_nor_spins(void **state)
{
	(void)state;
	in_a_process(run_in_two_threads);
}

static void what_is_meant_for_a_parent_is_left_alone(void **state)
{
	(void)state;
	in_a_process(run_for_another);
}

static void nonsense_watches_nobody(void **state)
{
	(void)state;
	in_a_process(run_with_nonsense);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_watched_speaks_in_time_and_not_more_often),
		cmocka_unit_test(who_waits_in_a_poll_speaks_meanwhile),
		cmocka_unit_test(another_thread_neither_speaks_nor_spins),
		cmocka_unit_test(what_is_meant_for_a_parent_is_left_alone),
		cmocka_unit_test(nonsense_watches_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
