/*
 * The key that configuration bundles are encrypted for: made on the vault, and never outside of it;
 * whoever keeps it has the TPM seal it (credential.h).
 *
 * Durable: both files, when identity_make() returns 0; the key before its certificate, so that a
 * certificate that is there has its key.
 *
 * Owns: nothing.
 */
#pragma once

#include "base/error.h"

/* P-256, in PEM: the key for root alone, and a certificate that says nothing but the key. Nothing
 * is done if the certificate is there. */
int identity_make(const char *key_path, const char *certificate_path, struct error *err) MUST_CHECK;
