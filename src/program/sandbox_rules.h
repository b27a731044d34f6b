/*
 * The system calls of each role, in groups with their reason. Table only; sandbox.c installs it.
 *
 * The lists hold what strace saw the sealed programs do (Debian 12, amd64: init, run, kills and
 * restarts, the server and the HSM away and back, restore, verify --decrypt, shutdown), and what
 * libraries do elsewhere or when something fails, with the reason beside it. To find what is
 * missing after a library changed: the kernel's log names the number.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "program/sandbox.h"

#define SANDBOX_CONDITIONS_MAX 2

/* Argument number and the bits of it that must have a value. Arguments of which the kernel reads 32
 * bits are compared in these alone: the upper half of the register is the caller's to choose. */
struct sandbox_condition {
	unsigned argument;
	uint64_t mask;
	uint64_t value;
};

struct sandbox_rule {
	int number; /* SCMP_SYS(…) */
	unsigned condition_count;
	struct sandbox_condition conditions[SANDBOX_CONDITIONS_MAX]; /* all must hold */
};

struct sandbox_group {
	const char *reason;
	const struct sandbox_rule *rules;
	size_t rule_count;
};

/* The groups of a role, NULL behind the last. */
const struct sandbox_group *const *sandbox_groups(enum sandbox_role role);

/* What a credential command may not do: the numbers, and how many. */
const int *sandbox_forbidden(size_t *ret_count);
