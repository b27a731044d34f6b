/* The three clocks: for order (monotonic), for people (realtime), for the record (boottime). */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define BOOT_ID_SIZE 37 /* "6f1c…" with dashes and NUL */

uint64_t clock_monotonic_usec(void);
uint64_t clock_realtime_usec(void); /* since 1970; may jump, and may be wrong */
uint64_t clock_boottime_usec(void);

/* The kernel's random id of this boot. */
int clock_boot_id(char text[static BOOT_ID_SIZE], struct error *err) MUST_CHECK;
