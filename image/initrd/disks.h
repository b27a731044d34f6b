/*
 * The two partitions of the root with a given hash, in whichever slot of whichever disk they are.
 * There is no udev in the initrd, so the partition tables are read here.
 *
 * A slot is two partitions, the root and behind it in the table its hash tree. Which slot is meant
 * says the tree: the uuid in its superblock is the first half of the root hash. (The Discoverable
 * Partitions Specification has the halves of the hash as GUIDs of the partitions. Then an update
 * would have to rewrite the partition table, which no two sectors of a disk do at once.)
 *
 * Owns: nothing; descriptors are closed again.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "initrd/command_line.h"

#define DISK_PATH_SIZE 300

/* ERROR_NOT_FOUND if no disk has them now. */
int disks_find(const uint8_t root_hash[ROOT_HASH_SIZE], char ret_data[DISK_PATH_SIZE],
	       char ret_tree[DISK_PATH_SIZE], struct error *err) MUST_CHECK;
