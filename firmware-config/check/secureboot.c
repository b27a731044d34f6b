#include "check/secureboot.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/endian.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/units.h"
#include "check/evidence.h"
#include "check/key_certificate.h"
#include "check/signature_list.h"

#define GLOBAL_GUID    "8be4df61-93ca-11d2-aa0d-00e098032b8c" /* UEFI 2.10, 3.3 */
#define IMAGE_GUID     "d719b2cb-3d3a-4596-a3bc-dad00e67656f" /* UEFI 2.10, 32.6.1 */
#define MICROSOFT_GUID "77fa9abd-0359-4d32-bd60-28f4e78f784b"

#define ATTRIBUTES_SIZE 4
/* Non-volatile, boot, runtime, time-based authenticated write: what these four variables have. */
#define ATTRIBUTES_REQUIRED 0x27U
#define SHA256_SIZE	    32

static const struct variable {
	const char *name, *guid;
	bool grants; /* what is in it may boot something, or change what may */
} variables[] = {
	{"PK", GLOBAL_GUID, true},
	{"KEK", GLOBAL_GUID, true},
	{"db", IMAGE_GUID, true},
	{"dbx", IMAGE_GUID, false},
};

struct inspection {
	const struct secureboot_question *question;
	struct findings *findings;
	uint8_t owner[GUID_SIZE], microsoft[GUID_SIZE];
	json_t *keys;	     /* fingerprint → the variable that it was first seen in */
	json_t *hashes;	     /* of the variable at hand: hash → true */
	json_t *option_roms; /* hash → what it is for */
	const struct variable *variable;
	size_t certificate_count, hash_count, other_count;
	bool from_box; /* efivarfs files, not bare lists */
};

static void certificate_ends(struct inspection *inspection, const struct key_certificate *key)
{
	const uint64_t now = inspection->question->now_usec;
	const uint64_t warn = (uint64_t)SECUREBOOT_WARN_DAYS * 86400 * USEC_PER_SEC;
	char end[TIME_TEXT_SIZE];

	time_format(key->end_usec, end);
	end[10] = '\0';
	if (key->end_usec <= now)
		findings_add(inspection->findings, FINDING_ATTENTION, inspection->variable->name,
			     "make its successor (ceremony.md, \"Renewal\"); firmware goes on "
			     "trusting it, so nothing stops today",
			     "'%s' ended on %s", key->subject, end);
	else if (key->end_usec - now < warn)
		findings_add(inspection->findings, FINDING_ATTENTION, inspection->variable->name,
			     "arrange the renewal (ceremony.md)", "'%s' ends on %s, within %d days",
			     key->subject, end, SECUREBOOT_WARN_DAYS);
}

static void judge_key(struct inspection *inspection, const struct key_certificate *key)
{
	const char *name = inspection->variable->name;
	char digits[HEX_SIZE(KEY_FINGERPRINT_SIZE)];
	const char *before;

	hex_encode(key->fingerprint, sizeof(key->fingerprint), digits);
	if (key->microsoft)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "enrol our lists again from setup mode (enrolment.md)",
			     "'%s' is Microsoft's: whatever it signs would start", key->subject);
	if (key->test && !inspection->question->test_keys)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "enrol the keys of the ceremony; its private half lay on a disk",
			     "'%s' is a test key", key->subject);
	if (key->bits < KEY_BITS_MIN)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "make a key of 2048 bits or more", "'%s' is a key of %d bits",
			     key->subject, key->bits);
	before = json_string_value(json_object_get(inspection->keys, digits));
	if (before && strcmp(before, name) != 0)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "give each role its own key (ceremony.md)",
			     "'%s' is in %s as well: who has one role has both", key->subject,
			     before);
	json_put_string(inspection->keys, digits, name);
	certificate_ends(inspection, key);
}

static void take_certificate(struct inspection *inspection, const struct signature *signature)
{
	struct key_certificate key;
	struct error err;

	inspection->certificate_count++;
	if (key_certificate_read(signature->data, signature->size, &key, &err) < 0) {
		findings_add(inspection->findings, FINDING_DEFECT, inspection->variable->name,
			     "dump the variable again; if it stays so, clear the keys and enrol",
			     "the list at offset %zu holds %s", signature->list_offset,
			     err.message);
		return;
	}
	if (inspection->variable->grants)
		judge_key(inspection, &key);
}

static void take_hash(struct inspection *inspection, const struct signature *signature)
{
	char digits[HEX_SIZE(SHA256_SIZE)];

	hex_encode(signature->data, SHA256_SIZE, digits);
	inspection->hash_count++;
	json_put_bool(inspection->hashes, digits, true);
	if (!inspection->variable->grants)
		return;
	if (strcmp(inspection->variable->name, "db") != 0)
		findings_add(inspection->findings, FINDING_ATTENTION, inspection->variable->name,
			     "enrol our lists again", "holds hash %s, where only keys belong",
			     digits);
	else if (!json_object_get(inspection->option_roms, digits))
		findings_add(inspection->findings, FINDING_ATTENTION, "db",
			     "find out what it is, then list it with its reason or enrol db again",
			     "hash %s may start and is not in the option ROM list", digits);
}

