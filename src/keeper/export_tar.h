/*
 * The manifest in a tar that binvault-export wrote: found from the tar's end, without reading what
 * stands in front of it. Used after a crash, to tell whose NAME.tar it is. Nothing here is believed
 * before its signature was checked.
 *
 * The tar ends with the entry TOP/MANIFEST.json, the entry TOP/MANIFEST.sig, whose content is one
 * block, and two blocks of zeros (restore/exporter.c); both have plain ustar headers.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/public_key.h"

/* The body is allocated (free it). ERROR_DEFECT if the tar does not end so. */
int export_tar_manifest(int fd, const char *top, uint8_t **ret_body, size_t *ret_size,
			uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
			struct error *err) MUST_CHECK;
