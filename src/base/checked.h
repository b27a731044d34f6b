/* Arithmetic on numbers that came from disk, network, configuration or HSM: true on overflow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define checked_add(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define checked_sub(a, b, ret) __builtin_sub_overflow((a), (b), (ret))
#define checked_mul(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

/* @size rounded up to a multiple of @block, a power of two; the caller has bounded @size. */
static inline uint64_t round_up(uint64_t size, uint64_t block)
{
	return (size + block - 1) & ~(block - 1);
}

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)	    ((a) < (b) ? (a) : (b))
#define MAX(a, b)	    ((a) > (b) ? (a) : (b))
