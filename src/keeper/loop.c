#include "keeper/loop.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "io/clock.h"
#include "io/watchdog.h"

#define WATCHERS_MAX 256
#define WORKERS	     2
#define EVENTS_MAX   32

#define WORKER_NICE 19 /* hashing and decrypting must not take a core from a puller either */

/* ioprio_set(2) has no wrapper in glibc. */
#define IOPRIO_WHO_PROCESS	  1
#define IOPRIO_CLASS_IDLE_SHIFTED (3 << 13)

struct watcher {
	int fd; /* -1: free */
	loop_ready *ready;
	void *context;
};

/* Jobs go from the loop to the workers through `waiting`, and come back through `finished`. */
struct loop {
	int epoll_fd;
	int event_fd;
	bool stopping;
	struct watcher watchers[WATCHERS_MAX];
	struct loop_timer *timers; /* unordered: there are few */

	pthread_t workers[WORKERS];
	size_t worker_count;
	pthread_mutex_t lock; /* of the fields below */
	pthread_cond_t wake;
	bool ending;
	struct loop_job *waiting, **waiting_tail;
	struct loop_job *finished;
};

static void *work(void *context)
{
	struct loop *loop = context;
	const uint64_t one = 1;

	/* Verification reads whole segments; it must not hold up a puller's appends. */
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE_SHIFTED);
	(void)setpriority(PRIO_PROCESS, 0, WORKER_NICE); /* 0: this thread alone */
	pthread_mutex_lock(&loop->lock);
	for (;;) {
		struct loop_job *job;

		while (!loop->waiting && !loop->ending)
			pthread_cond_wait(&loop->wake, &loop->lock);
		if (loop->ending)
			break;
		job = loop->waiting;
		loop->waiting = job->next;
		if (!loop->waiting)
			loop->waiting_tail = &loop->waiting;
		pthread_mutex_unlock(&loop->lock);
		job->run(job);
		pthread_mutex_lock(&loop->lock);
		job->next = loop->finished;
		loop->finished = job;
		if (write(loop->event_fd, &one, sizeof(one)) < 0)
			ASSERT(errno == EAGAIN); /* the counter is full: it is readable anyway */
	}
	pthread_mutex_unlock(&loop->lock);
	return NULL;
}

static void finish_jobs(void *context, int fd)
{
	struct loop *loop = context;
	struct loop_job *job;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		ASSERT(errno == EAGAIN);
	pthread_mutex_lock(&loop->lock);
	job = loop->finished;
	loop->finished = NULL;
	pthread_mutex_unlock(&loop->lock);
	while (job) {
		struct loop_job *next = job->next;

		job->done(job);
		job = next;
	}
}

int loop_new(struct loop **ret_loop, struct error *err)
{
	CLEANUP(loop_freep)
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	ASSERT(loop);
	loop->epoll_fd = -1;
	loop->event_fd = -1;
	loop->waiting_tail = &loop->waiting;
	for (size_t i = 0; i < WATCHERS_MAX; i++)
		loop->watchers[i].fd = -1;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->wake, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->event_fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "making the event loop");
	r = loop_watch(loop, loop->event_fd, finish_jobs, loop, err);
	if (r < 0)
		return r;
	*ret_loop = TAKE(loop);
	return 0;
}

/* Only when the loop runs: privileges are dropped before, and a thread that existed then would
 * have lost the one capability that sealing needs (capabilities belong to threads). */
static int start_workers(struct loop *loop, struct error *err)
{
	while (loop->worker_count < WORKERS) {
		int r = pthread_create(&loop->workers[loop->worker_count], NULL, work, loop);

		if (r != 0)
			return error_set_errno(err, ERROR_FAILED, r, "starting a worker thread");
		loop->worker_count++;
	}
	return 0;
}

void loop_end_jobs(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->ending = true;
	pthread_cond_broadcast(&loop->wake);
	pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; i < loop->worker_count; i++)
		pthread_join(loop->workers[i], NULL);
	loop->worker_count = 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	loop_end_jobs(loop);
	pthread_cond_destroy(&loop->wake);
	pthread_mutex_destroy(&loop->lock);
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

int loop_watch(struct loop *loop, int fd, loop_ready *ready, void *context, struct error *err)
{
	for (size_t i = 0; i < WATCHERS_MAX; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		if (loop->watchers[i].fd >= 0)
			continue;
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			return error_set_errno(err, ERROR_FAILED, errno, "watching a descriptor");
		loop->watchers[i] = (struct watcher){fd, ready, context};
		return 0;
	}
	return error_set(err, ERROR_BUSY, "%d connections are open, no more can be served",
			 WATCHERS_MAX);
}

void loop_unwatch(struct loop *loop, int fd)
{
	for (size_t i = 0; i < WATCHERS_MAX; i++) {
		if (loop->watchers[i].fd != fd)
			continue;
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		loop->watchers[i].fd = -1;
	}
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **link = &loop->timers;

	while (*link && *link != timer)
		link = &(*link)->next;
	if (*link)
		*link = timer->next;
	timer->due_usec = 0;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_usec,
		    void (*fire)(void *context), void *context)
{
	loop_timer_clear(loop, timer);
	*timer = (struct loop_timer){
		.due_usec = clock_monotonic_usec() + delay_usec,
		.fire = fire,
		.context = context,
		.next = loop->timers,
	};
	loop->timers = timer;
}

/* The earliest timer, NULL if none is set. */
static struct loop_timer *next_timer(const struct loop *loop)
{
	struct loop_timer *first = loop->timers;

	for (struct loop_timer *timer = loop->timers; timer; timer = timer->next) {
		if (timer->due_usec < first->due_usec)
			first = timer;
	}
	return first;
}

/* Fire what is due; returns how many milliseconds the loop may sleep, -1 for ever. */
static int fire_timers(struct loop *loop)
{
	for (;;) {
		struct loop_timer *timer = next_timer(loop);
		uint64_t now = clock_monotonic_usec();
		uint64_t due = MIN(timer ? timer->due_usec : UINT64_MAX, watchdog_due_usec());

		if (due == UINT64_MAX || loop->stopping)
			return -1;
		if (due > now)
			return (int)MIN((due - now) / 1000 + 1, (uint64_t)60000);
		if (!timer || timer->due_usec > now)
			return 0; /* for a word to the watchdog */
		loop_timer_clear(loop, timer);
		timer->fire(timer->context);
	}
}

void loop_job_submit(struct loop *loop, struct loop_job *job)
{
	pthread_mutex_lock(&loop->lock);
	job->next = NULL;
	*loop->waiting_tail = job;
	loop->waiting_tail = &job->next;
	pthread_cond_signal(&loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

int loop_run(struct loop *loop, struct error *err)
{
	struct epoll_event events[EVENTS_MAX];
	int r = start_workers(loop, err);

	if (r < 0)
		return r;
	while (!loop->stopping) {
		int timeout_msec, count;

		watchdog_alive();
		timeout_msec = fire_timers(loop);
		if (loop->stopping)
			break;
		count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_msec);
		if (count < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_FAILED, errno, "waiting for events");
		for (int i = 0; i < count && !loop->stopping; i++) {
			/*
			 * A callback before may have unwatched it, and another may watch with the
			 * same slot: that one is then looked at too early, which level-triggered
			 * non-blocking reads bear.
			 */
			struct watcher *watcher = &loop->watchers[events[i].data.u64];

			if (watcher->fd >= 0)
				watcher->ready(watcher->context, watcher->fd);
		}
	}
	loop->stopping = false;
	return 0;
}
