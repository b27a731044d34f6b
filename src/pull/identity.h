/*
 * Who a server is, as far as its flavour lets us know, in the 64 opaque bytes that segment headers
 * carry: kind ('M' MariaDB, 'Y' MySQL), 3 zeros, le32 server_id, 16 bytes server_uuid (zeros for
 * MariaDB, which has none), SHA-256 of the public key of its TLS certificate, 8 zeros.
 *
 * Owns: nothing; plain values.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "binlog/flavour.h"
#include "crypto/hash.h"
#include "volume/header.h"

struct identity {
	enum flavour flavour;
	uint32_t server_id;
	uint8_t uuid[16]; /* MySQL */
	struct hash spki;
};

void identity_encode(const struct identity *identity,
		     uint8_t ret_bytes[static SEGMENT_IDENTITY_SIZE]);
int identity_decode(const uint8_t bytes[static SEGMENT_IDENTITY_SIZE],
		    struct identity *ret_identity, struct error *err) MUST_CHECK;

/*
 * Is it the same server? server_uuid for MySQL; server_id for MariaDB. The certificate's key is
 * evidence for the record only: certificates are renewed.
 */
bool identity_same(const struct identity *a, const struct identity *b);

/* "MariaDB server id 11" */
#define IDENTITY_TEXT_SIZE 96
void identity_describe(const struct identity *identity, char text[static IDENTITY_TEXT_SIZE]);
