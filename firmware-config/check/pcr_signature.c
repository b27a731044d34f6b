#include "check/pcr_signature.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "check/evidence.h"

#define OBJECT		   "tpm2-pcr-signature.json"
#define SIGNATURE_SIZE_MAX 1024

DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *);
DEFINE_CLEANUP(EVP_MD_CTX_free, EVP_MD_CTX *);
DEFINE_CLEANUP(BIO_free_all, BIO *);

static void sha256(const void *bytes, size_t size, uint8_t ret_hash[PCR_SIZE])
{
	unsigned length = 0;
	int ok = EVP_Digest(bytes, size, ret_hash, &length, EVP_sha256(), NULL);

	ASSERT(ok == 1 && length == PCR_SIZE);
}

void pcr_policy_digest(const uint8_t pcr11[PCR_SIZE], uint8_t ret_digest[PCR_SIZE])
{
	static const uint8_t command_and_selection[] = {
		0x00, 0x00, 0x01, 0x7f, /* TPM_CC_PolicyPCR */
		0x00, 0x00, 0x00, 0x01, /* one selection */
		0x00, 0x0b,		/* SHA-256 */
		0x03, 0x00, 0x08, 0x00, /* three bytes of bits: PCR 11 */
	};
	uint8_t bytes[PCR_SIZE + sizeof(command_and_selection) + PCR_SIZE] = {0};

	/* The policy begins with zeros; then what extends it. */
	memcpy(bytes + PCR_SIZE, command_and_selection, sizeof(command_and_selection));
	sha256(pcr11, PCR_SIZE, bytes + PCR_SIZE + sizeof(command_and_selection));
	sha256(bytes, sizeof(bytes), ret_digest);
}

static int read_key(const char *path, EVP_PKEY **ret_key, struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	CLEANUP(BIO_free_allp)
	BIO *bio = NULL;
	EVP_PKEY *key;
	size_t length = 0;
	int r = evidence_read(path, &text, &length, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)length);
	ASSERT(bio);
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	ERR_clear_error();
	if (!key)
		return error_set(err, ERROR_DEFECT, "'%s' holds no public key in PEM", path);
	*ret_key = key;
	return 0;
}

static bool verifies(EVP_PKEY *key, const uint8_t digest[PCR_SIZE], const uint8_t *signature,
		     size_t size)
{
	CLEANUP(EVP_MD_CTX_freep)
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	ASSERT(context);
	good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(context, signature, size, digest, PCR_SIZE) == 1;
	ERR_clear_error();
	return good;
}

static bool is_pcr_11(const json_t *pcrs)
{
	return json_array_size(pcrs) == 1 && json_integer_value(json_array_get(pcrs, 0)) == 11;
}

/* One entry: 1 if it is signed by @key, 0 if not, with a finding. *ret_digest is its policy. */
static int judge_entry(const json_t *entry, EVP_PKEY *key, uint8_t ret_digest[PCR_SIZE],
		       struct findings *findings)
{
	uint8_t signature[SIGNATURE_SIZE_MAX];
	const char *base64 = NULL;
	struct error err;
	int size = 0;
	int r = json_get_hex(entry, "pol", ret_digest, PCR_SIZE, &err);

	if (r == 0)
		r = json_get_string(entry, "sig", &base64, &err);
	if (r == 0)
		size = base64_decode(base64, strlen(base64), signature, sizeof(signature), &err);
	if (r < 0 || size < 0) {
		findings_add(findings, FINDING_DEFECT, OBJECT, "build the image again", "%s",
			     err.message);
		return 0;
	}
	if (!is_pcr_11(json_object_get(entry, "pcrs"))) {
		findings_add(findings, FINDING_ATTENTION, OBJECT, "build the image again",
			     "an entry signs other registers than PCR 11");
		return 0;
	}
	if (verifies(key, ret_digest, signature, (size_t)size))
		return 1;
	findings_add(findings, FINDING_ATTENTION, OBJECT,
		     "give the public key that the volumes were sealed with, or sign with its key",
		     "an entry is not signed by this key: a volume sealed to it stays closed");
	return 0;
}

int pcr_signature_check(const json_t *signatures, const char *public_key_path, const uint8_t *pcr11,
			struct findings *findings, struct error *err)
{
	CLEANUP(EVP_PKEY_freep)
	EVP_PKEY *key = NULL;
	const json_t *entries = NULL, *entry;
	uint8_t digest[PCR_SIZE], expected[PCR_SIZE] = {0};
	bool predicted = false;
	size_t index;
	int r = json_get_array(signatures, "sha256", &entries, err);

	if (r == 0)
		r = read_key(public_key_path, &key, err);
	if (r < 0)
		return error_prefix(err, OBJECT);
	if (json_array_size(entries) == 0)
		findings_add(findings, FINDING_DEFECT, OBJECT, "build the image again",
			     "holds no signature for the SHA-256 bank");
	if (pcr11)
		pcr_policy_digest(pcr11, expected);
	json_array_foreach(entries, index, entry)
	{
		findings_count(findings);
		if (judge_entry(entry, key, digest, findings) == 1 && pcr11 &&
		    memcmp(digest, expected, PCR_SIZE) == 0)
			predicted = true;
	}
	if (pcr11 && !predicted)
		findings_add(findings, FINDING_ATTENTION, OBJECT,
			     "predict PCR 11 from this very UKI and its phases, and sign that",
			     "no entry of this key is for the predicted PCR 11");
	return 0;
}
