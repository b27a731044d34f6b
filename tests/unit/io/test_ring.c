#include "unit/cmocka_prelude.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/ring.h"

#define BLOCK BLOCK_SIZE_MIN

struct fixture {
	struct ring *ring;
	int file_fd;
	char path[64];
	int pipe_fds[2];
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_ok(ring_new(&f->ring, &f->err), &f->err);
	snprintf(f->path, sizeof(f->path), "build/test-ring-%d", (int)getpid());
	f->file_fd = file_create(AT_FDCWD, f->path, 0600, &f->err);
	assert_ok(f->file_fd, &f->err);
	assert_int_equal(pipe2(f->pipe_fds, O_CLOEXEC), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ring_free(f->ring);
	close(f->file_fd);
	close(f->pipe_fds[0]);
	if (f->pipe_fds[1] >= 0)
		close(f->pipe_fds[1]);
	unlink(f->path);
	free(f);
	return 0;
}

/* Exactly one event comes, and it is this one. */
static int wait_one(struct fixture *f, enum ring_event_kind kind, uint32_t tag)
{
	struct ring_event events[4];
	int count;

	do
		count = ring_wait(f->ring, events, 4, &f->err);
	while (count == 0);
	assert_ok(count, &f->err);
	assert_int_equal(count, 1);
	assert_int_equal(events[0].kind, kind);
	assert_int_equal(events[0].tag, tag);
	return events[0].result;
}

/* Nothing comes but the timer. */
static void wait_quiet(struct fixture *f, uint64_t usec)
{
	ring_timer(f->ring, clock_monotonic_usec() + usec);
	assert_int_equal(wait_one(f, RING_TIMER, 0), 0);
}

static void appends_lie_in_the_order_of_their_completion(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(4 * BLOCK);
	CLEANUP(freep)
	uint8_t *back = file_buffer_new(BLOCK);
	uint64_t offset = 0;
	uint64_t size;
	int reader = file_open_read(AT_FDCWD, f->path, &f->err);

	assert_ok(reader, &f->err);
	for (int i = 0; i < 200; i++) {
		size_t want = (size_t)(1 + i % 4) * BLOCK;

		memset(bytes, i, want);
		ring_append(f->ring, f->file_fd, bytes, want, i % RING_SLOTS);
		assert_int_equal(wait_one(f, RING_APPENDED, i % RING_SLOTS), want);
		assert_ok(file_read_exact(reader, back, BLOCK, offset, &f->err), &f->err);
		assert_int_equal(back[BLOCK - 1], i);
		offset += want;
	}
	assert_ok(file_size(reader, &size, &f->err), &f->err);
	assert_int_equal(size, offset);
	close(reader);
}

static void slots_complete_independently(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(BLOCK);
	struct ring_event events[2];
	unsigned seen = 0;
	int bad;

	bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(bad >= 0);
	ring_append(f->ring, f->file_fd, bytes, BLOCK, 1);
	ring_append(f->ring, bad, bytes, BLOCK, 7);
	while (seen != (1u << 1 | 1u << 7)) {
		int count = ring_wait(f->ring, events, 2, &f->err);

		assert_ok(count, &f->err);
		for (int i = 0; i < count; i++) {
			assert_int_equal(events[i].kind, RING_APPENDED);
			assert_int_equal(events[i].result,
					 events[i].tag == 1 ? (int)BLOCK : -EBADF);
			assert_false(seen & 1u << events[i].tag);
			seen |= 1u << events[i].tag;
		}
	}
	close(bad);
}

static void a_short_write_is_told_and_the_rest_can_follow(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(8 * BLOCK);
	struct rlimit before;
	struct rlimit limits;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limits = before;
	limits.rlim_cur = 2 * BLOCK;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limits), 0);
	ring_append(f->ring, f->file_fd, bytes, 8 * BLOCK, 0);
	assert_int_equal(wait_one(f, RING_APPENDED, 0), 2 * BLOCK);
	ring_append(f->ring, f->file_fd, bytes + 2 * BLOCK, 6 * BLOCK, 0);
	assert_int_equal(wait_one(f, RING_APPENDED, 0), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	ring_append(f->ring, f->file_fd, bytes + 2 * BLOCK, 6 * BLOCK, 0);
	assert_int_equal(wait_one(f, RING_APPENDED, 0), 6 * BLOCK);
}

static void freeing_waits_for_appends(void **state)
{
	struct fixture *f = *state;
	size_t size = 1 << 22;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(size);
	uint64_t written;

	ring_append(f->ring, f->file_fd, bytes, size, 3);
	ring_free(f->ring);
	assert_ok(file_size(f->file_fd, &written, &f->err), &f->err);
	assert_int_equal(written, size);
	assert_ok(ring_new(&f->ring, &f->err), &f->err);
}

