#include "check/pcr_policy.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "check/evidence.h"
#include "check/pcr_signature.h"

#define POLICY_FORMAT "binvault-pcr-policy-1"
#define PCR_COUNT     24
#define SIGNED_PCR    11
#define SHARES_MAX    16

/* What this program knows of the registers, so that the policy cannot be loosened by a typing
 * error: 7 is who may boot, 12 is what the command line was given besides. */
static const json_int_t literal_required[] = {7, 12};
static const json_int_t literal_forbidden[] = {0, 1, 2, 3, 4};

struct policy {
	json_t *document;
	bool literal[PCR_COUNT];
	json_int_t threshold, shares;
};

static void policy_release(struct policy *policy)
{
	json_decref(policy->document);
}

/* The registers of an array of {"pcr": N, "reason": …}; ERROR_DEFECT if one has no reason. */
static int read_registers(const json_t *document, const char *key, bool ret_set[PCR_COUNT],
			  struct error *err)
{
	const json_t *list = NULL, *entry;
	size_t index;
	int r = json_get_array(document, key, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, index, entry)
	{
		const json_t *pcr = json_object_get(entry, "pcr");
		const char *reason = NULL;

		r = json_get_string(entry, "reason", &reason, err);
		if (r == 0 && (!json_is_integer(pcr) || json_integer_value(pcr) < 0 ||
			       json_integer_value(pcr) >= PCR_COUNT))
			r = error_set(err, ERROR_DEFECT, "'pcr' is no register, 0 to 23");
		if (r < 0)
			return error_prefix(err, "'%s' entry %zu", key, index);
		if (ret_set[json_integer_value(pcr)])
			return error_set(err, ERROR_DEFECT, "'%s' names PCR %d twice", key,
					 (int)json_integer_value(pcr));
		ret_set[json_integer_value(pcr)] = true;
	}
	return 0;
}

static int read_recovery(struct policy *policy, struct error *err)
{
	const json_t *recovery = NULL;
	const json_t *shares, *threshold;
	int r = json_get_object(policy->document, "recovery", &recovery, err);

	if (r < 0)
		return r;
	shares = json_object_get(recovery, "shares");
	threshold = json_object_get(recovery, "threshold");
	if (!json_is_integer(shares) || !json_is_integer(threshold))
		return error_set(err, ERROR_DEFECT,
				 "recovery: 'shares' and 'threshold' are numbers");
	policy->shares = json_integer_value(shares);
	policy->threshold = json_integer_value(threshold);
	if (policy->shares > SHARES_MAX || policy->threshold > policy->shares)
		return error_set(err, ERROR_DEFECT, "recovery: %d of %d shares cannot be",
				 (int)policy->threshold, (int)policy->shares);
	return 0;
}

static int policy_load(const char *path, struct policy *policy, bool left_out[PCR_COUNT],
		       struct error *err)
{
	const json_t *signed_part = NULL, *phases = NULL, *shared = NULL;
	const char *text = NULL;
	int r = evidence_read_format(path, POLICY_FORMAT, &policy->document, err);

	if (r < 0)
		return r;
	r = read_registers(policy->document, "literal", policy->literal, err);
	if (r == 0)
		r = read_registers(policy->document, "left-out", left_out, err);
	if (r == 0)
		r = json_get_object(policy->document, "signed", &signed_part, err);
	if (r == 0)
		r = json_get_array(signed_part, "phases", &phases, err);
	if (r == 0)
		r = json_get_object(policy->document, "shared-with-image", &shared, err);
	if (r == 0)
		r = json_get_string(shared, "public-key", &text, err);
	if (r == 0)
		r = json_get_string(shared, "signature", &text, err);
	if (r == 0)
		r = read_recovery(policy, err);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}

