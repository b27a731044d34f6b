/*
 * Will the firmware start this kernel image? Its Secure Boot signature, checked as the firmware
 * will: an update that it refuses would end in the firmware's menu, where nothing counts tries.
 *
 * The certificates are those of `db` that the running image was built with. A key that only the
 * firmware knows does not count: an image brings a new one before the first release that it signs.
 *
 * Owns: the certificates. Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define SECURE_BOOT_FILE "/usr/lib/binvault/secure-boot.pem"

struct secure_boot;

/* All certificates of a PEM file, at least one. */
int secure_boot_read(const char *path, struct secure_boot **ret_keys, struct error *err) MUST_CHECK;
void secure_boot_free(struct secure_boot *keys);
DEFINE_CLEANUP(secure_boot_free, struct secure_boot *);

/*
 * @signature: PKCS #7 in DER over the Authenticode digest (SHA-256) of the unsigned @image, by the
 * key of one of the certificates. ERROR_REFUSED if it is another's or of another image,
 * ERROR_DEFECT if it is no such message.
 */
int secure_boot_verify(const struct secure_boot *keys, const uint8_t *image, size_t size,
		       const uint8_t *signature, size_t signature_size,
		       struct error *err) MUST_CHECK;
