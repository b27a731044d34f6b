/*
 * The token's PIN, read from where `pin-source` says: "credential:NAME" is the file NAME in
 * systemd's $CREDENTIALS_DIRECTORY, "file:PATH" an absolute path. Never an argument, never an
 * environment variable: those are readable by others.
 *
 * The whole file is the PIN, to the byte. What a token would silently take as part of a wrong PIN,
 * and count, is refused here with a sentence: a newline, a NUL, nothing at all, more than 32 bytes
 * (the engine's limit). So is a file that others can read, or that the group can change.
 *
 * Owns: nothing; the bytes go straight into the caller's struct secret.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

#define PIN_SIZE_MAX 32

/* ERROR_USAGE for all of that; ERROR_NOT_FOUND if there is no such file. */
int pin_read(const char *source, struct secret *ret_pin, struct error *err) MUST_CHECK;

#define PIN_HASH_SIZE 32

/* scrypt(@salt, PIN), N = 2^15, r = 8, p = 1 (32 MiB for a moment): to see later whether a PIN has
 * changed. A PIN of a few digits can be found from it by trying all: guard it like the PIN. */
int pin_hash(const struct secret *pin, const void *salt, size_t salt_size,
	     uint8_t ret_hash[static PIN_HASH_SIZE], struct error *err) MUST_CHECK;
