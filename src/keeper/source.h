/*
 * One source: its socket, the puller that is connected to it (one at a time), and its segments that
 * are not sealed yet. The contract of the conversation is protocol/pull_messages.h.
 *
 * ATTACH is answered when what the last puller left is sealed, or found pending (no key for some
 * seconds), stopped or not quiet: then pulling goes on at the last sealed end, and the bytes that
 * are archived twice are compared later.
 *
 * Owns: socket, connection, sealings. Threads: the loop's.
 * Durable: a descriptor is handed out only after its segment-opened leaf is durable.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "keeper/coverage.h"
#include "keeper/keeper.h"
#include "keeper/quota.h"
#include "keeper/sealing.h"
#include "keeper/spans.h"
#include "protocol/control.h"
#include "protocol/pull_messages.h"

enum source_stage {
	SOURCE_AWAY,
	SOURCE_HELLO,
	SOURCE_CONNECTED,
	SOURCE_ATTACHING,
	SOURCE_ATTACHED
};

struct source {
	struct keeper *keeper;
	const struct config_source *config;
	uid_t pull_uid;
	int listen_fd, fd; /* -1: none */
	enum source_stage stage;
	struct hello puller;
	uint64_t connected_usec, attaching_usec;
	struct loop_timer attach_timer, covered_timer;
	struct sealing *sealings; /* oldest first */
	bool key_fetched;	  /* the newest period's key was asked for and came, or cannot */

	/* Where pulling goes on: from the sealed segment opened last that holds an event. */
	uint64_t resume_index;	/* its opened leaf */
	struct attached resume; /* kind ATTACHED_START: nothing is sealed yet */

	/* Behind the last transaction that is sealed whole: which segment and file, and where. */
	struct {
		uint64_t opened_index;
		struct hash file_id;
		uint64_t position;
	} whole;

	/* The newest segment without an event that says that its file ended, and where. */
	struct {
		char binlog_file[BINLOG_NAME_MAX + 1];
		char next_file[BINLOG_NAME_MAX + 1];
		uint64_t position;
	} ended;

	struct coverage coverage;
	struct quota quota;
	struct spans spans;
	struct control control; /* what the puller was told last, or will be when it attaches */
	struct loop_timer control_timer;

	/* For status. */
	bool has_status, has_progress;
	struct pull_status status;
	uint64_t status_usec;
	struct progress progress;
	uint64_t progress_usec;
	struct preflight_record preflight; /* of the last connect; no rules: of none */
	char refusal[512];		   /* why the last request was not granted, "" if it was */
	struct message message;
};

/* Listens; nobody is accepted before source_start(). */
int source_new(struct keeper *keeper, const struct config_source *config, uid_t pull_uid,
	       struct source **ret_source, struct error *err) MUST_CHECK;
void source_free(struct source *source);

/* Take over what is unsealed, fetch keys, recover: the archive is open, all parts stand. */
int source_start(struct source *source, struct error *err) MUST_CHECK;

/* From sealing.c: something about a segment has changed; it was sealed (and is freed here). */
void source_changed(struct source *source);
void source_sealed(struct source *source, struct sealing *sealing,
		   const struct segment_sealed_record *record);

/* Pause or quota may have changed: tell the puller what it is to do now, if that is another thing.
 */
void source_control(struct source *source);

/* Take a segment over: as sealing_new(), at the end of the list. */
struct sealing *source_add(struct source *source, uint64_t opened_index,
			   const struct segment_opened_record *record);
