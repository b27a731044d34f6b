/*
 * user_data of every operation is {kind, tag, generation}. What was cancelled or rearmed keeps its
 * old generation, so its late completion is known as stale and dropped: nothing is lost and
 * nothing is told twice.
 */
#include "io/ring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/units.h"
#include "io/clock.h"
#include "io/file.h"

#define POLL_TAGS	 32
#define SUBMIT_ENTRIES	 256 /* all polls cancelled and started again, appends, timer: 140 */
#define COMPLETE_ENTRIES 1024
#define AGAIN_COUNT_MAX	 1000 /* times a millisecond: the kernel has no memory for one second */
#define AGAIN_PAUSE_NSEC 1000000
#define KIND_INTERNAL	 0xff /* cancellations: nobody waits for these */

struct pending {
	bool active;
	uint32_t generation;
};

struct append {
	struct pending pending;
	int fd;
};

struct ring {
	struct io_uring uring;
	struct pending readable[POLL_TAGS];
	struct pending writable[POLL_TAGS];
	struct append append[RING_SLOTS];
	uint32_t appends_count; /* in flight */
	uint64_t timer_usec;	/* when the caller wants it, 0 for never */
	uint64_t armed_usec;	/* when the kernel will tell us, 0 for never */
	uint32_t timer_generation;
	struct __kernel_timespec timer_at; /* read by the kernel at submission */
};

static uint64_t data_pack(unsigned kind, uint32_t tag, uint32_t generation)
{
	return (uint64_t)kind << 56 | (uint64_t)(tag & 0xffffff) << 32 | generation;
}

/* An EINVAL means a kernel that does not know one of the flags: they only save time. */
static int setup(struct io_uring *uring)
{
	static const unsigned choices[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_LENGTH(choices) && r == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | choices[i],
			.cq_entries = COMPLETE_ENTRIES,
		};

		r = io_uring_queue_init_params(SUBMIT_ENTRIES, uring, &params);
	}
	return r;
}

/* No opcode but these, no flag on an entry, no registration any more. */
static int restrict_and_enable(struct io_uring *uring)
{
	static const uint8_t opcodes[] = {
		IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE,    IORING_OP_WRITE,
		IORING_OP_TIMEOUT,  IORING_OP_TIMEOUT_REMOVE,
	};
	struct io_uring_restriction allowed[ARRAY_LENGTH(opcodes)] = {0};
	int r;

	for (size_t i = 0; i < ARRAY_LENGTH(opcodes); i++) {
		allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[i].sqe_op = opcodes[i];
	}
	/* liburing 2.3 declares functions for both and its shared object lacks them */
	r = (int)syscall(SYS_io_uring_register, uring->ring_fd, IORING_REGISTER_RESTRICTIONS,
			 allowed, ARRAY_LENGTH(allowed));
	if (r == 0)
		r = (int)syscall(SYS_io_uring_register, uring->ring_fd,
				 IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return r < 0 ? -errno : 0;
}

int ring_new(struct ring **ret_ring, struct error *err)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int r;

	ASSERT(ring);
	r = setup(&ring->uring);
	if (r == 0) {
		r = restrict_and_enable(&ring->uring);
		if (r < 0)
			io_uring_queue_exit(&ring->uring);
	}
	if (r == 0) {
		*ret_ring = ring;
		return 0;
	}
	free(ring);
	if (r == -ENOSYS || r == -EPERM || r == -EACCES)
		return error_set_errno(err, ERROR_USAGE, -r,
				       "io_uring is not available here; see sysctl "
				       "kernel.io_uring_disabled and the container's seccomp "
				       "profile");
	if (r == -EINVAL)
		return error_set_errno(err, ERROR_USAGE, -r,
				       "io_uring of this kernel cannot be restricted; Linux 5.10 "
				       "or later is needed");
	return error_set_errno(err, ERROR_FAILED, -r, "making an io_uring");
}

static void pause_briefly(void)
{
	struct timespec pause = {.tv_nsec = AGAIN_PAUSE_NSEC};

	nanosleep(&pause, NULL);
}

