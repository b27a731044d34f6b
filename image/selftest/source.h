/*
 * Where the self-test reads: files of the kernel, and what a vendor program prints.
 *
 * Owns: nothing; texts are written into the caller's buffer, cut at its size, with a NUL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_SIZE 65536

/* The file's text without the newline at its end; "" if it cannot be read. */
const char *source_file(const char *path, char text[SOURCE_SIZE]);

/* Standard output of a program (absolute path first, NULL last); "" and false if it failed. */
bool source_program(const char *const arguments[], char text[SOURCE_SIZE]);
