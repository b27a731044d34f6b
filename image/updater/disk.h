/*
 * The disk that the running root lies on, and the others: from sysfs, by the names in the partition
 * table (esp, root_a, verity_a, root_b, verity_b).
 *
 * Owns: the descriptors in struct disk, closed by disk_release(). Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DISK_NAME_SIZE	    32
#define DISK_CANDIDATES_MAX 16

struct disk {
	char slot;	  /* 'a' or 'b': the one that does not run */
	int kernels;	  /* the folder EFI/Linux of the ESP, which is mounted nowhere else */
	int root, verity; /* of that slot, for writing; -1 unless it was asked for */
};

struct disk_candidate {
	char name[DISK_NAME_SIZE];
	int fd; /* read-only */
};

/*
 * Find and open. The ESP is mounted for @owner (a uid) and our group, by descriptor, and unmounted
 * with it.
 * @with_slot: also the partitions of the other slot.
 */
int disk_open(uint32_t owner, int with_slot, struct disk *ret_disk, struct error *err) MUST_CHECK;
void disk_release(struct disk *disk);

/* Whole disks other than that of the root that begin as an update does: no other is passed on, not
 * even for reading. By name. Returns their number. */
int disk_candidates(struct disk_candidate ret_candidates[DISK_CANDIDATES_MAX],
		    struct error *err) MUST_CHECK;

/* Pure: the value of "@key=" in the text of a uevent file. ERROR_NOT_FOUND if it has none. */
int disk_uevent_value(const char *uevent, const char *key, char *ret_value, size_t size,
		      struct error *err) MUST_CHECK;