static void judge_owner(struct inspection *inspection, const struct signature *signature)
{
	char text[GUID_TEXT_SIZE];

	if (!inspection->variable->grants ||
	    memcmp(signature->owner, inspection->owner, GUID_SIZE) == 0)
		return;
	guid_format(signature->owner, text);
	findings_add(inspection->findings, FINDING_ATTENTION, inspection->variable->name,
		     "enrol our lists again from setup mode (enrolment.md)",
		     "an entry belongs to %s%s, not to us", text,
		     memcmp(signature->owner, inspection->microsoft, GUID_SIZE) == 0
			     ? " (Microsoft)"
			     : "");
}

static int take_signature(void *context, const struct signature *signature, struct error *err)
{
	struct inspection *inspection = context;

	(void)err;
	findings_count(inspection->findings);
	judge_owner(inspection, signature);
	switch (signature->kind) {
	case SIGNATURE_X509:
		take_certificate(inspection, signature);
		break;
	case SIGNATURE_SHA256:
		take_hash(inspection, signature);
		break;
	case SIGNATURE_OTHER:
	default:
		inspection->other_count++;
		if (inspection->variable->grants)
			findings_add(inspection->findings, FINDING_ATTENTION,
				     inspection->variable->name, "enrol our lists again",
				     "the list at offset %zu is neither certificates nor SHA-256 "
				     "hashes",
				     signature->list_offset);
	}
	return 0;
}

/*
 * Bytes of one variable, without its attributes, which must be @attributes unless that is 0.
 * ERROR_NOT_FOUND if there is neither form of it.
 */
static int read_variable(struct inspection *inspection, const char *name, const char *guid,
			 uint32_t attributes, char **ret_bytes, size_t *ret_size, struct error *err)
{
	const char *directory = inspection->question->variables;
	CLEANUP(freep)
	char *bytes = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	uint32_t found;
	int r;

	snprintf(path, sizeof(path), "%.3000s/%s.esl", directory, name);
	r = evidence_read(path, ret_bytes, ret_size, err);
	if (r != ERROR_NOT_FOUND)
		return r;
	snprintf(path, sizeof(path), "%.3000s/%s-%s", directory, name, guid);
	r = evidence_read(path, &bytes, &size, err);
	if (r < 0)
		return r;
	inspection->from_box = true;
	if (size < ATTRIBUTES_SIZE)
		return error_set(err, ERROR_DEFECT, "'%s' has no attributes", path);
	found = get_le32((const uint8_t *)bytes);
	if (attributes && found != attributes)
		return error_set(
			err, ERROR_DEFECT,
			"'%s' has attributes %#x, not %#x: it is no authenticated variable", path,
			found, attributes);
	memmove(bytes, bytes + ATTRIBUTES_SIZE, size - ATTRIBUTES_SIZE);
	*ret_bytes = TAKE(bytes);
	*ret_size = size - ATTRIBUTES_SIZE;
	return 0;
}

static void judge_counts(struct inspection *inspection)
{
	const char *name = inspection->variable->name;

	if (strcmp(name, "PK") == 0 && inspection->certificate_count != 1)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "enrol our PK from setup mode (enrolment.md)",
			     "holds %zu certificates and must hold one",
			     inspection->certificate_count);
	else if (inspection->variable->grants && inspection->certificate_count == 0)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "enrol our lists (enrolment.md)", "holds no certificate");
	if (!inspection->variable->grants && inspection->hash_count == 0 &&
	    inspection->certificate_count == 0 && inspection->other_count == 0)
		findings_add(inspection->findings, FINDING_NOTE, name, "",
			     "revokes nothing: right for a first release, never after an update");
}

static void compare_expected(struct inspection *inspection, const char *bytes, size_t size)
{
	const char *name = inspection->variable->name;
	CLEANUP(freep)
	char *expected = NULL;
	char path[PATH_MAX];
	size_t expected_size = 0;
	struct error err;

	if (!inspection->question->expected || !inspection->variable->grants)
		return;
	snprintf(path, sizeof(path), "%.3000s/%s.esl", inspection->question->expected, name);
	findings_count(inspection->findings);
	if (evidence_read(path, &expected, &expected_size, &err) < 0)
		findings_add(inspection->findings, FINDING_DEFECT, name,
			     "give the directory that the lists were enrolled from", "%s",
			     err.message);
	else if (size != expected_size || memcmp(bytes, expected, size) != 0)
		findings_add(inspection->findings, FINDING_ATTENTION, name,
			     "find out who changed it, then enrol again from setup mode",
			     "is not byte for byte what was enrolled (%zu and %zu bytes)", size,
			     expected_size);
}

static int require_revoked(void *context, unsigned line, char *const fields[EVIDENCE_COLUMNS],
			   struct error *err)
{
	struct inspection *inspection = context;
	uint8_t hash[SHA256_SIZE];

