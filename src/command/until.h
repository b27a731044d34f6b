/*
 * Where a restore ends, as people write it: FILE:POSITION.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/name.h"

/* "mariadb-bin.000412:71002311"; ERROR_USAGE with a sentence for anything else. */
int until_parse_position(const char *text, char ret_file[static BINLOG_NAME_MAX + 1],
			 uint64_t *ret_position, struct error *err) MUST_CHECK;
