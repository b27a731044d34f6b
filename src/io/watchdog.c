#include "io/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/units.h"
#include "io/clock.h"

#define PARTS 4 /* of the time that we have: one word may be late, or lost */

static struct {
	int fd;
	pthread_t thread;
	uint64_t interval_usec; /* 0 if nobody watches */
	uint64_t due_usec;	/* never, then; of that thread alone */
} watchdog = {.fd = -1, .due_usec = UINT64_MAX};

/* A number in the environment; 0 if there is none. */
static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno || *end ? 0 : value;
}

/* Is the time that is set there meant for this process, and not for its parent? */
static bool is_watched(void)
{
	uint64_t pid = number("WATCHDOG_PID");

	return number("WATCHDOG_USEC") >= PARTS && (pid == 0 || pid == (uint64_t)getpid());
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract name space, unix(7) */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void watchdog_start(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	watchdog.thread = pthread_self();
	if (path)
		watchdog.fd = connect_to(path);
	if (watchdog.fd >= 0 && is_watched()) {
		watchdog.interval_usec = number("WATCHDOG_USEC") / PARTS;
		watchdog.due_usec = clock_monotonic_usec();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void tell(const char *word)
{
	(void)!write(watchdog.fd, word, strlen(word));
}

void watchdog_ready(void)
{
	if (watchdog.fd < 0)
		return;
	/* This word is said once, so it is waited for; of the others one may be lost. */
	tell("READY=1");
	(void)fcntl(watchdog.fd, F_SETFL, O_NONBLOCK);
}

static bool watches_this_thread(void)
{
	return watchdog.interval_usec > 0 && pthread_equal(pthread_self(), watchdog.thread);
}

void watchdog_alive(void)
{
	uint64_t now;

	if (!watches_this_thread())
		return;
	now = clock_monotonic_usec();
	if (now < watchdog.due_usec)
		return;
	watchdog.due_usec = now + watchdog.interval_usec;
	tell("WATCHDOG=1");
}

uint64_t watchdog_due_usec(void)
{
	return watchdog.due_usec;
}

int watchdog_poll(struct pollfd *fds, nfds_t count, int timeout_msec)
{
	const uint64_t end =
		timeout_msec < 0 ? UINT64_MAX
				 : clock_monotonic_usec() + (uint64_t)timeout_msec * USEC_PER_MSEC;

	if (!watches_this_thread())
		return poll(fds, count, timeout_msec);
	for (;;) {
		uint64_t until, now;
		int r;

		watchdog_alive();
		until = MIN(end, watchdog.due_usec);
		now = clock_monotonic_usec();
		r = poll(fds, count,
			 (int)((until - MIN(until, now) + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
		if (r != 0 || until == end)
			return r;
	}
}
