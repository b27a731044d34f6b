/*
 * The partition with a given GUID, on whichever disk it is. There is no udev in the initrd, so the
 * partition tables are read here.
 *
 * Owns: nothing; descriptors are closed again.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "initrd/gpt.h"

#define DISK_PATH_SIZE 300

/* ERROR_NOT_FOUND if no disk has it now. @guid in the order of its text. */
int disks_find(const uint8_t guid[GPT_GUID_SIZE], char ret_path[DISK_PATH_SIZE],
	       struct error *err) MUST_CHECK;
