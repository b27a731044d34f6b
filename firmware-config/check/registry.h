/*
 * `registry`: can the intent be set on the boxes that a recorded AttributeRegistry describes?
 *
 * Every mapped attribute exists, takes the value, can be written, and no dependency hides it, greys
 * it out, makes it read only or gives it another value once all of the intent is in force.
 */
#pragma once

#include "base/json.h"
#include "check/finding.h"
#include "check/intent.h"

/*
 * @bios is a recorded Bios resource of such a box, or NULL: its values count where the intent says
 * nothing, and tell what has to be set first. ERROR_DEFECT if @registry is no AttributeRegistry.
 */
int registry_check(const struct intent *intent, const json_t *registry, const json_t *bios,
		   struct findings *findings, struct error *err) MUST_CHECK;
