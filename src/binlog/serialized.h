/*
 * The integers of MySQL's serialization library (libs/mysql/serialization/readme.md), in which
 * tagged GTIDs are written.
 *
 * An integer takes 1 to 9 bytes: as many 1-bits as the first byte ends with, so many bytes follow
 * it; up to 8 bytes a 0-bit comes next, and all bits behind are the number, little-endian. A signed
 * one has its sign in the lowest bit. More bytes than a number needs are accepted: the servers'
 * own reader accepts them.
 *
 * Owns: nothing; it borrows the bytes. Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has not been read yet. */
struct serialized {
	const uint8_t *bytes;
	size_t size;
};

/* Read one integer and go behind it; false, and nothing is read, if the bytes end before it. */
bool serialized_unsigned(struct serialized *serialized, uint64_t *ret_value);
bool serialized_signed(struct serialized *serialized, int64_t *ret_value);
