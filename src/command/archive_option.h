/*
 * `--archive DIR`, for verbs that read an archive without the keeper: a copy needs neither
 * configuration nor daemon.
 *
 * Owns: nothing; the paths are borrowed from the context.
 */
#pragma once

#include "command/command.h"

/* The row of the table that such a verb has. */
#define ARCHIVE_OPTION                                                                             \
	{                                                                                          \
		"archive", "DIR", "a copy of the archive; default: the configured volumes"         \
	}

struct command_volumes {
	const char *volumes[CONFIG_VOLUMES_MAX];
	size_t count;
	bool copy; /* --archive was given */
};

/* What --archive says, else the volumes of the configuration. */
int command_archive(struct command_context *context, struct command_volumes *ret_paths,
		    struct error *err) MUST_CHECK;
