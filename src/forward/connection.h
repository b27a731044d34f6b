/*
 * The connection to the SIEM: name service, TCP, TLS, and how much of what was written its host has
 * acknowledged. Nothing here waits, but name service, which `program` keeps short.
 *
 *     opening → shaking hands → listening → open
 *
 * After the handshake it only listens for a moment: with TLS 1.3 the server judges our certificate
 * after our side has finished, and rsyslog then simply closes. What was written before would count
 * as received.
 *
 * Owns: socket and session. Threads: one. Times are CLOCK_MONOTONIC, from the caller.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"

struct connection;

/* Begin. ERROR_UNAVAILABLE: no such host, or it cannot be reached; ERROR_USAGE: our own files. */
int connection_open(const struct config_siem *siem, uint64_t now_usec,
		    struct connection **ret_connection, struct error *err) MUST_CHECK;
void connection_free(struct connection *connection);
DEFINE_CLEANUP(connection_free, struct connection *);

/*
 * Whatever can be done now. 1: open; 0: not yet. ERROR_REFUSED: a person must mend it;
 * ERROR_UNAVAILABLE: it failed, ended, or took too long.
 */
int connection_step(struct connection *connection, uint64_t now_usec, struct error *err) MUST_CHECK;

/* When it is open: returns how many bytes were taken, perhaps none. */
ssize_t connection_write(struct connection *connection, const void *bytes, size_t size,
			 struct error *err) MUST_CHECK;

/* Bytes written to the socket since it was opened, and those of them that the peer's host has
 * acknowledged. */
uint64_t connection_written(const struct connection *connection);
int connection_acknowledged(const struct connection *connection, uint64_t *ret_bytes,
			    struct error *err) MUST_CHECK;

/* What to wait for, and until when at the latest (UINT64_MAX: no limit). @writing: there is
 * something to write. */
struct pollfd connection_poll(const struct connection *connection, bool writing);
uint64_t connection_deadline(const struct connection *connection);

/* "siem.bank.example:6514 (192.0.2.7)" and "TLSv1.3". Borrowed. */
const char *connection_peer(const struct connection *connection);
const char *connection_version(const struct connection *connection);
