/*
 * The kernel images in the folder EFI/Linux of the ESP: which there are, which one is called good,
 * how another comes in.
 *
 * Borrows the folder's descriptor. Threads: one.
 *
 * Durable: each function that changes the folder has synced the file system when it returns 0.
 * Crash: a kernel image has its final name only when all its bytes are durable; until then its name
 * is one that systemd-boot does not see.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "updater/entry.h"

#define KERNELS_MAX 16

struct kernels {
	struct entry entries[KERNELS_MAX];
	size_t count;
};

int kernels_list(int folder, struct kernels *ret_kernels, struct error *err) MUST_CHECK;

/* NULL if there is none of that version. */
const struct entry *kernels_find(const struct kernels *kernels, uint32_t version);

/* Whether systemd-boot has another to start than @version that is not bad. */
bool kernels_have_other(const struct kernels *kernels, uint32_t version);

/* From now on @entry is not counted down any more. */
int kernels_call_good(int folder, const struct entry *entry, struct error *err) MUST_CHECK;

/* All but @version, and what an earlier update left unfinished. */
int kernels_remove_others(int folder, uint32_t version, struct error *err) MUST_CHECK;

/* A new version, with all its tries. */
int kernels_place(int folder, uint32_t version, const void *image, size_t size,
		  struct error *err) MUST_CHECK;
