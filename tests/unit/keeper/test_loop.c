#include "unit/cmocka_prelude.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"
#include "io/clock.h"
#include "keeper/loop.h"

struct counter {
	struct loop *loop;
	int count, stop_at;
	int order[8];
	size_t order_count;
	int watched, other;
	struct loop_timer timers[3];
};

static int setup(void **state)
{
	struct counter *counter = calloc(1, sizeof(*counter));
	struct error err = {0};

	assert_ok(loop_new(&counter->loop, &err), &err);
	*state = counter;
	return 0;
}

static int teardown(void **state)
{
	struct counter *counter = *state;

	loop_free(counter->loop);
	free(counter);
	return 0;
}

static void count(struct counter *counter)
{
	if (++counter->count == counter->stop_at)
		loop_stop(counter->loop);
}

static void first(void *context)
{
	struct counter *counter = context;

	counter->order[counter->order_count++] = 1;
	count(counter);
}

static void second(void *context)
{
	struct counter *counter = context;

	counter->order[counter->order_count++] = 2;
	count(counter);
}

static void timers_fire_in_the_order_of_their_time(void **state)
{
	struct counter *counter = *state;
	struct error err = {0};

	counter->stop_at = 2;
	loop_timer_set(counter->loop, &counter->timers[0], 20 * USEC_PER_MSEC, second, counter);
	loop_timer_set(counter->loop, &counter->timers[1], 5 * USEC_PER_MSEC, first, counter);
	assert_ok(loop_run(counter->loop, &err), &err);
	assert_int_equal(counter->order[0], 1);
	assert_int_equal(counter->order[1], 2);
}

static void a_cleared_timer_does_not_fire_and_one_set_again_fires_once(void **state)
{
	struct counter *counter = *state;
	struct error err = {0};

	counter->stop_at = 1;
	loop_timer_set(counter->loop, &counter->timers[0], 0, first, counter);
	loop_timer_clear(counter->loop, &counter->timers[0]);
	loop_timer_set(counter->loop, &counter->timers[1], 0, second, counter);
	loop_timer_set(counter->loop, &counter->timers[1], 5 * USEC_PER_MSEC, second, counter);
	assert_ok(loop_run(counter->loop, &err), &err);
	assert_int_equal(counter->order_count, 1);
	assert_int_equal(counter->order[0], 2);
}

static void stop_before_run_ends_it_at_once(void **state)
{
	struct counter *counter = *state;
	struct error err = {0};

	loop_stop(counter->loop);
	assert_ok(loop_run(counter->loop, &err), &err);
}

static void unwatch_the_other(void *context, int fd)
{
	struct counter *counter = context;

	count(counter);
	loop_unwatch(counter->loop, fd == counter->watched ? counter->other : counter->watched);
}

static void a_descriptor_unwatched_in_a_callback_is_not_called(void **state)
{
	struct counter *counter = *state;
	struct error err = {0};
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b), 0);
	counter->watched = a[0];
	counter->other = b[0];
	counter->stop_at = 3;
	assert_ok(loop_watch(counter->loop, a[0], unwatch_the_other, counter, &err), &err);
	assert_ok(loop_watch(counter->loop, b[0], unwatch_the_other, counter, &err), &err);
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	/* Both are readable: whichever comes first takes the other away, and is called again. */
	assert_ok(loop_run(counter->loop, &err), &err);
	assert_int_equal(counter->count, 3);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

struct job {
	struct loop_job job;
	struct counter *counter;
	atomic_bool ran;
};

static void run(struct loop_job *loop_job)
{
	((struct job *)loop_job)->ran = true;
}

static void done(struct loop_job *loop_job)
{
	struct job *job = (struct job *)loop_job;

	assert_true(job->ran);
	count(job->counter);
}

static void every_job_runs_and_reports_back(void **state)
{
	struct counter *counter = *state;
	struct job jobs[50] = {0};
	struct error err = {0};

	counter->stop_at = 50;
	for (int i = 0; i < 50; i++) {
		jobs[i].counter = counter;
		jobs[i].job.run = run;
		jobs[i].job.done = done;
		loop_job_submit(counter->loop, &jobs[i].job);
	}
	assert_ok(loop_run(counter->loop, &err), &err);
	assert_int_equal(counter->count, 50);
}

static void after_end_jobs_none_runs(void **state)
{
	struct counter *counter = *state;
	struct job job = {.counter = counter, .job = {.run = run, .done = done}};

	loop_end_jobs(counter->loop);
	loop_job_submit(counter->loop, &job.job);
	loop_end_jobs(counter->loop);
	assert_false(job.ran);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_the_order_of_their_time),
		TEST(a_cleared_timer_does_not_fire_and_one_set_again_fires_once),
		TEST(stop_before_run_ends_it_at_once),
		TEST(a_descriptor_unwatched_in_a_callback_is_not_called),
		TEST(every_job_runs_and_reports_back),
		TEST(after_end_jobs_none_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
