/*
 * A period: the lifetime of one wrapped key, for one source, retention class and month.
 *
 * The wrap is bound to its record: what the HSM unwraps is key ‖ SHA-256(canonical record without
 * the wrap and without what the ledger stamps). So a wrap moved to another record, or a record
 * planted with a wrap that somebody else made, is found as soon as it is unwrapped; and the
 * commitment says, without the HSM, whether a key in memory is this period's.
 *
 * Owns: nothing. Key bytes go from and to struct secret only.
 */
#pragma once

#include "base/secret.h"
#include "store/record.h"

#define PERIOD_KEY_SIZE	      32
#define PERIOD_UNWRAPPED_SIZE 64 /* key, record hash */
#define MONTH_SIZE	      8	 /* "2026-11" and NUL */

struct period_record {
	uint8_t archive_id[STORE_ID_SIZE]; /* so that no other archive's record fits */
	uint8_t id[STORE_ID_SIZE];
	char source[SOURCE_NAME_MAX + 1];
	char class[SOURCE_NAME_MAX + 1];
	char month[MONTH_SIZE];
	uint32_t master_sequence;
	struct hash commitment;
	size_t wrap_size;
	uint8_t wrap[WRAP_SIZE_MAX];
};

json_t *period_record_encode(const struct period_record *record);
int period_record_decode(const json_t *object, struct period_record *ret,
			 struct error *err) MUST_CHECK;

/* SHA-256 of the canonical record without the wrap: what the wrap binds. */
void period_record_hash(const struct period_record *record, struct hash *ret_hash);

/* HKDF-SHA256(key, "binvault period commitment v1" ‖ period id). */
void period_commitment(const struct secret *key, const uint8_t id[static STORE_ID_SIZE],
		       struct hash *ret_commitment);

/* Complete @record, all else of which is set: commitment and wrap of @key under @master. */
int period_record_bind(struct period_record *record, const struct secret *key,
		       const struct public_key *master, struct error *err) MUST_CHECK;

/*
 * What the HSM unwrapped, checked against the record; gives the key. ERROR_DEFECT if the bytes
 * belong to another record or do not match the commitment. @unwrapped stays the caller's to wipe.
 */
int period_record_unbind(const struct period_record *record,
			 const uint8_t unwrapped[static PERIOD_UNWRAPPED_SIZE],
			 struct secret *ret_key, struct error *err) MUST_CHECK;

/* "2026-11" for a time. */
void month_format(uint64_t usec, char month[static MONTH_SIZE]);
