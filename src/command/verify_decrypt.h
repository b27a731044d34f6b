/*
 * `binvault verify --decrypt`: have the keeper and binvault-export authenticate and decrypt every
 * frame of every sealed segment.
 *
 * Owns: nothing. Threads: main's.
 */
#pragma once

#include "command/command.h"

/* Prints every defect and a summary. 0, COMMAND_INCOMPLETE, or an error. */
int command_verify_decrypt(struct command_context *context, struct error *err) MUST_CHECK;
