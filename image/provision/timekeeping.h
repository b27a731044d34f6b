/*
 * What a bundle's file `time` makes of the vault's clock: a server's name a line, # begins a
 * comment. Each has to prove that it is the one by a certificate of the bundle's `time-ca.pem`
 * (NTS, RFC 8915); who cannot is not asked. Without the file the vault trusts its clock.
 *
 * Owns: nothing; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define TIME_SERVERS_MAX   8
#define TIME_NAME_SIZE	   254 /* of a DNS name, with its NUL */
#define TIME_SETTINGS_SIZE 4096
#define TIME_NTS_PORT	   4460 /* TCP, RFC 8915 section 4: keys and cookies */
#define TIME_NTP_PORT	   123	/* UDP, RFC 5905 */

struct time_servers {
	char names[TIME_SERVERS_MAX][TIME_NAME_SIZE];
	size_t count;
};

/* ERROR_USAGE names the line. */
int time_servers_parse(const char *text, struct time_servers *ret_servers,
		       struct error *err) MUST_CHECK;

/* The settings of chronyd(8): these servers, whose certificates the file @authority proves, and no
 * port that anybody could ask. */
void time_settings(const struct time_servers *servers, const char *authority,
		   char ret_settings[TIME_SETTINGS_SIZE]);
