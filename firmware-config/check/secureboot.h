/*
 * `secureboot`: does a box trust our keys and nobody else's?
 *
 * Reads a directory of either efivarfs files (PK-8be4df61-…, db-d719b2cb-…, SecureBoot-…: four
 * bytes of attributes in front) or bare signature lists (PK.esl, …) as they are made for enrolment.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/finding.h"

#define SECUREBOOT_WARN_DAYS 180 /* a ceremony has to be arranged */

struct secureboot_question {
	const char *variables;	 /* the directory */
	const char *owner_path;	 /* secureboot/owner-guid */
	const char *expected;	 /* a directory with PK.esl, KEK.esl, db.esl; NULL: not compared */
	const char *dbx_list;	 /* secureboot/dbx-list.tsv */
	const char *option_roms; /* secureboot/option-roms.tsv */
	bool test_keys;		 /* keys of make-keys are right here */
	uint64_t now_usec;
};

/* ERROR_NOT_FOUND if the directory holds none of it, ERROR_DEFECT if our own lists are malformed.
 */
int secureboot_check(const struct secureboot_question *question, struct findings *findings,
		     struct error *err) MUST_CHECK;
