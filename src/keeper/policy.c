#include "keeper/policy.h"

#include <string.h>

#include "base/checked.h"

/* 0 means for ever, which is longer than anything. */
static bool is_shorter(uint64_t keep_usec, uint64_t than_usec)
{
	return keep_usec != 0 && (than_usec == 0 || keep_usec < than_usec);
}

static const struct config_class *find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->class_count; i++) {
		if (strcmp(config->classes[i].name, name) == 0)
			return &config->classes[i];
	}
	return NULL;
}

static int compare_class(const struct config_class *old, const struct config *config,
			 struct error *err)
{
	const struct config_class *new = find(config, old->name);

	if (!new)
		return error_set(err, ERROR_USAGE,
				 "%s: [retention %s] is missing, and the ledger has it as policy: "
				 "put it back",
				 config->path, old->name);
	if (is_shorter(new->keep_usec, old->keep_usec))
		return error_set(err, ERROR_USAGE,
				 "%s: [retention %s] keep is shorter than in the ledger: it may be "
				 "lengthened, never shortened",
				 config->path, old->name);
	if (new->minimum_usec < old->minimum_usec)
		return error_set(err, ERROR_USAGE,
				 "%s: [retention %s] minimum is shorter than in the ledger: it may "
				 "be lengthened, never shortened",
				 config->path, old->name);
	if (is_shorter(new->maximum_usec, old->maximum_usec))
		return error_set(err, ERROR_USAGE,
				 "%s: [retention %s] maximum is shorter than in the ledger: it may "
				 "be lengthened, never shortened",
				 config->path, old->name);
	return 0;
}

int policy_compare(const struct policy_record *policy, const struct config *config,
		   struct policy_record *ret_next, bool *ret_stricter, struct error *err)
{
	struct policy_record next = {.worm = policy->worm, .class_count = config->class_count};

	if (policy->worm == WORM_REQUIRED && config->worm != WORM_REQUIRED)
		return error_set(err, ERROR_USAGE,
				 "%s: worm = advisory, and this archive requires WORM: set worm = "
				 "required",
				 config->path);
	if (policy->worm != WORM_REQUIRED && config->worm == WORM_REQUIRED)
		return error_set(err, ERROR_USAGE,
				 "%s: worm = required, and this archive was made with worm = "
				 "advisory: nothing in it is protected. Set worm = advisory, or "
				 "make a new archive with: binvault init",
				 config->path);
	for (size_t i = 0; i < policy->class_count; i++) {
		int r = compare_class(&policy->classes[i], config, err);

		if (r < 0)
			return r;
	}
	memcpy(next.classes, config->classes, sizeof(next.classes));
	*ret_stricter = next.class_count != policy->class_count;
	for (size_t i = 0; i < policy->class_count; i++) {
		const struct config_class *old = &policy->classes[i];
		const struct config_class *new = find(config, old->name);

		ASSERT(new); /* compare_class() found it */
		if (new->keep_usec != old->keep_usec || new->minimum_usec != old->minimum_usec ||
		    new->maximum_usec != old->maximum_usec)
			*ret_stricter = true;
	}
	*ret_next = next;
	return 0;
}
