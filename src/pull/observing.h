/*
 * When the observer is asked, and where its answer goes: once a minute while a stream stands, of
 * the server that it comes from, to the keeper by the sink. Its list of files is shared with the
 * pre-flight, so that the two together ask for it once a minute at most.
 *
 * It logs in with what the credential would give the stream, and the credential is told what became
 * of it: so that what one of the two is refused the other does not try again. What else a person
 * must change is asked for again after OBSERVING_REFUSED_USEC only.
 *
 * A server that has begun to write its binlog in clear, or encrypted again, is found out by the
 * list too: it rotates its file when that is changed (MySQL's SET GLOBAL binlog_encryption;
 * MariaDB's encrypt_binlog needs a restart). Then it must be judged anew.
 *
 * Owns: the list. Borrows: all else, and the ring's tag. Threads: the ring's one.
 */
#pragma once

#include "io/ring.h"
#include "pull/binlog_list.h"
#include "pull/history.h"
#include "pull/identity.h"
#include "pull/observer.h"
#include "pull/place.h"
#include "pull/sink.h"

#define OBSERVING_EVERY_USEC   BINLOG_LIST_EVERY_USEC
#define OBSERVING_REFUSED_USEC (10 * OBSERVING_EVERY_USEC)

struct observing_options {
	const struct config_source *source;
	struct credential *credential;
	struct observer *observer;
	struct sink *sink;
	struct ring *ring;
	uint32_t tag;
};

struct observing {
	struct observing_options options;
	bool polled;
	uint64_t next_usec; /* monotonic: not asked before */
	bool refused;	    /* and that for a reason that a person must mend */
	struct binlog_list list;
	bool encryption_changed;

	/* When the question was asked: what it was to be tried with, and of the subject. */
	struct login login; /* its texts are not ours */
	const struct config_server *server;
	char given_file[BINLOG_NAME_MAX + 1];
	uint64_t given_position;
	char given_gtids[OBSERVED_GTIDS_SIZE];
};

void observing_init(struct observing *observing, const struct observing_options *options);
void observing_release(struct observing *observing);

/* What is due while a stream comes from @server. */
struct observing_subject {
	const struct config_server *server;
	const struct identity *identity;
	const struct place *place;     /* what was given to segments */
	const struct history *history; /* up to there */
};
void observing_step(struct observing *observing, const struct observing_subject *subject);

/* The stream is about to log in. False: not yet; call again after observing_readable(). */
bool observing_yield(struct observing *observing);

/* A stream has begun: what a person had to change may have been changed. */
void observing_forgive(struct observing *observing);

/* The ring's event with our tag. */
void observing_readable(struct observing *observing);

/* Since the last time this was asked: does the server write its last file in clear now, or no more?
 */
bool observing_take_encryption(struct observing *observing);

/* When observing_step() is to be called at the latest while a stream stands, monotonic. */
uint64_t observing_deadline(struct observing *observing);

/* The source is not to be talked to for a while. */
void observing_rest(struct observing *observing);
