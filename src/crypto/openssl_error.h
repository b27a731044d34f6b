/*
 * OpenSSL's error queue, made into the one sentence that a caller sees. Internal to crypto/.
 *
 * Threads: the queue is the calling thread's own.
 */
#pragma once

#include "base/error.h"

/* "sentence: reason; reason", oldest reason first; the queue is empty afterwards. */
int openssl_error(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));
