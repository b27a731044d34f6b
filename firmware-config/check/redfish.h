/*
 * A Redfish service (a server's BMC) over HTTPS, read only: nothing here writes to a box.
 *
 * The certificate is verified against one named authority and the host name; TLS 1.2 at least; no
 * redirect, no proxy, no link that leaves the service is followed, so that the password goes to
 * nobody else. Answers are bounded.
 *
 * Owns: its connection for the length of the call. Threads: one; libcurl is set up by the caller's
 * first use.
 */
#pragma once

#include "check/drift.h"

#define REDFISH_SECONDS_MAX 30 /* one answer; a BMC is slow */

struct redfish_service {
	const char *url;	   /* "https://bmc.example" or with a port, and nothing behind */
	const char *authority;	   /* PEM file with the certificate that signed the BMC's */
	const char *user;	   /* an account that may only read (role ReadOnly) */
	const char *password_path; /* one line, a file that nobody else can read */
	const char *system;	   /* the Id of the ComputerSystem; NULL if there is only one */
};

/*
 * Fetch system, Bios, SecureBoot, the manager's network protocols and the Bios attribute registry;
 * what the service has not stays NULL. ERROR_UNAVAILABLE if it cannot be reached, ERROR_REFUSED if
 * its certificate or our password is not accepted, ERROR_DEFECT if what it says is not Redfish.
 */
int redfish_record(const struct redfish_service *service, struct recording *ret_recording,
		   struct error *err) MUST_CHECK;
