/*
 * How long libmariadb may wait for a server, and how much it may read before it hands anything out.
 *
 * The library's own time-outs count each wait by itself: a server that sends a byte now and then
 * would hold us for ever, and so would one that sends without a pause. (Its non-blocking interface
 * is no way out: beneath TLS 3.3 blocks all the same, CONC-594.) So each wait of the library goes
 * through here, and what it has read is counted. A signal ends a wait, and the call.
 *
 * Owns: nothing; the bounds belong to the calling thread. Threads: any, each with its own bounds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct st_mysql;

/* A server that is silent for so long while it owes us an answer is given up. */
#define WAITING_SILENCE_SEC 10

/* All waits of @mysql's calls are bounded from now on. */
void waiting_init(struct st_mysql *mysql);

/*
 * For this thread's calls of the library from now on: they end at @until_usec (monotonic) at the
 * latest, and when they have read more than @size bytes (UINT64_MAX: no limit).
 */
void waiting_bound(uint64_t until_usec, uint64_t size);

/*
 * Why has a call of the library failed? Because that time is over, because so much has been read,
 * or because the server was silent for WAITING_SILENCE_SEC?
 */
bool waiting_is_over(void);
bool waiting_is_full(void);
bool waiting_was_silent(void);
