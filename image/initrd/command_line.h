/*
 * The kernel's command line: is it the signed one, and which root does it name?
 *
 * With Secure Boot on, firmware tables (SMBIOS type 11) may still append words to the command line
 * that lies in the signed image. So the signed image holds the line a second time, inside the
 * initrd, and any difference ends the boot.
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define COMMAND_LINE_SIZE_MAX 4096
#define ROOT_HASH_SIZE	      32

/* Both are text as read, with or without a newline at the end. ERROR_REFUSED if they differ. */
int command_line_compare(const char *running, const char *signed_line,
			 struct error *err) MUST_CHECK;

/* The value of the one word `roothash=` (64 lower-case digits); a second such word is refused. */
int command_line_root_hash(const char *line, uint8_t ret_hash[ROOT_HASH_SIZE],
			   struct error *err) MUST_CHECK;
