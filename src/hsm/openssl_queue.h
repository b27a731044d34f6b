/* OpenSSL's error queue as part of a sentence; the one place of hsm/ that reads the queue. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define OPENSSL_QUEUE_TEXT_SIZE 512

/*
 * Empty the queue into @text: library and reason of each entry, oldest first; "" if there is none.
 * True if one of them is @reason of the library with this name (NULL: none is looked for).
 */
bool openssl_queue_drain(char text[static OPENSSL_QUEUE_TEXT_SIZE], const char *library,
			 unsigned long reason);

/* The sentence, then ": " and the reasons in the queue, drained. */
int openssl_queue_error(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));
