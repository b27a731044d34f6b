/*
 * One request on its way: plan, exporter, segments, manifest, leaf. export.h says in which order.
 *
 * Owns: the connection, the directory's descriptor, the plan, and a copy of the period key that is
 * in use. Threads: the loop's; the plan is made by a worker.
 * Crash: as export.h says.
 */
#pragma once

#include <stdbool.h>

#include "base/secret.h"
#include "keeper/export_directory.h"
#include "keeper/export_plan.h"
#include "keeper/keeper.h"
#include "protocol/export_messages.h"
#include "store/request_record.h"

#define EXPORT_DEFECTS_MAX 1000 /* are listed; all are counted */

enum export_stage {
	EXPORT_PLANNING,   /* a worker */
	EXPORT_CONNECTING, /* HELLO is awaited */
	EXPORT_KEY,	   /* a period key */
	EXPORT_READING,	   /* PROGRESS and SEGMENT_DONE */
	EXPORT_FINISHING,  /* RESULT */
	EXPORT_SIGNING,	   /* the HSM */
	EXPORT_COMMITTING, /* COMMITTED */
	EXPORT_ENDED,
};

struct export_task {
	struct keeper *keeper;
	gid_t gid;
	struct request_record request;
	void (*ended)(void *context, struct export_task *task); /* frees it */
	void *context;
	struct export_task *next; /* the queue's */

	enum export_stage stage;
	uint64_t started_usec, ended_usec;
	struct loop_job job;
	struct export_plan *plan;
	struct error plan_error;

	struct loop_timer patience;
	int fd;
	int directory_fd;
	bool partial; /* NAME.partial is ours to remove */
	struct message message;

	size_t position; /* of the segment that is read, or is next */
	size_t read_count;
	bool limit_reached;
	bool advancing, fetching;
	struct secret key;
	uint8_t key_period[STORE_ID_SIZE];
	struct error key_error; /* of the fetch that has ended */

	uint64_t done_size; /* of segments read to their end */
	struct export_progress progress;
	json_t *defects;
	uint64_t defect_count;

	struct export_result result;
	const void *body; /* mapped */
	size_t body_size;
	struct exported_record exported;
	json_t *files;	      /* of the manifest */
	struct error failure; /* code 0: none */
};

struct export_task *export_task_new(struct keeper *keeper, gid_t gid,
				    const struct request_record *request,
				    void (*ended)(void *context, struct export_task *task),
				    void *context);
/* No leaf is written: either it has ended, or the keeper ends. */
void export_task_free(struct export_task *task);

/* Never ends it at once: `ended` is called from the loop. */
void export_task_start(struct export_task *task);

/* What `request-status` says of it. */
json_t *export_task_report(const struct export_task *task);
