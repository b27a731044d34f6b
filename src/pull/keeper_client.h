/*
 * The puller's conversation with the keeper. Requests are few and answered quickly, so they wait
 * for their answer; what has no answer (progress, state) is dropped rather than waited for.
 *
 * Owns: the channel. Threads: one. Between requests the keeper says nothing but CONTROL.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "protocol/damaged_message.h"
#include "protocol/observed.h"
#include "protocol/control.h"
#include "protocol/pull_messages.h"
#include "protocol/pull_preflight.h"
#include "protocol/pull_semi_sync.h"

struct keeper_client;

/* @socket is borrowed. Waiting ends when @stop_fd (-1: none) becomes readable: UNAVAILABLE. */
struct keeper_client *keeper_client_new(const char *socket, const struct hello *hello, int stop_fd);
void keeper_client_free(struct keeper_client *client);
DEFINE_CLEANUP(keeper_client_free, struct keeper_client *);

bool keeper_client_connected(const struct keeper_client *client);
int keeper_client_fd(const struct keeper_client *client); /* -1 if not connected */
void keeper_client_disconnect(struct keeper_client *client);

/*
 * Connect, say HELLO, attach. Any error: try again later; ERROR_NOT_FOUND: without the segment that
 * is held, which the keeper does not know as open. Without one the answer may take as long as the
 * keeper needs to recover what the last puller left: KEEPER_ATTACH_TIMEOUT_SEC.
 */
#define KEEPER_ATTACH_TIMEOUT_SEC 300
#define KEEPER_ANSWER_TIMEOUT_SEC 30
int keeper_client_attach(struct keeper_client *client, const struct attach *attach,
			 struct attached *ret_attached, struct error *err) MUST_CHECK;

/*
 * Ask for a segment. Any error: again later; the connection is given up unless the keeper itself
 * said no. *ret_fds has one descriptor a volume, the caller's.
 */
int keeper_client_open(struct keeper_client *client, const struct open_segment *request,
		       struct segment_opened *ret_opened, int ret_fds[static CHANNEL_FDS_MAX],
		       size_t *ret_fd_count, struct error *err) MUST_CHECK;

/* Something may be there to be read. 0, or an error: the keeper has gone. */
int keeper_client_readable(struct keeper_client *client, struct error *err) MUST_CHECK;

/* May the source be pulled? As the keeper said last; CONTROL_PULL before it has said anything. */
const struct control *keeper_client_control(const struct keeper_client *client);

/* These disconnect on failure; a full queue drops PROGRESS, STATE, OBSERVED and DAMAGED. */
void keeper_client_progress(struct keeper_client *client, const struct progress *progress);
/* False: not now, again later. */
bool keeper_client_semi_sync(struct keeper_client *client, const struct pull_semi_sync *semi_sync);
void keeper_client_status(struct keeper_client *client, const struct pull_status *status);
/* The same. */
bool keeper_client_preflight(struct keeper_client *client, const struct pull_preflight *preflight);
void keeper_client_observed(struct keeper_client *client, const struct observed *observed,
			    int list_fd);
void keeper_client_damaged(struct keeper_client *client, const struct damaged *damaged);
/* The keeper finds a closed segment by itself too: it is told for speed. */
void keeper_client_closed(struct keeper_client *client, const struct segment_closed *closed);
