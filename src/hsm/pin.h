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

#include "base/error.h"
#include "base/secret.h"

#define PIN_SIZE_MAX 32

/* ERROR_USAGE for all of that; ERROR_NOT_FOUND if there is no such file. */
int pin_read(const char *source, struct secret *ret_pin, struct error *err) MUST_CHECK;
