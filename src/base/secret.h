/*
 * Key bytes: locked in memory, absent from core dumps, wiped when released, not printable.
 *
 * Owns: its own pages. Nothing copies the bytes out except to hand them to a cipher or, over a
 * UNIX socket, to the one process that the architecture names.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/cleanup.h"

#define SECRET_SIZE_MAX 4096

struct secret {
	uint8_t *bytes;
	size_t size; /* bytes */
};

/* Zeroed pages for @size bytes (1 to SECRET_SIZE_MAX). ERROR_FAILED if memory cannot be locked. */
int secret_init(struct secret *secret, size_t size, struct error *err) MUST_CHECK;

/* Wipe and unmap; a zeroed struct secret is fine. */
void secret_release(struct secret *secret);

/* Wipe bytes that stood anywhere else for a moment. */
void secret_wipe(void *bytes, size_t size);
