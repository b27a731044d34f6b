/*
 * The recovery key of the data volume, for custodians of whom some must agree.
 *
 * The custodians' certificates are in the image, one behind the other in one PEM file. Each gets
 *one share as a CMS message in PEM, which their private key alone opens:
 *
 *	binvault-share-1 THRESHOLD NUMBER HEX
 *
 * `tools/combine_shares.py` makes the key of them again.
 *
 * Owns: nothing.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* @ret_text gets all messages. ERROR_USAGE if there are fewer custodians than @threshold, or more
 * than SHARES_MAX, or the text has no room. */
int recovery_seal(const char *custodians_path, unsigned threshold, const char *key, char *ret_text,
		  size_t size, struct error *err) MUST_CHECK;

/* What the letter box holds to have a volume opened by its recovery key: `binvault-recovery-1 KEY`
 * and LF. The key, or NULL if it is another letter; @letter is changed. */
const char *recovery_letter(char *letter);
