/*
 * binvault-export's conversation with the keeper (protocol/export_messages.h): one connection is
 * one export.
 *
 * Owns: nothing beyond the call; about 8 MiB of buffers in it. Threads: one.
 * Durable: RESULT is sent when the files and SHA256SUMS are durable (those of a tar: with the
 * rest), COMMITTED when the manifest is, or all of the tar. Crash: the keeper sees the end of the
 * connection and removes the directory.
 */
#pragma once

#include "base/error.h"
#include "protocol/message.h"

/*
 * Serve the connection to its end. 0: what was asked for was done. An error that belongs to the
 * request was told to the keeper as FAILURE as well. ERROR_CLOSED: the keeper went away.
 */
int exporter_run(int fd, const struct hello *hello, struct error *err) MUST_CHECK;
