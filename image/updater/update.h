/*
 * An update as it comes: a tar archive, written to a disk as it is (no file system, no partition
 * table), whose members stand in this order:
 *
 *	manifest.json		updater/manifest.h
 *	signatures/1 …		of the manifest, at most RELEASE_KEYS_MAX
 *	vault.unsigned.efi	the kernel image, and behind it
 *	vault.efi.signature	its Secure Boot signature, which is in no hash
 *	root.hash root.img	for the other slot
 *
 * It is read once, from front to end; nothing is asked for before the manifest is verified.
 *
 * Owns: the reader and what it has read of the kernel image. Borrows the descriptor. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "updater/manifest.h"
#include "updater/secure_boot.h"

#define UPDATE_SECTOR_SIZE     512
#define UPDATE_KERNEL_SIZE_MAX (UINT64_C(128) << 20)

/* Whether a disk that begins so is meant as an update. */
bool update_begins(const uint8_t sector[static UPDATE_SECTOR_SIZE]);

struct update;

int update_open(int fd, struct update **ret_update, struct error *err) MUST_CHECK;
/* The same from memory, which is borrowed. */
int update_open_memory(const void *bytes, size_t size, struct update **ret_update,
		       struct error *err) MUST_CHECK;
void update_free(struct update *update);
DEFINE_CLEANUP(update_free, struct update *);

/* First: the manifest, signed by enough of the keys. */
int update_read_manifest(struct update *update, const struct release_keys *keys,
			 struct manifest *ret_manifest, struct error *err) MUST_CHECK;

/* Second: the kernel image with its signature, which is one of @secure_boot, attached. *ret_image
 * lives as long as the update. */
int update_read_kernel(struct update *update, const struct manifest *manifest,
		       const struct secure_boot *secure_boot, const uint8_t **ret_image,
		       size_t *ret_size, struct error *err) MUST_CHECK;

/* Then root.hash and root.img, a piece at a time. An error of @write ends it and is passed on. That
 * the bytes are those of the manifest is only known at the end: ERROR_DEFECT if they are not. */
struct update_sink {
	int (*write)(void *context, const void *bytes, size_t size, struct error *err);
	void *context;
};
int update_copy(struct update *update, const struct manifest *manifest, enum manifest_file file,
		const struct update_sink *sink, struct error *err) MUST_CHECK;
