/*
 * A kernel image (PE32+) and its Secure Boot signature, joined: what sbattach does on the builder.
 *
 * The signature is a PKCS #7 message in DER. It goes behind the image in a WIN_CERTIFICATE, and the
 * data directory in the header names its place: both are left out of what is signed.
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/hash.h"

#define PE_SIGNATURE_SIZE_MAX 65536
/* What joining adds at most: padding to 8 bytes twice, and the header of the certificate. */
#define PE_SIGNED_OVERHEAD 32

/* The Authenticode digest of an unsigned image: of all but the two fields that signing changes,
 * padded to 8 bytes. */
int portable_executable_digest(const uint8_t *image, size_t size, struct hash *ret_digest,
			       struct error *err) MUST_CHECK;

/*
 * @image holds @size bytes of an unsigned image and has room for @signature_size and
 * PE_SIGNED_OVERHEAD more. Returns the size of the signed image in *ret_size. ERROR_DEFECT if it is
 * no such image, or is signed already.
 */
int portable_executable_attach(uint8_t *image, size_t size, const uint8_t *signature,
			       size_t signature_size, size_t *ret_size,
			       struct error *err) MUST_CHECK;
