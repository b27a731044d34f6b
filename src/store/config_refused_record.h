/*
 * A leaf about a configuration bundle that was refused: by `config apply`, or by the keeper at its
 * start because the ledger has had a later one. FORMAT.md is normative.
 *
 * Owns: nothing; plain values.
 */
#pragma once

#include "store/record.h"
#include "store/request_record.h"

struct config_refused_record {
	uint64_t refused_usec; /* when, by the system clock */
	uint64_t version;      /* of the bundle; 0: not known */
	bool hashed;	       /* false: it was too large to be one */
	struct hash hash;      /* of the bundle as it came */
	uint32_t uid, gid;     /* who reported it, as the kernel said */
	char sentence[REQUEST_TEXT_SIZE];
};
json_t *config_refused_record_encode(const struct config_refused_record *record);
int config_refused_record_decode(const json_t *object, struct config_refused_record *ret,
				 struct error *err) MUST_CHECK;
