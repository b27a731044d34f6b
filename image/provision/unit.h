/*
 * systemd's units, as provisioning uses them: what a configuration adds to one, and its start.
 *
 * Owns: nothing. Crash: what was written lies in /run, and is written anew at the next start.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

#define UNIT_HSM      "binvault-hsm.service"
#define UNIT_HSM_USER "binvault-hsm"
#define UNIT_FORWARD  "binvault-forward.service"
#define UNIT_TIME     "binvault-time.service"

#define UNIT_NAME_SIZE 128

/* The puller's of a source. */
void unit_puller(const char *source, char ret_unit[UNIT_NAME_SIZE]);

/* A drop-in NAME.conf for @unit, which counts from unit_reload() on. */
int unit_drop_in(const char *unit, const char *name, const char *text,
		 struct error *err) MUST_CHECK;
int unit_reload(struct error *err) MUST_CHECK;

/* Started when this has returned; unit_queue(): when all that it waits for is there. */
int unit_start(const char *unit, struct error *err) MUST_CHECK;
int unit_queue(const char *unit, struct error *err) MUST_CHECK;
