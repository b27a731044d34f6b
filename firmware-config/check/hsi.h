/*
 * `hsi`: does the platform reach the fwupd Host Security ID that hsi-targets.json asks for? Judged
 * from recorded output of `fwupdmgr security --json`.
 */
#pragma once

#include "base/json.h"
#include "check/finding.h"

/* ERROR_DEFECT if either is not what it must be. */
int hsi_check(const json_t *targets, const json_t *security, struct findings *findings,
	      struct error *err) MUST_CHECK;
