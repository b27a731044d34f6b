/*
 * The word of a daemon to systemd that it is ready, and then again and again that it goes on.
 *
 * The protocol of sd_notify(3): datagrams to $NOTIFY_SOCKET, and $WATCHDOG_USEC says within which
 * time the next has to come, else the unit is killed and started again. The manual calls it stable
 * and small enough to be written anew; so no library more is in the processes that hold keys.
 * Nothing happens where nobody listens: a daemon that `binvault run` starts, a test.
 *
 * Only the thread that called watchdog_start() counts, which is the one whose loop has to turn:
 * another's call does nothing.
 *
 * Owns: one descriptor, for the life of the process. Errors: none; who is not heard is killed.
 */
#pragma once

#include <poll.h>
#include <stdint.h>

/* Reads the environment and takes these variables out of it; before privileges and files are gone.
 */
void watchdog_start(void);

/* Once: what others wait for has been done. */
void watchdog_ready(void);

/* At each turn of the loop; most calls only look at the clock. */
void watchdog_alive(void);

/* When a loop that sleeps has to turn again, by CLOCK_MONOTONIC; UINT64_MAX if nobody watches. */
uint64_t watchdog_due_usec(void);

/* poll(2), during which the word is given: a wait that has its own end is no standstill. */
int watchdog_poll(struct pollfd *fds, nfds_t count, int timeout_msec);
