/*
 * `tpm`: is the seal of the data volume what tpm/pcr-policy.json says, and has it a way back?
 */
#pragma once

#include "check/finding.h"

struct tpm_question {
	const char *policy;	/* tpm/pcr-policy.json */
	const char *luks;	/* cryptsetup luksDump --dump-json-metadata; NULL: not looked at */
	const char *signature;	/* tpm2-pcr-signature.json of the image; NULL: not looked at */
	const char *public_key; /* PEM, with @signature */
	const char *pcr11;	/* the predicted value, 64 hexadecimal digits, or NULL */
};

int tpm_check(const struct tpm_question *question, struct findings *findings,
	      struct error *err) MUST_CHECK;