static void readiness_comes_once_for_each_start(void **state)
{
	struct fixture *f = *state;

	ring_poll_readable(f->ring, f->pipe_fds[0], 31);
	wait_quiet(f, 5000);
	assert_int_equal(write(f->pipe_fds[1], "x", 1), 1);
	assert_true(wait_one(f, RING_READABLE, 31) & POLLIN);
	/* still readable, but nobody asked again */
	wait_quiet(f, 5000);
	ring_poll_readable(f->ring, f->pipe_fds[0], 31);
	assert_true(wait_one(f, RING_READABLE, 31) & POLLIN);
	ring_poll_writable(f->ring, f->pipe_fds[1], 31);
	assert_true(wait_one(f, RING_WRITABLE, 31) & POLLOUT);
}

static void a_bad_descriptor_is_an_event_too(void **state)
{
	struct fixture *f = *state;

	ring_poll_readable(f->ring, 9999, 0);
	assert_int_equal(wait_one(f, RING_READABLE, 0), -EBADF);
	ring_poll_readable(f->ring, f->pipe_fds[0], 0);
	close(f->pipe_fds[1]);
	f->pipe_fds[1] = -1;
	assert_true(wait_one(f, RING_READABLE, 0) & POLLHUP);
}

static void a_cancelled_poll_is_silent_and_can_start_again(void **state)
{
	struct fixture *f = *state;
	struct ring_event event;

	/* cancelled before it was ever submitted */
	ring_poll_readable(f->ring, f->pipe_fds[0], 5);
	ring_poll_cancel(f->ring, 5);
	ring_poll_cancel(f->ring, 5);
	assert_int_equal(write(f->pipe_fds[1], "x", 1), 1);
	wait_quiet(f, 5000);
	/* cancelled when it had completed and nobody had looked */
	ring_poll_readable(f->ring, f->pipe_fds[0], 5);
	ring_poll_writable(f->ring, f->pipe_fds[1], 6);
	assert_int_equal(ring_wait(f->ring, &event, 1, &f->err), 1);
	assert_int_equal(event.kind, RING_READABLE);
	ring_poll_cancel(f->ring, 6);
	wait_quiet(f, 5000);
	ring_poll_writable(f->ring, f->pipe_fds[1], 6);
	assert_true(wait_one(f, RING_WRITABLE, 6) & POLLOUT);
}

static void starting_and_cancelling_without_waiting_is_bounded(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5000; i++) {
		ring_poll_readable(f->ring, f->pipe_fds[0], 1);
		ring_poll_cancel(f->ring, 1);
	}
	wait_quiet(f, 1000);
	ring_poll_writable(f->ring, f->pipe_fds[1], 1);
	assert_true(wait_one(f, RING_WRITABLE, 1) & POLLOUT);
}

static void the_timer_is_never_early_and_soon_enough(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		uint64_t at = clock_monotonic_usec() + 3000;

		ring_timer(f->ring, at);
		wait_one(f, RING_TIMER, 0);
		assert_true(clock_monotonic_usec() >= at);
		assert_true(clock_monotonic_usec() < at + USEC_PER_SEC);
	}
	/* in the past: at once */
	ring_timer(f->ring, 1);
	wait_one(f, RING_TIMER, 0);
}

static void a_rearmed_timer_fires_once_at_the_last_time_given(void **state)
{
	struct fixture *f = *state;
	uint64_t start = clock_monotonic_usec();

	/* arm at 2 ms in the kernel (the pipe lets the wait return), then move it around */
	ring_timer(f->ring, start + 2000);
	ring_poll_writable(f->ring, f->pipe_fds[1], 0);
	wait_one(f, RING_WRITABLE, 0);
	ring_timer(f->ring, start + 900000);
	ring_timer(f->ring, start + 30000);
	wait_one(f, RING_TIMER, 0);
	assert_true(clock_monotonic_usec() >= start + 30000);
	assert_true(clock_monotonic_usec() < start + 800000);
	/* earlier than what is armed */
	ring_timer(f->ring, clock_monotonic_usec() + 60 * USEC_PER_SEC);
	ring_poll_writable(f->ring, f->pipe_fds[1], 0);
	wait_one(f, RING_WRITABLE, 0);
	start = clock_monotonic_usec();
	wait_quiet(f, 10000);
	assert_true(clock_monotonic_usec() < start + 5 * USEC_PER_SEC);
}

