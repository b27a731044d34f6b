/*
 * One update, from a disk into the other slot.
 *
 * Order, so that a cut at any point leaves a version that starts: the manifest is verified, and
 * only then is anything written; the other slot's kernel image goes from the ESP, so that nothing
 * starts a slot that is being written; hash tree and root, synced; then the new kernel image, under
 * its final name last.
 *
 * Borrows all of struct install. Threads: one.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "rollback/release.h"
#include "updater/disk.h"
#include "updater/manifest.h"
#include "updater/secure_boot.h"

struct install {
	const struct disk *disk; /* with its slot */
	const struct release_keys *keys;
	const struct secure_boot *secure_boot;
	struct release running;
	uint32_t floor; /* of the TPM; 0 if there is none */
};

enum install_result {
	INSTALL_NOTHING, /* it is the version that runs */
	INSTALL_DONE,
};

/* From the disk at @fd, called @name. Says on standard output what it does. */
int install_from(const struct install *install, int fd, const char *name,
		 enum install_result *ret_result, struct error *err) MUST_CHECK;

/* Pure: may @version come where @running runs? ERROR_REFUSED with the reason if not. */
int install_permits(uint32_t version, uint32_t running, uint32_t floor,
		    struct error *err) MUST_CHECK;