static struct io_uring_sqe *entry_new(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	/* only a caller that starts and cancels without ever waiting comes here */
	for (int i = 0; !sqe && i < AGAIN_COUNT_MAX; i++) {
		if (io_uring_submit(&ring->uring) < 0)
			pause_briefly();
		sqe = io_uring_get_sqe(&ring->uring);
	}
	ASSERT(sqe);
	return sqe;
}

static void poll_start(struct ring *ring, int fd, struct pending *pending, uint32_t tag,
		       enum ring_event_kind kind, unsigned mask)
{
	struct io_uring_sqe *sqe = entry_new(ring);

	ASSERT(!pending->active);
	pending->active = true;
	pending->generation++;
	io_uring_prep_poll_add(sqe, fd, mask);
	io_uring_sqe_set_data64(sqe, data_pack(kind, tag, pending->generation));
}

void ring_poll_readable(struct ring *ring, int fd, uint32_t tag)
{
	ASSERT(tag < POLL_TAGS);
	poll_start(ring, fd, &ring->readable[tag], tag, RING_READABLE, POLLIN | POLLRDHUP);
}

void ring_poll_writable(struct ring *ring, int fd, uint32_t tag)
{
	ASSERT(tag < POLL_TAGS);
	poll_start(ring, fd, &ring->writable[tag], tag, RING_WRITABLE, POLLOUT);
}

static void poll_cancel(struct ring *ring, struct pending *pending, uint32_t tag,
			enum ring_event_kind kind)
{
	struct io_uring_sqe *sqe;

	if (!pending->active)
		return;
	pending->active = false;
	sqe = entry_new(ring);
	io_uring_prep_poll_remove(sqe, data_pack(kind, tag, pending->generation));
	io_uring_sqe_set_data64(sqe, data_pack(KIND_INTERNAL, 0, 0));
}

void ring_poll_cancel(struct ring *ring, uint32_t tag)
{
	ASSERT(tag < POLL_TAGS);
	poll_cancel(ring, &ring->readable[tag], tag, RING_READABLE);
	poll_cancel(ring, &ring->writable[tag], tag, RING_WRITABLE);
}

void ring_append(struct ring *ring, int fd, const void *buffer, size_t size, uint32_t tag)
{
	struct append *append = &ring->append[tag];
	struct io_uring_sqe *sqe;

	ASSERT(tag < RING_SLOTS && size > 0 && size <= INT32_MAX);
	ASSERT(!append->pending.active);
	sqe = entry_new(ring);
	append->pending.active = true;
	append->pending.generation++;
	append->fd = fd;
	ring->appends_count++;
	/* offset -1 is the file's own; O_APPEND makes that its end */
	io_uring_prep_write(sqe, fd, buffer, (unsigned)size, (uint64_t)-1);
	sqe->rw_flags = RWF_DSYNC;
	io_uring_sqe_set_data64(sqe, data_pack(RING_APPENDED, tag, append->pending.generation));
}

void ring_timer(struct ring *ring, uint64_t monotonic_usec)
{
	ring->timer_usec = monotonic_usec;
}

/*
 * Make the kernel's timer fit the wanted one. One that fires too early is left: it costs one wakeup
 * then, and not two operations on every frame that moves its deadline.
 */
