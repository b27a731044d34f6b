#include "crypto/aead.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypto/openssl_error.h"

/* One context a direction, each with its key set once: a call only sets the nonce. */
struct aead {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

int aead_new(const struct secret *key, struct aead **ret_aead, struct error *err)
{
	EVP_CIPHER *cipher;
	struct aead *aead;
	int r;

	ASSERT(key->size == AEAD_KEY_SIZE);
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!cipher)
		return openssl_error(err, ERROR_FAILED, "the crypto library has no AES-256-GCM");
	aead = calloc(1, sizeof(*aead));
	ASSERT(aead);
	aead->seal = EVP_CIPHER_CTX_new();
	aead->open = EVP_CIPHER_CTX_new();
	ASSERT(aead->seal && aead->open);
	r = EVP_EncryptInit_ex2(aead->seal, cipher, key->bytes, NULL, NULL) == 1 &&
	    EVP_DecryptInit_ex2(aead->open, cipher, key->bytes, NULL, NULL) == 1;
	EVP_CIPHER_free(cipher);
	if (!r) {
		aead_free(aead);
		return openssl_error(err, ERROR_FAILED, "setting an AES-256-GCM key");
	}
	*ret_aead = aead;
	return 0;
}

void aead_free(struct aead *aead)
{
	if (!aead)
		return;
	EVP_CIPHER_CTX_free(aead->seal);
	EVP_CIPHER_CTX_free(aead->open);
	free(aead);
}

void aead_seal(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE],
	       const void *associated, size_t associated_size, const void *plaintext, size_t size,
	       void *ciphertext, uint8_t ret_tag[static AEAD_TAG_SIZE])
{
	uint8_t nothing[16];
	int length;
	int r;

	ASSERT(size <= INT_MAX && associated_size <= INT_MAX);
	r = EVP_EncryptInit_ex2(aead->seal, NULL, NULL, nonce, NULL);
	if (r == 1 && associated_size > 0)
		r = EVP_EncryptUpdate(aead->seal, NULL, &length, associated, (int)associated_size);
	if (r == 1 && size > 0)
		r = EVP_EncryptUpdate(aead->seal, ciphertext, &length, plaintext, (int)size);
	if (r == 1)
		r = EVP_EncryptFinal_ex(aead->seal, nothing, &length);
	if (r == 1)
		r = EVP_CIPHER_CTX_ctrl(aead->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, ret_tag);
	ASSERT(r == 1);
}

int aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE],
	      const void *associated, size_t associated_size, const void *ciphertext, size_t size,
	      void *plaintext, const uint8_t tag[static AEAD_TAG_SIZE], struct error *err)
{
	uint8_t expected[AEAD_TAG_SIZE];
	uint8_t nothing[16];
	int length;
	int r;

	ASSERT(size <= INT_MAX && associated_size <= INT_MAX);
	memcpy(expected, tag, sizeof(expected));
	r = EVP_DecryptInit_ex2(aead->open, NULL, NULL, nonce, NULL);
	if (r == 1 && associated_size > 0)
		r = EVP_DecryptUpdate(aead->open, NULL, &length, associated, (int)associated_size);
	if (r == 1 && size > 0)
		r = EVP_DecryptUpdate(aead->open, plaintext, &length, ciphertext, (int)size);
	if (r == 1)
		r = EVP_CIPHER_CTX_ctrl(aead->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, expected);
	/* up to here nothing depends on the bytes: a failure would be our own bug */
	ASSERT(r == 1);
	if (EVP_DecryptFinal_ex(aead->open, nothing, &length) == 1)
		return 0;
	secret_wipe(plaintext, size);
	return openssl_error(err, ERROR_DEFECT, "authentication tag does not match");
}
