/*
 * The configuration file as sections and entries, each with its line; what they mean, options.c
 * knows.
 *
 * The parser is inih. Where it would read a line in another way than the person meant (a section
 * name cut at 49 characters, a line cut at 199, text behind ']', '#' inside a value, a colon, an
 * indented key taken for a continuation) the line is refused here before inih sees it.
 *
 * Owns: all of its texts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CONFIG_FILE_SIZE_MAX (1u << 20)

struct config_entry {
	size_t section_index;
	char *key;
	char *value;
	unsigned line;
	bool continued; /* indented lines followed; their texts are joined with commas */
};

struct config_section {
	char *title; /* "archive", "source orders" */
	unsigned line;
};

struct config_lines {
	const char *path; /* borrowed */
	struct config_section *sections;
	size_t section_count;
	struct config_entry *entries;
	size_t entry_count;
	unsigned line_count;
};

/* ERROR_USAGE: FILE:LINE: sentence. @lines is zeroed before, and released by the caller always. */
int config_lines_parse(struct config_lines *lines, const char *path, const char *text, size_t size,
		       struct error *err) MUST_CHECK;
void config_lines_release(struct config_lines *lines);

/* NULL if the section does not have the key. */
const struct config_entry *config_lines_find(const struct config_lines *lines, size_t section_index,
					     const char *key);
