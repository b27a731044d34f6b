/*
 * What the first bytes of the data partition say of it, before anything is opened.
 *
 * Owns: nothing; pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VOLUME_HEADER_SIZE 1048576 /* looked at, bytes */

/* Labels in the header of LUKS2; the first becomes the second when everything in it is durable. */
#define VOLUME_LABEL_NEW  "binvault-new"
#define VOLUME_LABEL_MADE "binvault-data"

enum volume_kind {
	VOLUME_BLANK,	   /* nothing but zeros */
	VOLUME_UNFINISHED, /* ours, and its making was cut off: there is nothing in it yet */
	VOLUME_MADE,
	VOLUME_FOREIGN, /* anything else: never written to */
};

enum volume_kind volume_kind(const uint8_t *bytes, size_t size);
