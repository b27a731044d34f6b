/*
 * What is signed of a manifest: DSSE's pre-authentication encoding, so that a signature over a
 * manifest can never be one over anything else.
 *
 *     DSSEv1 SP LENGTH(type) SP type SP LENGTH(body) SP body
 *
 * Written by whoever checks it by hand:
 *     { printf 'DSSEv1 46 application/vnd.binvault.restore-manifest+json %d ' \
 *           $(stat -c %s MANIFEST.json); cat MANIFEST.json; } |
 *     openssl dgst -sha256 -verify MANIFEST.pub.pem -signature MANIFEST.sig
 *
 * Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MANIFEST_MEDIA_TYPE	"application/vnd.binvault.restore-manifest+json"
#define MANIFEST_BODY_FILE	"MANIFEST.json"
#define MANIFEST_SIGNATURE_FILE "MANIFEST.sig"
#define MANIFEST_KEY_FILE	"MANIFEST.pub.pem"
#define MANIFEST_SUMS_FILE	"SHA256SUMS"

/* Of a restore into one file: what it is called in the directory of the export. */
#define MANIFEST_TAR_FILE "restore.tar"

#define MANIFEST_BODY_SIZE_MAX (256u << 20)

/* The encoding of @body, allocated (free it); its size. */
uint8_t *manifest_pae(const void *body, size_t size, size_t *ret_size);
