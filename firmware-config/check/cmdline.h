/*
 * `cmdline`: has each word of the kernel command line a reason, and is each word that has one
 * there?
 *
 * The table (platform/kernel-cmdline.tsv) has three fields: word, threat, reason. A word that ends
 * in `=…` stands for one with any value, as `roothash=…`; its value is 64 hexadecimal digits there.
 */
#pragma once

#include "check/finding.h"

/* @line is a file that holds one command line: image/'s template or /proc/cmdline of a box. */
int cmdline_check(const char *table_path, const char *line_path, struct findings *findings,
		  struct error *err) MUST_CHECK;