static void timer_arm(struct ring *ring)
{
	struct io_uring_sqe *sqe;
	bool early = ring->armed_usec && ring->timer_usec && ring->armed_usec <= ring->timer_usec;

	if (early || ring->armed_usec == ring->timer_usec)
		return;
	if (ring->armed_usec) {
		sqe = entry_new(ring);
		io_uring_prep_timeout_remove(sqe, data_pack(RING_TIMER, 0, ring->timer_generation),
					     0);
		io_uring_sqe_set_data64(sqe, data_pack(KIND_INTERNAL, 0, 0));
	}
	ring->armed_usec = ring->timer_usec;
	ring->timer_generation++;
	if (!ring->armed_usec)
		return;
	ring->timer_at.tv_sec = (int64_t)(ring->armed_usec / USEC_PER_SEC);
	ring->timer_at.tv_nsec = (long long)(ring->armed_usec % USEC_PER_SEC * NSEC_PER_USEC);
	sqe = entry_new(ring);
	io_uring_prep_timeout(sqe, &ring->timer_at, 0, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_data64(sqe, data_pack(RING_TIMER, 0, ring->timer_generation));
}

/* The kernel's timer fired: is it the time that is wanted now? */
static bool timer_due(struct ring *ring)
{
	ring->armed_usec = 0;
	if (!ring->timer_usec || ring->timer_usec > clock_monotonic_usec())
		return false;
	ring->timer_usec = 0;
	return true;
}

/* What an append's completion says, when it is true: file_confirm_durable(). */
static int32_t confirmed(const struct append *append, int32_t result)
{
	int r = result > 0 ? file_confirm_durable(append->fd) : 0;

	return r < 0 ? r : result;
}

/* Take one completion; false if nobody waits for it. */
static bool take(struct ring *ring, const struct io_uring_cqe *cqe, struct ring_event *ret_event)
{
	uint64_t data = io_uring_cqe_get_data64(cqe);
	unsigned kind = (unsigned)(data >> 56);
	uint32_t tag = (uint32_t)(data >> 32) & 0xffffff;
	uint32_t generation = (uint32_t)data;
	struct pending *pending;

	if (kind == KIND_INTERNAL)
		return false;
	ret_event->kind = (enum ring_event_kind)kind;
	ret_event->tag = tag;
	ret_event->result = cqe->res;
	if (kind == RING_TIMER) {
		ret_event->result = 0;
		return generation == ring->timer_generation && timer_due(ring);
	}
	pending = kind == RING_READABLE	  ? &ring->readable[tag]
		  : kind == RING_WRITABLE ? &ring->writable[tag]
					  : &ring->append[tag].pending;
	if (!pending->active || pending->generation != generation)
		return false;
	pending->active = false;
	if (kind == RING_APPENDED) {
		ring->appends_count--;
		ret_event->result = confirmed(&ring->append[tag], cqe->res);
	}
	return true;
}

/* Take completions until @events is full; how many were there at all goes to *ret_seen. */
static int reap(struct ring *ring, struct ring_event *events, size_t events_max, size_t *ret_seen)
{
	struct io_uring_cqe *cqe;
	size_t count = 0;
	size_t seen = 0;

	while (count < events_max && io_uring_peek_cqe(&ring->uring, &cqe) == 0 && cqe) {
		if (take(ring, cqe, &events[count]))
			count++;
		io_uring_cqe_seen(&ring->uring, cqe);
		seen++;
	}
	*ret_seen = seen;
	return (int)count;
}

int ring_wait(struct ring *ring, struct ring_event *events, size_t events_max, struct error *err)
{
	unsigned again_count = 0;

	ASSERT(events_max > 0);
	for (;;) {
		size_t seen;
		int count;
		int r;

		timer_arm(ring);
		r = io_uring_submit_and_wait(&ring->uring, 1);
		count = reap(ring, events, events_max, &seen);
		if (count > 0)
			return count;
		/* all of it was stale, or an early timer */
		if (seen > 0)
			continue;
		/* after a submission the kernel does not tell a signal from its own early wakeup
		 * by a timer, so both go up; without one, 0 can only be the latter */
		if (r == -EINTR || r > 0)
			return 0;
		if (r == 0)
			continue;
		/* EBUSY: completions overflowed; the next call makes room for them */
		if ((r != -EAGAIN && r != -EBUSY) || ++again_count > AGAIN_COUNT_MAX)
			return error_set_errno(err, ERROR_FAILED, -r, "waiting on the io_uring");
		pause_briefly();
	}
}

void ring_free(struct ring *ring)
{
	struct ring_event events[RING_SLOTS];
	size_t seen;

	if (!ring)
		return;
	/* the buffers are borrowed: the kernel must be done with them before they are given back */
	while (ring->appends_count > 0) {
		int r = io_uring_submit_and_wait(&ring->uring, 1);

		if (r == -EAGAIN || r == -EBUSY)
			pause_briefly();
		else
			ASSERT(r >= 0 || r == -EINTR);
		reap(ring, events, ARRAY_LENGTH(events), &seen);
	}
	io_uring_queue_exit(&ring->uring);
	free(ring);
}
