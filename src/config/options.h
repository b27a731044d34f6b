/*
 * The table of options: one row each says where it stands, what its value must be, where it goes.
 *
 * A row's parser writes into an object that is zeroed but for what other rows wrote; its sentence
 * has no FILE:LINE (config.c knows it) and never repeats what may be a password.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum option_scope { /* which object the offset is in, and which sections may hold the key */
		    OPTION_ARCHIVE,
		    OPTION_HSM,
		    OPTION_EXPORT,
		    OPTION_ACCESS,
		    OPTION_SIEM,
		    OPTION_RETENTION, /* of a struct config_class */
		    OPTION_CLIENT,    /* of a struct config_client */
		    OPTION_SOURCE,    /* of a struct config_source; may stand in [defaults] */
};

enum option_flag {
	OPTION_REQUIRED = 1, /* must be given */
	OPTION_LIST = 2,     /* may go on in indented lines */
	OPTION_OWN = 4,	     /* makes no sense in [defaults] */
};

struct option;
typedef int (*option_parser)(const struct option *option, const char *text, void *target,
			     struct error *err);

struct option {
	struct config_option shown;
	enum option_scope scope;
	unsigned flags;
	option_parser parse;
	size_t offset;	   /* of the target */
	uint64_t min, max; /* of sizes, durations and numbers */
};

/* NULL behind the last. */
const struct option *option_at(size_t index);
