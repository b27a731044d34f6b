/*
 * One line of a bundle's file `restores`: what a person would type behind `binvault restore`.
 *
 * Words are separated by blanks and not quoted; `--reason` is the last option and takes the rest of
 * the line. Empty lines and those that begin with `#` say nothing. The verb itself judges the
 * words.
 *
 * Owns: nothing; the words are the line's bytes.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define REQUEST_WORDS_MAX 24

struct request {
	char *words[REQUEST_WORDS_MAX + 1]; /* NULL behind the last */
	size_t count;			    /* 0: the line says nothing */
	const char *name;		    /* of --to */
	const char *client;		    /* of --client; NULL: for nobody */
};

/* @line is cut into words. ERROR_USAGE if it has too many, or none behind `--to`. */
int request_parse(char *line, struct request *ret_request, struct error *err) MUST_CHECK;
