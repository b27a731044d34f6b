/*
 * Numbers as people write them. Sizes: bytes, with K, M, G, T for powers of 1024. Durations: a
 * number and one of ms, s, m, h, d. Times: UTC, always, and they say so with a Z.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

#define TIME_TEXT_SIZE sizeof("2026-08-23T03:21:06.918123Z")
#define SIZE_TEXT_SIZE 16

/* "256M" to bytes; ERROR_USAGE with a sentence for anything else. */
int size_parse(const char *text, uint64_t *ret_size, struct error *err) MUST_CHECK;

/* "100ms", "15m", "90d" to microseconds. */
int duration_parse(const char *text, uint64_t *ret_usec, struct error *err) MUST_CHECK;

/* "14.2 GiB": three significant digits, IEC units. */
void size_format(uint64_t size, char text[static SIZE_TEXT_SIZE]);

/* Microseconds since 1970 as "2026-08-23T03:21:06.918123Z". Years 1970 to 9999. */
void time_format(uint64_t usec, char text[static TIME_TEXT_SIZE]);

/*
 * "2026-08-23T03:21:06.918Z", a blank for the T and no fraction are accepted as well; the Z (or a
 * time without one) means UTC, any other zone is refused.
 */
int time_parse(const char *text, uint64_t *ret_usec, struct error *err) MUST_CHECK;
