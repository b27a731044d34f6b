#include "crypto/hash.h"

#include <stdbool.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/error.h"

/*
 * Fetching walks the library's providers and takes locks, longer than hashing a leaf; so it is
 * done once. Two threads may both fetch the first time, and one gives its own back.
 */
static const EVP_MD *sha256(void)
{
	static EVP_MD *fetched;
	EVP_MD *md = __atomic_load_n(&fetched, __ATOMIC_ACQUIRE);
	EVP_MD *expected = NULL;

	if (md)
		return md;
	md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	ASSERT(md);
	if (__atomic_compare_exchange_n(&fetched, &expected, md, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return md;
	EVP_MD_free(md);
	return expected;
}

void hash_bytes(const void *bytes, size_t size, struct hash *ret_hash)
{
	int r = EVP_Digest(bytes, size, ret_hash->bytes, NULL, sha256(), NULL);

	ASSERT(r == 1);
}

struct hasher {
	EVP_MD_CTX *context;
};

struct hasher *hasher_new(void)
{
	struct hasher *hasher = calloc(1, sizeof(*hasher));

	ASSERT(hasher);
	hasher->context = EVP_MD_CTX_new();
	ASSERT(hasher->context);
	hasher_start(hasher);
	return hasher;
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->context);
	free(hasher);
}

void hasher_start(struct hasher *hasher)
{
	int r = EVP_DigestInit_ex2(hasher->context, sha256(), NULL);

	ASSERT(r == 1);
}

void hasher_update(struct hasher *hasher, const void *bytes, size_t size)
{
	int r = EVP_DigestUpdate(hasher->context, bytes, size);

	ASSERT(r == 1);
}

void hasher_finish(struct hasher *hasher, struct hash *ret_hash)
{
	int r = EVP_DigestFinal_ex(hasher->context, ret_hash->bytes, NULL);

	ASSERT(r == 1);
}

void hash_derive(const void *key, size_t key_size, const void *info, size_t info_size,
		 void *ret_bytes, size_t ret_size)
{
	char digest[] = "SHA2-256";
	OSSL_PARAM params[4];
	OSSL_PARAM *param = params;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context;
	int r;

	ASSERT(kdf && ret_size > 0 && ret_size <= (size_t)255 * HASH_SIZE);
	context = EVP_KDF_CTX_new(kdf);
	EVP_KDF_free(kdf);
	ASSERT(context);
	/* OSSL_PARAM is shared with getters; the library only reads these */
	*param++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*param++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key,
						     key_size);
	if (info_size > 0)
		*param++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
							     (void *)(uintptr_t)info, info_size);
	*param = OSSL_PARAM_construct_end();
	r = EVP_KDF_derive(context, ret_bytes, ret_size, params);
	EVP_KDF_CTX_free(context);
	ASSERT(r == 1);
}
