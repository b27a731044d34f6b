/*
 * A secret in shares, of which a threshold gives it back and fewer say nothing: Shamir's scheme,
 * each byte for itself, over GF(2^8) with the polynomial of AES.
 *
 * A share is its number (1 to 255) and one byte for each of the secret.
 *
 * Owns: nothing; but for randomness pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHARES_MAX	  16
#define SHARE_SECRET_SIZE 128 /* bytes, at most */

struct share {
	uint8_t number;
	uint8_t bytes[SHARE_SECRET_SIZE];
};

/* @count shares, numbered from 1; @threshold is at most @count. */
void shares_split(const uint8_t *secret, size_t size, unsigned threshold, unsigned count,
		  struct share ret_shares[SHARES_MAX]);

/* Of as many shares as the threshold said, with different numbers. */
void shares_combine(const struct share *shares, unsigned count, size_t size, uint8_t *ret_secret);
