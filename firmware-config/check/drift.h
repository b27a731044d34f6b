/*
 * `drift`: is a box set as the intent says? Judged from what its BMC answers, recorded or live.
 */
#pragma once

#include "base/json.h"
#include "check/finding.h"
#include "check/intent.h"

/* What a BMC was asked for; what is NULL was not recorded. Owns them. */
struct recording {
	json_t *system, *bios, *secure_boot, *network_protocol, *registry;
};

/* The files that hold them, in the order of the struct; NULL behind the last. */
extern const char *const recording_files[];
json_t **recording_slot(struct recording *recording, size_t index);

/* The files that are in @directory. ERROR_DEFECT for one that is not JSON. */
int recording_load(const char *directory, struct recording *ret_recording,
		   struct error *err) MUST_CHECK;

/* Write what is there into @directory, which must not hold such files yet. */
int recording_save(const struct recording *recording, const char *directory,
		   struct error *err) MUST_CHECK;
void recording_release(struct recording *recording);

void drift_check(const struct intent *intent, const struct recording *recording,
		 struct findings *findings);