static void judge_literal(const struct policy *policy, const bool left_out[PCR_COUNT],
			  struct findings *findings)
{
	for (size_t i = 0; i < sizeof(literal_required) / sizeof(literal_required[0]); i++) {
		findings_count(findings);
		if (!policy->literal[literal_required[i]])
			findings_add(findings, FINDING_ATTENTION, "literal", "put it back",
				     "PCR %d is not bound: %s", (int)literal_required[i],
				     literal_required[i] == 7
					     ? "a box with other keys, or with Secure Boot off, "
					       "would open the volume"
					     : "a command line from outside the image would not "
					       "keep the volume closed");
	}
	for (size_t i = 0; i < sizeof(literal_forbidden) / sizeof(literal_forbidden[0]); i++) {
		const json_int_t pcr = literal_forbidden[i];

		findings_count(findings);
		if (policy->literal[pcr])
			findings_add(findings, FINDING_ATTENTION, "literal",
				     "take it out; compare the event log instead",
				     "PCR %d moves with firmware, settings or cards: after an "
				     "update the volume would need the recovery key",
				     (int)pcr);
		else if (!left_out[pcr])
			findings_add(findings, FINDING_DEFECT, "left-out", "say why",
				     "PCR %d is neither bound nor left out for a reason", (int)pcr);
	}
	if (policy->literal[SIGNED_PCR])
		findings_add(findings, FINDING_ATTENTION, "literal", "leave it to the signature",
			     "PCR 11 changes with each release: no update would open the volume");
}

static void judge_policy(const struct policy *policy, const bool left_out[PCR_COUNT],
			 struct findings *findings)
{
	const json_t *signed_part = json_object_get(policy->document, "signed");
	const char *bank = json_string_value(json_object_get(policy->document, "bank"));

	judge_literal(policy, left_out, findings);
	findings_count(findings);
	if (json_integer_value(json_object_get(signed_part, "pcr")) != SIGNED_PCR)
		findings_add(findings, FINDING_ATTENTION, "signed", "sign PCR 11",
			     "only PCR 11 holds the image, and only its value can be signed ahead");
	if (json_array_size(json_object_get(signed_part, "phases")) == 0)
		findings_add(findings, FINDING_DEFECT, "signed", "name the phase of the unlocking",
			     "without phases a volume opens at any time of the boot");
	findings_count(findings);
	if (!bank || strcmp(bank, "sha256") != 0)
		findings_add(findings, FINDING_ATTENTION, "bank", "use sha256",
			     "'%.20s' is not the SHA-256 bank", bank ? bank : "");
	findings_count(findings);
	if (policy->threshold < 2)
		findings_add(findings, FINDING_ATTENTION, "recovery", "ask for two or more shares",
			     "one person alone opens the volume of a stolen disk");
	if (policy->threshold == policy->shares)
		findings_add(findings, FINDING_ATTENTION, "recovery", "make a share more",
			     "no share may be lost: %d of %d", (int)policy->threshold,
			     (int)policy->shares);
}

/* Are the numbers of @list exactly the registers of @set? */
static bool same_registers(const json_t *list, const bool set[PCR_COUNT])
{
	bool found[PCR_COUNT] = {0};
	const json_t *pcr;
	size_t index;

	json_array_foreach(list, index, pcr)
	{
		if (!json_is_integer(pcr) || json_integer_value(pcr) < 0 ||
		    json_integer_value(pcr) >= PCR_COUNT)
			return false;
		found[json_integer_value(pcr)] = true;
	}
	return json_is_array(list) && memcmp(found, set, sizeof(found)) == 0;
}

static void judge_tpm_token(const json_t *token, const struct policy *policy,
			    struct findings *findings)
{
	bool only_signed[PCR_COUNT] = {[SIGNED_PCR] = true};
	const char *bank = json_string_value(json_object_get(token, "tpm2-pcr-bank"));

	findings_count(findings);
	if (!same_registers(json_object_get(token, "tpm2-pcrs"), policy->literal))
		findings_add(findings, FINDING_ATTENTION, "systemd-tpm2",
			     "seal again (recovery.md)",
			     "the volume is bound to other registers than the policy's");
	findings_count(findings);
	if (!same_registers(json_object_get(token, "tpm2_pubkey_pcrs"), only_signed))
		findings_add(findings, FINDING_ATTENTION, "systemd-tpm2",
			     "seal again with --tpm2-public-key-pcrs=11 (recovery.md)",
			     "no signature over PCR 11 is asked for: any image of ours opens it, "
			     "or none after an update");
	findings_count(findings);
	if (!bank || strcmp(bank, "sha256") != 0)
		findings_add(findings, FINDING_ATTENTION, "systemd-tpm2",
			     "switch the SHA-1 bank off in the firmware and seal again",
			     "is bound to the bank '%.20s'", bank ? bank : "");
}

