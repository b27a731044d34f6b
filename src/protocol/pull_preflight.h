/*
 * PREFLIGHT, a message of the puller to the keeper that has no answer: what the pre-flight found at
 * a server, at each connect. At any time after HELLO.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/message.h"

#define PREFLIGHT_TEXT_SIZE 24576 /* a ledger leaf holds it */

struct pull_preflight {
	uint64_t time_usec;
	bool ok;			/* no rule refuses the server */
	char server[128];		/* "db1.bank.example:3306" */
	char text[PREFLIGHT_TEXT_SIZE]; /* canonical JSON, as pull/preflight.h says; not checked
					   here */
};

int pull_preflight_send(int fd, const struct pull_preflight *preflight,
			struct error *err) MUST_CHECK;
int pull_preflight_decode(const struct message *message, struct pull_preflight *ret,
			  struct error *err) MUST_CHECK;
