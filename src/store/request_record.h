/*
 * Leaves about requests: who asked for what, who allowed it, what came of it. FORMAT.md is
 * normative.
 *
 * Owns: nothing; plain values. A person's words must be printable ASCII (as all leaves):
 * request_text_check() says so before a request is made.
 */
#pragma once

#include "base/hex.h"
#include "store/record.h"

#define REQUEST_ID_SIZE	  64  /* "R-7F3A…" */
#define REQUEST_TEXT_SIZE 512 /* reasons, sentences */

int request_text_check(const char *text, const char *what, struct error *err) MUST_CHECK;

enum request_kind { REQUEST_RESTORE, REQUEST_VERIFY };
enum request_form { REQUEST_FILES, REQUEST_TAR };
enum request_limit { REQUEST_LIMIT_NONE, REQUEST_LIMIT_TIME, REQUEST_LIMIT_POSITION };

struct request_record {
	char id[REQUEST_ID_SIZE];
	enum request_kind kind;
	uint32_t uid, gid;		      /* of the caller, as the kernel said */
	char source[SOURCE_NAME_MAX + 1];     /* "" for verify: all sources */
	char to[EXPORT_NAME_MAX + 1];	      /* restore only */
	enum request_form form;		      /* of what is made: TO/ or TO.tar */
	char client[SOURCE_NAME_MAX + 1];     /* who reads it over the share; "" for nobody */
	uint64_t keep_usec;		      /* with a client: for how long */
	char from_file[BINLOG_NAME_MAX + 1];  /* "" for the first archived */
	char generation[HEX_SIZE(HASH_SIZE)]; /* the first digits of the only one; "" for all */
	enum request_limit limit;
	uint64_t limit_usec;
	char limit_file[BINLOG_NAME_MAX + 1];
	uint64_t limit_position;
	char reason[REQUEST_TEXT_SIZE];
};
json_t *request_record_encode(const struct request_record *record);
int request_record_decode(const json_t *object, struct request_record *ret,
			  struct error *err) MUST_CHECK;

struct approved_record {
	char request[REQUEST_ID_SIZE];
	char by[RECORD_TEXT_SIZE]; /* "policy" */
};
json_t *approved_record_encode(const struct approved_record *record);
int approved_record_decode(const json_t *object, struct approved_record *ret,
			   struct error *err) MUST_CHECK;

struct exported_record {
	char request[REQUEST_ID_SIZE];
	bool manifest; /* a restore has one; verify has none, and the next four are empty */
	struct hash manifest_hash;
	struct hash key_fingerprint;
	size_t signature_size;
	uint8_t signature[SIGNATURE_SIZE_MAX];
	uint64_t segment_count;
	uint64_t file_count;
	uint64_t byte_count;
	char until_file[BINLOG_NAME_MAX + 1]; /* "" if nothing was written */
	uint64_t until_position;
	uint64_t until_usec; /* 0 if not known */
	/* What a client reads from now on, TO/ or TO.tar; without one the next three are empty. */
	char client[SOURCE_NAME_MAX + 1];
	char to[EXPORT_NAME_MAX + 1];
	enum request_form form;
	uint64_t end_usec; /* by the system's clock: then it is withdrawn */
};
json_t *exported_record_encode(const struct exported_record *record);
int exported_record_decode(const json_t *object, struct exported_record *ret,
			   struct error *err) MUST_CHECK;

struct export_failed_record {
	char request[REQUEST_ID_SIZE];
	char sentence[REQUEST_TEXT_SIZE];
};
json_t *export_failed_record_encode(const struct export_failed_record *record);
int export_failed_record_decode(const json_t *object, struct export_failed_record *ret,
				struct error *err) MUST_CHECK;

/* What was exported for a client is there no more. */
struct withdrawn_record {
	char request[REQUEST_ID_SIZE];
	bool by_person; /* or its end has come, and the next three are empty */
	uint32_t uid, gid;
	char reason[REQUEST_TEXT_SIZE];
};
json_t *withdrawn_record_encode(const struct withdrawn_record *record);
int withdrawn_record_decode(const json_t *object, struct withdrawn_record *ret,
			    struct error *err) MUST_CHECK;
