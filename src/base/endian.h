/*
 * Integers as they lie on disk and on the wire: little-endian byte arrays.
 *
 * They are structs, so that using one as a number without le32_get() does not compile, and they
 * have alignment 1, so that a struct of them is its own layout.
 */
#pragma once

#include <stdint.h>

typedef struct {
	uint8_t bytes[2];
} le16;
typedef struct {
	uint8_t bytes[4];
} le32;
typedef struct {
	uint8_t bytes[8];
} le64;

static inline uint16_t le16_get(le16 x)
{
	return (uint16_t)(x.bytes[0] | x.bytes[1] << 8);
}

static inline uint32_t le32_get(le32 x)
{
	return (uint32_t)x.bytes[0] | (uint32_t)x.bytes[1] << 8 | (uint32_t)x.bytes[2] << 16 |
	       (uint32_t)x.bytes[3] << 24;
}

static inline uint64_t le64_get(le64 x)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | x.bytes[i];
	return value;
}

static inline le16 le16_put(uint16_t value)
{
	return (le16){{(uint8_t)value, (uint8_t)(value >> 8)}};
}

static inline le32 le32_put(uint32_t value)
{
	return (le32){{(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
		       (uint8_t)(value >> 24)}};
}

static inline le64 le64_put(uint64_t value)
{
	le64 x;

	for (int i = 0; i < 8; i++)
		x.bytes[i] = (uint8_t)(value >> (8 * i));
	return x;
}

/* The same from a plain pointer, for buffers that have no struct: MySQL packets and events. */
static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return (uint64_t)get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
	put_le16(p, (uint16_t)value);
	put_le16(p + 2, (uint16_t)(value >> 16));
}
