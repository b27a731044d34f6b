/*
 * Is the configuration as strict as the policy in the ledger? What is stricter becomes the policy.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "store/record.h"

/*
 * ERROR_USAGE, with the key to change, where the file would loosen the policy. *ret_next is the
 * policy from now on, and *ret_stricter whether it differs from the ledger's.
 */
int policy_compare(const struct policy_record *policy, const struct config *config,
		   struct policy_record *ret_next, bool *ret_stricter,
		   struct error *err) MUST_CHECK;
