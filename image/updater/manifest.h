/*
 * What an update consists of, and who says so: k of n release keys have signed the manifest, which
 * names the hash of each file. The keys' public halves are in the signed root.
 *
 *	{"files":{"root.hash":{"sha256":"…","size":"…"},"root.img":{…},"vault.unsigned.efi":{…}},
 *	 "format":"binvault-update-1","version":"2"}
 *
 * is the manifest, as canonical JSON (base/json.h): whoever has built the same release has the same
 * bytes to sign. The kernel image is named without its Secure Boot signature, since that differs
 * from one signing to the next.
 *
 * Owns: nothing but what is said; plain values. Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "crypto/hash.h"

#define MANIFEST_SIZE_MAX   4096
#define MANIFEST_FILE_COUNT 3
#define RELEASE_KEYS_MAX    16
#define RELEASE_KEYS_FILE   "/usr/lib/binvault/release-keys.json"

/* In the order in which they come. */
enum manifest_file { MANIFEST_KERNEL, MANIFEST_HASH, MANIFEST_ROOT };
extern const char *const manifest_file_names[MANIFEST_FILE_COUNT];

struct manifest {
	uint32_t version;
	struct {
		uint64_t size;
		struct hash hash;
	} files[MANIFEST_FILE_COUNT];
};

int manifest_parse(const char *text, size_t size, struct manifest *ret_manifest,
		   struct error *err) MUST_CHECK;

/* {"keys":["base64 of SubjectPublicKeyInfo",…],"threshold":"2"}: at least one key has to sign. */
struct release_keys;
int release_keys_parse(const char *text, size_t size, struct release_keys **ret_keys,
		       struct error *err) MUST_CHECK;
int release_keys_read(const char *path, struct release_keys **ret_keys,
		      struct error *err) MUST_CHECK;
void release_keys_free(struct release_keys *keys);
DEFINE_CLEANUP(release_keys_free, struct release_keys *);

/* ECDSA over SHA-256, in DER; whose it is, is found out. */
struct manifest_signature {
	const void *bytes;
	size_t size;
};

/* ERROR_REFUSED unless `threshold` different keys have signed. A signature by nobody we know is no
 * reason to refuse, and none to accept. */
int release_keys_verify(const struct release_keys *keys, const void *manifest, size_t size,
			const struct manifest_signature *signatures, size_t signature_count,
			struct error *err) MUST_CHECK;
