/*
 * A certificate in a PEM file of ours: whose it is and when it ends. Nothing is verified here.
 *
 * Owns: nothing; plain values. Threads: any.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define CERTIFICATE_NAME_SIZE 512

struct certificate {
	/* As MySQL and MariaDB compare them in REQUIRE SUBJECT and ISSUER: "/O=Bank/CN=vault". */
	char subject[CERTIFICATE_NAME_SIZE], issuer[CERTIFICATE_NAME_SIZE];
	uint64_t end_usec; /* not valid from then on */
};

/* The first certificate of the file at @path. ERROR_USAGE if there is none, or its names are too
 * long. */
int certificate_read(const char *path, struct certificate *ret_certificate,
		     struct error *err) MUST_CHECK;

/* Internal to crypto/: the end of an X509. */
int certificate_end(const void *x509, uint64_t *ret_usec, struct error *err) MUST_CHECK;
