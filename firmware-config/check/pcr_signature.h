/*
 * The signed half of the policy: tpm2-pcr-signature.json, as systemd-measure and ukify write it.
 *
 *     {"sha256": [{"pcrs": [11], "pkfp": …, "pol": HEX, "sig": BASE64}, …]}
 *
 * `pol` is the TPM's policy digest after TPM2_PolicyPCR over PCR 11; `sig` is RSA PKCS #1 v1.5 with
 * SHA-256 over its 32 bytes.
 */
#pragma once

#include <stdint.h>

#include "base/json.h"
#include "check/finding.h"

#define PCR_SIZE 32 /* the bank is SHA-256, and no other */

/* The policy digest for PCR 11 of this value (TPM 2.0 part 3, 23.7). */
void pcr_policy_digest(const uint8_t pcr11[PCR_SIZE], uint8_t ret_digest[PCR_SIZE]);

/* @pcr11 is the predicted value or NULL. ERROR_DEFECT if the key cannot be read. */
int pcr_signature_check(const json_t *signatures, const char *public_key_path, const uint8_t *pcr11,
			struct findings *findings, struct error *err) MUST_CHECK;
