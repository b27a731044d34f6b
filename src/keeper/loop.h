/*
 * The keeper's control loop: one thread, level-triggered readiness of descriptors, timers, and
 * jobs that run in worker threads and report back here. Nothing in a callback may block for long:
 * what re-reads segments is a job.
 *
 * Owns: its epoll and the worker threads. Borrows descriptors, timers and jobs.
 * Threads: everything but job->run is called in the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct loop;

int loop_new(struct loop **ret_loop, struct error *err) MUST_CHECK;
/* Waits for running jobs; their done is not called, and no other is run. What jobs work on may be
 * freed afterwards. Also part of loop_free(). */
void loop_end_jobs(struct loop *loop);
void loop_free(struct loop *loop);
DEFINE_CLEANUP(loop_free, struct loop *);

/* Wait for events and call back, until loop_stop(), which may have come before. It may be run
 * again. */
int loop_run(struct loop *loop, struct error *err) MUST_CHECK;
void loop_stop(struct loop *loop);

/* --- descriptors: one watcher each --------------------------------------------------------------
 */

typedef void loop_ready(void *context, int fd);

/* Call @ready whenever @fd is readable, or hung up. */
int loop_watch(struct loop *loop, int fd, loop_ready *ready, void *context,
	       struct error *err) MUST_CHECK;
/* Also safe from within a callback, for any descriptor: it is not called again. Before close(). */
void loop_unwatch(struct loop *loop, int fd);

/* --- timers ------------------------------------------------------------------------------------
 */

struct loop_timer {	   /* embedded, zeroed at first */
	uint64_t due_usec; /* CLOCK_MONOTONIC; 0: not set */
	void (*fire)(void *context);
	void *context;
	struct loop_timer *next; /* the loop's */
};

/* (Re)arm: once, after @delay_usec. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_usec,
		    void (*fire)(void *context), void *context);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* --- jobs --------------------------------------------------------------------------------------
 */

struct loop_job {			    /* embedded in what the job works on */
	void (*run)(struct loop_job *job);  /* in a worker, at idle I/O priority */
	void (*done)(struct loop_job *job); /* in the loop, after run */
	struct loop_job *next;		    /* the loop's */
};

/* Run when a worker is free, in the order of submission. */
void loop_job_submit(struct loop *loop, struct loop_job *job);
