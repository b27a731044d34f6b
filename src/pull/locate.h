/*
 * Where a dump begins: behind the last archived event, or with a whole file.
 *
 *   nothing archived        the file that `start` means
 *   the same server         by position; if its history is another than the archived one, with the
 *                           archived file (it has another end) or with its oldest (it was reset, or
 *                           has purged what we had not got); behind a file whose end is torn on the
 *                           server, since it died while it wrote, with the next one, whole
 *   another server          with the last of its files that begins with nothing that is not
 * archived: the file that holds the first missing transaction. If even its oldest begins with more,
 * with that, and the gap is named when it is read
 *
 * GTIDs find, positions fetch: a file is always taken whole, from position 4, and what it begins
 * with is judged by its own second event (history_join()), not by what is asked for here.
 *
 * Owns: nothing. Threads: one. Blocks, as connection.h says.
 */
#pragma once

#include "pull/history.h"
#include "pull/place.h"
#include "pull/preflight.h"

struct locate_request {
	const struct config_source *source;
	const struct place *place;
	const struct history *history;
	bool same_server;	       /* as the place */
	enum generation_reason reason; /* why the stream before ended, 0: not for its history */
	bool behind_torn;	       /* the server cannot send the end of the place's file */
};

struct location {
	char file[BINLOG_NAME_MAX + 1];
	bool resumes;	  /* behind the place (receiver_begin_position()); else at position 4 */
	bool behind_torn; /* with the file that follows the place's, which is torn on the server */
	enum generation_reason reason;
	char note[128]; /* for history_join() */
};

/* ERROR_REFUSED: the server has no part in the history that is archived, or not what `start` asks
 * for. */
int locate(struct connection *connection, const struct server_facts *facts,
	   const struct locate_request *request, struct location *ret_location,
	   struct error *err) MUST_CHECK;
