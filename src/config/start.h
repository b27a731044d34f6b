/*
 * The value of `start`: where a source whose archive is empty begins. Always with a whole file.
 *
 *	oldest | now		the server's first file, or the one that it writes
 *	FILE			that file
 *	FILE:POSITION		the same: the file that holds the position
 *	GTIDs			the file that holds what follows them: "0-11-884213" (MariaDB, a
 *list of domains), "uuid:1-5:7" (MySQL, a set)
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include "base/error.h"
#include "base/name.h"

enum start_kind { START_OLDEST, START_NOW, START_FILE, START_GTID };

/* ERROR_USAGE if it is none of them. What GTIDs mean is the server's flavour's business. */
int start_check(const char *text, struct error *err) MUST_CHECK;

/* Of a text that start_check() has accepted. */
enum start_kind start_kind(const char *text);

/* The file of a START_FILE. */
void start_file(const char *text, char ret_file[static BINLOG_NAME_MAX + 1]);
