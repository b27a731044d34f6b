#include "pull/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include <mysql.h>

#include "base/checked.h"
#include "base/units.h"
#include "io/clock.h"
#include "io/watchdog.h"

/* For plugins that look at what is sent and received; exported, and in none of its headers. */
int ma_pvio_register_callback(my_bool add,
			      void (*callback)(int is_write, MYSQL *mysql,
					       const unsigned char *bytes, size_t size));

/* The library calls back without a word of ours: what is bounded is what this thread does. */
static _Thread_local uint64_t until_usec, size_left;
static _Thread_local bool silent;

/*
 * 0 ends the call, and so does a signal: the only one that comes says that we are to stop. @timeout
 * is the library's own: milliseconds, but within TLS as many of them as were set in seconds.
 */
static int wait_for(my_socket fd, my_bool is_read, int timeout)
{
	struct pollfd pollfd = {.fd = fd, .events = is_read ? POLLIN : POLLOUT};
	uint64_t now = clock_monotonic_usec();
	uint64_t left_usec = until_usec - MIN(until_usec, now);
	int r;

	(void)timeout;
	left_usec = MIN(left_usec, WAITING_SILENCE_SEC * USEC_PER_SEC);
	r = watchdog_poll(&pollfd, 1, (int)((left_usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
	if (r == 0)
		errno = ETIMEDOUT;
	silent = r == 0;
	return r;
}

/*
 * After each read and write. The first is the greeting, before TLS: from there on the socket does
 * not block, because beneath TLS the library waits through wait_for() only if it does not.
 */
static void note_transfer(int is_write, MYSQL *mysql, const unsigned char *bytes, size_t size)
{
	int fd = (int)mysql_get_socket(mysql);
	int flags = fcntl(fd, F_GETFL);

	(void)bytes;
	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (!is_write && (ssize_t)size > 0 && size_left != UINT64_MAX)
		size_left -= MIN(size_left, (uint64_t)size);
	/* Where it never has to wait, only its socket can be taken from it. */
	if (waiting_is_full() || waiting_is_over())
		(void)shutdown(fd, SHUT_RDWR);
}

/* The library's list of these functions is the process's. */
static void register_once(void)
{
	(void)ma_pvio_register_callback(1, note_transfer);
}

void waiting_init(MYSQL *mysql)
{
	static pthread_once_t registered = PTHREAD_ONCE_INIT;

	(void)pthread_once(&registered, register_once);
	mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, wait_for);
}

void waiting_bound(uint64_t until, uint64_t size)
{
	until_usec = until;
	size_left = size;
	silent = false;
}

bool waiting_is_over(void)
{
	return clock_monotonic_usec() >= until_usec;
}

bool waiting_is_full(void)
{
	return size_left == 0;
}

bool waiting_was_silent(void)
{
	return silent;
}