static void a_disarmed_timer_is_silent(void **state)
{
	struct fixture *f = *state;
	struct timespec pause = {.tv_nsec = 10000000};

	ring_timer(f->ring, clock_monotonic_usec() + 2000);
	ring_poll_writable(f->ring, f->pipe_fds[1], 0);
	wait_one(f, RING_WRITABLE, 0);
	nanosleep(&pause, NULL); /* it has fired, and nobody looked */
	ring_timer(f->ring, 0);
	ring_poll_writable(f->ring, f->pipe_fds[1], 0);
	wait_one(f, RING_WRITABLE, 0);
	ring_poll_writable(f->ring, f->pipe_fds[1], 0);
	wait_one(f, RING_WRITABLE, 0);
	wait_quiet(f, 3000);
}

static void random_rearming_neither_loses_nor_doubles(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 7;

	for (int i = 0; i < 300; i++) {
		uint64_t last = 0;
		unsigned fired = 0;

		for (unsigned moves = 1 + rand_r(&seed) % 4; moves > 0; moves--) {
			struct ring_event events[2];
			int count;

			last = clock_monotonic_usec() + rand_r(&seed) % 300;
			ring_timer(f->ring, last);
			ring_poll_writable(f->ring, f->pipe_fds[1], 2);
			do
				count = ring_wait(f->ring, events, 2, &f->err);
			while (count == 0);
			assert_in_range(count, 1, 2);
			fired = 0;
			for (int j = 0; j < count; j++)
				fired += events[j].kind == RING_TIMER;
			ring_poll_cancel(f->ring, 2);
		}
		if (fired == 0)
			wait_one(f, RING_TIMER, 0);
		assert_true(clock_monotonic_usec() >= last);
	}
	wait_quiet(f, 2000);
}

static void more_events_than_asked_for_come_next_time(void **state)
{
	struct fixture *f = *state;
	struct ring_event event;
	unsigned seen = 0;

	for (uint32_t tag = 0; tag < 32; tag++)
		ring_poll_writable(f->ring, f->pipe_fds[1], tag);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(ring_wait(f->ring, &event, 1, &f->err), 1);
		assert_int_equal(event.kind, RING_WRITABLE);
		seen |= 1u << event.tag;
	}
	assert_int_equal(seen, UINT32_MAX);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

static void a_signal_ends_the_wait_without_events(void **state)
{
	struct fixture *f = *state;
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval interval = {.it_value.tv_usec = 20000};
	struct ring_event event;

	sigaction(SIGALRM, &action, NULL);
	ring_timer(f->ring, clock_monotonic_usec() + 60 * USEC_PER_SEC);
	setitimer(ITIMER_REAL, &interval, NULL);
	assert_int_equal(ring_wait(f->ring, &event, 1, &f->err), 0);
	interval.it_value.tv_usec = 20000;
	setitimer(ITIMER_REAL, &interval, NULL);
	assert_int_equal(ring_wait(f->ring, &event, 1, &f->err), 0);
}

static int find_ring_fd(void)
{
	for (int fd = 3; fd < 64; fd++) {
		char path[32];
		char target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "io_uring"))
			return fd;
	}
	return -1;
}

static void the_enabled_ring_allows_no_registration(void **state)
{
	struct fixture *f = *state;
	int fd = find_ring_fd();
	int event_fd = f->pipe_fds[0];

	assert_true(fd >= 0);
	assert_int_equal(syscall(__NR_io_uring_register, fd, IORING_REGISTER_FILES, &event_fd, 1),
			 -1);
	assert_int_equal(errno, EACCES);
}

static void without_io_uring_a_sentence_says_so(void **state)
{
	int exit_status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct rlimit none = {0};
		struct error err = {0};
		struct ring *ring;

		/* no descriptor to be had is the failure that everybody can make */
		setrlimit(RLIMIT_NOFILE, &none);
		_exit(ring_new(&ring, &err) == ERROR_FAILED &&
				      strstr(err.message, "making an io_uring: Too many open files")
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &exit_status, 0), child);
	assert_int_equal(exit_status, 0);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		RING_TEST(appends_lie_in_the_order_of_their_completion),
		RING_TEST(slots_complete_independently),
		RING_TEST(a_short_write_is_told_and_the_rest_can_follow),
		RING_TEST(freeing_waits_for_appends),
		RING_TEST(readiness_comes_once_for_each_start),
		RING_TEST(a_bad_descriptor_is_an_event_too),
		RING_TEST(a_cancelled_poll_is_silent_and_can_start_again),
		RING_TEST(starting_and_cancelling_without_waiting_is_bounded),
		RING_TEST(the_timer_is_never_early_and_soon_enough),
		RING_TEST(a_rearmed_timer_fires_once_at_the_last_time_given),
		RING_TEST(a_disarmed_timer_is_silent),
		RING_TEST(random_rearming_neither_loses_nor_doubles),
		RING_TEST(more_events_than_asked_for_come_next_time),
		RING_TEST(a_signal_ends_the_wait_without_events),
		RING_TEST(the_enabled_ring_allows_no_registration),
		RING_TEST(without_io_uring_a_sentence_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
