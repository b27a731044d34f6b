/*
 * Ledger leaves with a meaning: what `type` may say, and the records of the archive itself. The
 * others stand in period_record.h, segment_record.h, request_record.h and their like;
 * FORMAT.md is normative.
 *
 * A record is a plain value. x_record_encode() gives a new JSON object without the fields that the
 * ledger stamps (index, time, boot, uptime); x_record_decode() reads a leaf's object, with them or
 * without, checks every field and writes the record only on success. Encoding what was decoded
 * gives the same canonical text.
 *
 * Owns: a record owns nothing; an encoded object belongs to the caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "config/config.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"

#define STORE_ID_SIZE	 16 /* archive, volume, segment and period ids */
#define STORE_FORMAT	 0
#define RECORD_TEXT_SIZE 128 /* names, labels, versions: with the NUL */
#define ORIGIN_SIZE	 64  /* "binvault/<archive uuid>" */
#define UUID_SIZE	 37  /* text with dashes and NUL */

enum record_type {
	RECORD_ARCHIVE, /* always leaf 0 */
	RECORD_MASTER,
	RECORD_SIGNING_KEY,
	RECORD_POLICY,
	RECORD_CONFIG,
	RECORD_CONFIG_REFUSED,
	RECORD_PERIOD,
	RECORD_SEGMENT_OPENED,
	RECORD_SEGMENT_SEALED,
	RECORD_COVERED,
	RECORD_VOID,
	RECORD_ORPHAN,
	RECORD_GENERATION,
	RECORD_GAP_ACCEPTED,
	RECORD_SEMI_SYNC,
	RECORD_REQUEST,
	RECORD_APPROVED,
	RECORD_EXPORTED,
	RECORD_EXPORT_FAILED,
	RECORD_WITHDRAWN,
	RECORD_PREFLIGHT,
	RECORD_DAMAGED,
	RECORD_PAUSED,
	RECORD_RESUMED,
	RECORD_STATE,
	RECORD_TYPE_COUNT,
};

/* "segment-sealed". */
const char *record_type_name(enum record_type type);

/* ERROR_DEFECT if there is no type or none that this version knows. */
int record_type(const json_t *object, enum record_type *ret_type, struct error *err) MUST_CHECK;

/* What the ledger stamped: the leaf's index and the system's time. */
int record_index(const json_t *object, uint64_t *ret_index, struct error *err) MUST_CHECK;
int record_time(const json_t *object, uint64_t *ret_usec, struct error *err) MUST_CHECK;

/* UUIDs as text: "6f1c2a7e-…". */
void uuid_text(const uint8_t id[static STORE_ID_SIZE], char text[static UUID_SIZE]);

/* Leaf 0 (type archive): what the archive consists of. */
struct store_record {
	uint8_t archive_id[STORE_ID_SIZE];
	char name[RECORD_TEXT_SIZE];
	char origin[ORIGIN_SIZE]; /* of checkpoints */
	uint64_t leaves_per_file;
	size_t volume_count;
	struct {
		uint8_t id[STORE_ID_SIZE];
		struct hash hash; /* of its archive.id file */
	} volumes[CONFIG_VOLUMES_MAX];
};
json_t *store_record_encode(const struct store_record *record);
int store_record_decode(const json_t *object, struct store_record *ret,
			struct error *err) MUST_CHECK;

/* Is it a key that can be used? The next two records are decoded without asking. */
int record_key_check(const uint8_t *der, size_t size, enum public_key_kind kind,
		     struct error *err) MUST_CHECK;

/* A version of the master key: its public half wraps period keys. */
struct master_record {
	uint32_t sequence;
	char label[RECORD_TEXT_SIZE]; /* in the token */
	size_t der_size;
	uint8_t der[PUBLIC_KEY_DER_MAX]; /* SubjectPublicKeyInfo */
};
json_t *master_record_encode(const struct master_record *record);
int master_record_decode(const json_t *object, struct master_record *ret,
			 struct error *err) MUST_CHECK;

enum signing_role { SIGNING_CHECKPOINT, SIGNING_MANIFEST };
struct signing_key_record {
	enum signing_role role;
	char label[RECORD_TEXT_SIZE];
	size_t der_size;
	uint8_t der[PUBLIC_KEY_DER_MAX];
};
json_t *signing_key_record_encode(const struct signing_key_record *record);
int signing_key_record_decode(const json_t *object, struct signing_key_record *ret,
			      struct error *err) MUST_CHECK;

/* What may only become stricter. */
struct policy_record {
	enum worm_mode worm;
	size_t class_count;
	struct config_class classes[CONFIG_CLASSES_MAX];
};
json_t *policy_record_encode(const struct policy_record *record);
int policy_record_decode(const json_t *object, struct policy_record *ret,
			 struct error *err) MUST_CHECK;

/* One start of the keeper: with which configuration and which protections. */
struct config_record {
	struct hash hash;
	char version[RECORD_TEXT_SIZE];
	char isolation[RECORD_TEXT_SIZE]; /* "units", "users" or "seccomp" */
	enum worm_mode worm;
	uint64_t bundle_version; /* of the bundle that it comes from; 0: from none */
	struct hash bundle_hash;
};
json_t *config_record_encode(const struct config_record *record);
int config_record_decode(const json_t *object, struct config_record *ret,
			 struct error *err) MUST_CHECK;