	(void)line;
	if (hex_decode(fields[0], hash, sizeof(hash), err) < 0)
		return ERROR_DEFECT;
	findings_count(inspection->findings);
	if (!json_object_get(inspection->hashes, fields[0]))
		findings_add(
			inspection->findings, FINDING_ATTENTION, "dbx",
			"append our dbx update (enrolment.md), then seal again (tpm/recovery.md)",
			"%.80s is not revoked: %s", fields[1], fields[2]);
	return 0;
}

static int check_variable(struct inspection *inspection, const struct variable *variable,
			  struct error *err)
{
	CLEANUP(freep)
	char *bytes = NULL;
	struct error reason;
	size_t size = 0;
	int r;

	inspection->variable = variable;
	inspection->certificate_count = inspection->hash_count = inspection->other_count = 0;
	json_object_clear(inspection->hashes);
	findings_count(inspection->findings);
	r = read_variable(inspection, variable->name, variable->guid, ATTRIBUTES_REQUIRED, &bytes,
			  &size, &reason);
	if (r == ERROR_NOT_FOUND) {
		findings_add(inspection->findings, FINDING_DEFECT, variable->name,
			     "dump it, or if the box has none, enrol it (enrolment.md)",
			     "is not in the dump");
		return 0;
	}
	if (r == 0)
		r = signature_list_walk((const uint8_t *)bytes, size, take_signature, inspection,
					&reason);
	if (r < 0) {
		findings_add(inspection->findings, FINDING_DEFECT, variable->name,
			     "dump the variable again; if it stays so, clear the keys and enrol",
			     "%s", reason.message);
		return 0;
	}
	judge_counts(inspection);
	compare_expected(inspection, bytes, size);
	return variable->grants ? 0
				: evidence_read_table(inspection->question->dbx_list, 3,
						      require_revoked, inspection, err);
}

/* A variable of one byte, which must have this value. */
static void check_flag(struct inspection *inspection, const char *name, char right,
		       const char *advice)
{
	CLEANUP(freep)
	char *bytes = NULL;
	struct error err;
	size_t size = 0;

	findings_count(inspection->findings);
	if (read_variable(inspection, name, GLOBAL_GUID, 0, &bytes, &size, &err) < 0)
		findings_add(inspection->findings, FINDING_DEFECT, name,
			     "dump it as well: without it nobody knows whether keys are enforced",
			     "%s", err.message);
	else if (size != 1 || bytes[0] != right)
		findings_add(inspection->findings, FINDING_ATTENTION, name, advice,
			     "is %d and must be %d", size == 1 ? bytes[0] : -1, right);
}

static int take_option_rom(void *context, unsigned line, char *const fields[EVIDENCE_COLUMNS],
			   struct error *err)
{
	struct inspection *inspection = context;
	uint8_t hash[SHA256_SIZE];

	(void)line;
	if (hex_decode(fields[0], hash, sizeof(hash), err) < 0)
		return ERROR_DEFECT;
	json_put_string(inspection->option_roms, fields[0], fields[1]);
	return 0;
}

static int read_owner(const char *path, uint8_t owner[GUID_SIZE], struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	size_t length = 0;
	int r = evidence_read(path, &text, &length, err);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	r = guid_parse(text, owner, err);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}

static void inspection_release(struct inspection *inspection)
{
	json_decref(inspection->keys);
	json_decref(inspection->hashes);
	json_decref(inspection->option_roms);
}

int secureboot_check(const struct secureboot_question *question, struct findings *findings,
		     struct error *err)
{
	CLEANUP(inspection_release)
	struct inspection inspection = {.question = question,
					.findings = findings,
					.keys = json_object(),
					.hashes = json_object(),
					.option_roms = json_object()};
	struct stat status;
	int r;

	ASSERT(inspection.keys && inspection.hashes && inspection.option_roms);
	if (stat(question->variables, &status) < 0 || !S_ISDIR(status.st_mode))
		return error_set(err, ERROR_USAGE, "'%s' is no directory", question->variables);
	r = guid_parse(MICROSOFT_GUID, inspection.microsoft, err);
	if (r == 0)
		r = read_owner(question->owner_path, inspection.owner, err);
	if (r == 0)
		r = evidence_read_table(question->option_roms, 3, take_option_rom, &inspection,
					err);
	for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(variables); i++)
		r = check_variable(&inspection, &variables[i], err);
	if (r < 0)
		return r;
	if (!inspection.from_box) {
		findings_add(
			findings, FINDING_NOTE, "SecureBoot", "",
			"these are lists, not a box: whether Secure Boot is on is not in them");
		return 0;
	}
	check_flag(&inspection, "SecureBoot", 1, "switch Secure Boot on in the firmware's setup");
	check_flag(&inspection, "SetupMode", 0,
		   "enrol PK: in setup mode anybody who boots the box can enrol keys");
	return 0;
}
