/* OpenSSL's error queue as part of a sentence; the one place of hsm/ that reads the queue. */
#pragma once

#include "base/error.h"

/* The sentence, then ": " and the reasons in the queue, oldest first; the queue is empty after. */
int openssl_queue_error(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));
