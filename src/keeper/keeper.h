/*
 * The keeper: what it owns, and how its parts find each other. One file per part:
 *
 *   loop        readiness, timers, worker jobs            hsm_client  binvault-hsm
 *   source      one puller: its socket and messages       periods     keys in memory, wraps
 *   opening     the order "Open"                          sealing     recover, END, +i, leaf
 *   signing     checkpoints                               operator    people's requests (JSON)
 *   export      restores and verify --decrypt             status      what `binvault status` shows
 *   share       what clients read, until when
 *   coverage    how far a source is covered               quota       how much it may archive
 *   pause       sources that a person pauses           configuration  which is allowed
 *
 * Owns: everything below; freed in reverse order by keeper_free(). Threads: the loop's, except
 * the jobs of sealing.c, which touch nothing but their own struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "keeper/hsm_client.h"
#include "keeper/loop.h"
#include "store/store.h"

struct export_queue; /* export.h */
struct operator;     /* operator.h */
struct periods;	     /* periods.h */
struct signing;	     /* signing.h */
struct source;	     /* source.h */

/* What is not normal, by name: shown by `status` until it ends. */
#define KEEPER_ALARM_NAME_SIZE (SOURCE_NAME_MAX + 24)
struct keeper_alarm {
	char name[KEEPER_ALARM_NAME_SIZE]; /* "rollback unchecked", "hsm away", "volume full" … */
	char sentence[512];		   /* with the command that leaves it */
	uint64_t since_usec;
};
/* Each source has two at most: what one does never hides what is wrong with the rest. */
#define KEEPER_ALARMS_MAX (2 * CONFIG_SOURCES_MAX + 16)

struct keeper {
	const struct config *config; /* borrowed */
	struct hello hello;	     /* what we say of ourselves */
	const char *isolation;	     /* "units", "users" or "seccomp" */
	uint64_t started_usec;

	struct loop *loop;
	struct store *store;
	struct hsm_client *hsm;
	struct periods *periods;
	struct signing *signing;
	struct source *sources[CONFIG_SOURCES_MAX]; /* as in config->sources */
	size_t source_count;
	struct operator* operator;
	struct export_queue *exports;

	struct keeper_alarm alarms[KEEPER_ALARMS_MAX];
	size_t alarm_count;

	bool ending; /* keeper_stop() */
	uint64_t ending_usec;
	struct loop_timer ending_timer, space_timer, share_timer;
	bool failed; /* the loop was stopped because of @failure */
	struct error failure;
};

/* Users that our peers run as: -1 when everything runs as one user. */
struct keeper_options {
	const struct config *config;
	const char *isolation;
	uid_t pull_uid, hsm_uid, export_uid;
	gid_t export_gid;
};

/* Listen. As root, still: a socket belongs to the one user who may connect. */
int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper,
	       struct error *err) MUST_CHECK;
void keeper_free(struct keeper *keeper);
DEFINE_CLEANUP(keeper_free, struct keeper *);

/*
 * Open the archive for writing, check policy and volume, and begin to recover. Blocks no longer
 * than the disk does. ERROR_USAGE where the configuration is less strict than the ledger's policy.
 */
int keeper_start(struct keeper *keeper, struct error *err) MUST_CHECK;

/* Serve until keeper_stop() or until something is final (a negative code and its sentence). */
int keeper_run(struct keeper *keeper, struct error *err) MUST_CHECK;
/* From a signal's callback in the loop: what is being sealed and signed is ended first, for at most
 * KEEPER_ENDING_USEC. */
#define KEEPER_ENDING_USEC (10 * UINT64_C(1000000))
void keeper_stop(struct keeper *keeper);

/* NULL, and ERROR_NOT_FOUND in @err, if none is configured under this name. */
struct source *keeper_find_source(const struct keeper *keeper, const char *name, struct error *err);

/*
 * Append a leaf (takes the reference). A failed append is final for the keeper: it stops with the
 * sentence, since nothing may go on that is not in the ledger. NO_SPACE is returned and raised as
 * an alarm.
 */
int keeper_append(struct keeper *keeper, json_t *fields, struct error *err) MUST_CHECK;

/* Stop serving for this reason: "fork", "rolled back", an I/O error of the ledger. */
void keeper_fail(struct keeper *keeper, const struct error *reason);

void keeper_alarm_raise(struct keeper *keeper, const char *name, const char *sentence);
void keeper_alarm_clear(struct keeper *keeper, const char *name);
