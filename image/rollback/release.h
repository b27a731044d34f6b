/*
 * What a signed image says of itself: its version, and the oldest that may still run once this one
 * has been called good. The same text lies in the initrd and in the root:
 *
 *	version 2
 *	floor 1
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define RELEASE_VERSION_MAX 999999
#define RELEASE_TEXT_SIZE   64
#define RELEASE_IN_INITRD   "/release"
#define RELEASE_IN_ROOT	    "/usr/lib/binvault/release"

struct release {
	uint32_t version, floor; /* 1 <= floor <= version <= RELEASE_VERSION_MAX */
};

/* Exactly these two lines; ERROR_DEFECT otherwise. */
int release_parse(const char *text, struct release *ret_release, struct error *err) MUST_CHECK;

/* Read from a file of the signed image. */
int release_read(const char *path, struct release *ret_release, struct error *err) MUST_CHECK;
