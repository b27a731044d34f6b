/*
 * rate-limit: how many bytes may be read now. At most a tenth of a second's worth comes in one go;
 * an event that is larger is read and then paid for by waiting.
 *
 * Owns: nothing; a plain value. Time comes in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct allowance {
	uint64_t limit; /* bytes a second, 0: none */
	int64_t bytes;
	uint64_t counted_usec; /* monotonic */
};

void allowance_start(struct allowance *allowance, uint64_t limit, uint64_t now_usec);

/* May something be read? And so much was. */
bool allowance_is_left(struct allowance *allowance, uint64_t now_usec);
void allowance_take(struct allowance *allowance, uint64_t size);

/* When it may again, if there is a limit. */
uint64_t allowance_deadline(const struct allowance *allowance);
