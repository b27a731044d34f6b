/*
 * Leaves about pre-flights: what the rules found at one server of a source. One is written when it
 * differs from the last of that server, not at every connect. FORMAT.md is normative.
 *
 * Owns: a record owns a reference to its rules.
 */
#pragma once

#include "store/record.h"

#define PREFLIGHT_RECORD_RULES_MAX 64

enum preflight_certificate {
	PREFLIGHT_CERTIFICATE_SERVER,
	PREFLIGHT_CERTIFICATE_AUTHORITY,
	PREFLIGHT_CERTIFICATE_CLIENT,
	PREFLIGHT_CERTIFICATE_COUNT,
};

struct preflight_record {
	char source[SOURCE_NAME_MAX + 1];
	char server[RECORD_TEXT_SIZE];			 /* "db1.bank.example:3306" */
	uint64_t checked_usec;				 /* vault time */
	bool ok;					 /* no rule refuses the server */
	uint64_t ends_usec[PREFLIGHT_CERTIFICATE_COUNT]; /* of certificates; 0: there is none */
	json_t *rules; /* those that do not hold: {"rule", "key", "verdict", "sentence"} each */
};
json_t *preflight_record_encode(const struct preflight_record *record);
int preflight_record_decode(const json_t *object, struct preflight_record *ret,
			    struct error *err) MUST_CHECK;
void preflight_record_release(struct preflight_record *record);

/* Do both say the same of the same server? When they were made is of no matter. */
bool preflight_record_same(const struct preflight_record *a, const struct preflight_record *b);

/* "server": the certificate's word in leaves and rules. */
const char *preflight_certificate_name(enum preflight_certificate certificate);
