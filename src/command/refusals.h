/*
 * Bundles that were refused, on their way into the ledger: told to the keeper, or kept in
 * refused.json until one runs.
 *
 * A refusal is an object as the keeper's verb `config-refused` takes it (keeper/configuration.h),
 * without the verb.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "command/sealed.h"

#define REFUSALS_MAX 16 /* that wait; later ones are on the console only */

/* Now, of what is known of the bundle, with the sentence of @reason. */
json_t *refusal_new(const struct sealed *sealed, const struct error *reason);

struct refusals_told {
	size_t told, waiting;
	char reason[ERROR_MESSAGE_SIZE]; /* why they wait */
};

/*
 * Tell those that wait in the directory, and @refusal (NULL: none), which is taken. @config says
 * where the keeper is, NULL: nowhere. An error is one of the directory's file.
 */
int refusals_tell(int dir_fd, const struct config *config, json_t *refusal,
		  struct refusals_told *ret_told, struct error *err) MUST_CHECK;
