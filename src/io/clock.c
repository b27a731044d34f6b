#include "io/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

static uint64_t now_usec(clockid_t clock)
{
	struct timespec now;
	int r = clock_gettime(clock, &now);

	ASSERT(r == 0);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

uint64_t clock_monotonic_usec(void)
{
	return now_usec(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_usec(void)
{
	return now_usec(CLOCK_REALTIME);
}

uint64_t clock_boottime_usec(void)
{
	return now_usec(CLOCK_BOOTTIME);
}

int clock_boot_id(char text[static BOOT_ID_SIZE], struct error *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "opening '%s'", path);
	size = read(fd, text, BOOT_ID_SIZE - 1);
	if (size != BOOT_ID_SIZE - 1)
		return error_set_errno(err, ERROR_FAILED, size < 0 ? errno : EIO, "reading '%s'",
				       path);
	text[BOOT_ID_SIZE - 1] = '\0';
	return 0;
}