/* Strike the key slots of a token from @slots. */
static void strike_slots(const json_t *token, json_t *slots, const char *type,
			 struct findings *findings)
{
	const json_t *slot;
	size_t index;

	if (json_array_size(json_object_get(token, "keyslots")) == 0)
		findings_add(findings, FINDING_ATTENTION, type, "enrol it again (recovery.md)",
			     "the token has no key slot: it opens nothing");
	json_array_foreach(json_object_get(token, "keyslots"), index, slot)
	{
		if (json_is_string(slot))
			json_object_del(slots, json_string_value(slot));
	}
}

static void require_one(size_t count, const char *type, const char *without,
			struct findings *findings)
{
	findings_count(findings);
	if (count == 0)
		findings_add(findings, FINDING_ATTENTION, type, "enrol it (recovery.md)", "%s",
			     without);
	else if (count > 1)
		findings_add(findings, FINDING_ATTENTION, type,
			     "wipe the older ones (systemd-cryptenroll --wipe-slot)",
			     "%zu of them: an old seal is a way in as well", count);
}

static int check_luks(const char *path, const struct policy *policy, struct findings *findings,
		      struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *metadata = NULL;
	CLEANUP(json_decrefp)
	json_t *slots = NULL;
	const json_t *tokens = NULL, *keyslots = NULL;
	const char *number;
	json_t *token;
	size_t tpm_count = 0, recovery_count = 0;
	int r = evidence_read_json(path, &metadata, err);

	if (r == 0)
		r = json_get_object(metadata, "keyslots", &keyslots, err);
	if (r == 0)
		r = json_get_object(metadata, "tokens", &tokens, err);
	if (r < 0)
		return error_prefix(err, "'%s' is no LUKS2 metadata", path);
	slots = json_copy((json_t *)(uintptr_t)keyslots);
	ASSERT(slots);
	json_object_foreach((json_t *)(uintptr_t)tokens, number, token)
	{
		const char *type = json_string_value(json_object_get(token, "type"));

		if (type && strcmp(type, "systemd-tpm2") == 0) {
			tpm_count++;
			judge_tpm_token(token, policy, findings);
			strike_slots(token, slots, type, findings);
		} else if (type && strcmp(type, "systemd-recovery") == 0) {
			recovery_count++;
			strike_slots(token, slots, type, findings);
		}
	}
	require_one(tpm_count, "systemd-tpm2", "the TPM does not open the volume", findings);
	require_one(recovery_count, "systemd-recovery",
		    "no recovery key: with the board or its keys the data is lost", findings);
	findings_count(findings);
	json_object_foreach(slots, number, token) findings_add(
		findings, FINDING_ATTENTION, "keyslots", "find out whose it is, then wipe it",
		"slot %.8s belongs to no TPM seal and no recovery key", number);
	return 0;
}

static int check_signature(const struct tpm_question *question, struct findings *findings,
			   struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *signatures = NULL;
	uint8_t pcr11[PCR_SIZE];
	int r = evidence_read_json(question->signature, &signatures, err);

	if (r == 0 && question->pcr11 && hex_decode(question->pcr11, pcr11, PCR_SIZE, err) < 0) {
		error_prefix(err, "--pcr11");
		r = err->code = ERROR_USAGE;
	}
	if (r < 0)
		return r;
	return pcr_signature_check(signatures, question->public_key, question->pcr11 ? pcr11 : NULL,
				   findings, err);
}

int tpm_check(const struct tpm_question *question, struct findings *findings, struct error *err)
{
	CLEANUP(policy_release)
	struct policy policy = {0};
	bool left_out[PCR_COUNT] = {0};
	int r = policy_load(question->policy, &policy, left_out, err);

	if (r < 0)
		return r;
	judge_policy(&policy, left_out, findings);
	if (question->luks)
		r = check_luks(question->luks, &policy, findings, err);
	if (r == 0 && question->signature)
		r = check_signature(question, findings, err);
	return r;
}
